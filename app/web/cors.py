"""Scripts of other sites (CORS_ORIGINS) may call the API with a token; never with our cookies."""

from collections.abc import Sequence

from litestar.config.cors import CORSConfig


def config(origins: Sequence[str]) -> CORSConfig | None:
    """What Litestar's middleware needs; None if no other site may."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match")
        ],
        expose_headers=["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"],
        allow_credentials=False,
    )
