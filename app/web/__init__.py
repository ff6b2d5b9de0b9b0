"""What all faces share: problem+json, request bodies, access, headers and the API's description."""
