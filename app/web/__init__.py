"""A kit for HTTP that knows no feature: problem+json, request bodies, headers, cookies, ETags."""
