"""Answers are sent compressed. No page holds a secret whose length could be told (BREACH)."""

from litestar.config.compression import CompressionConfig

_LEVEL = 3  # of zlib: 6 takes twice as long, 3 ms for Today, and saves a sixth
_STREAMS_AND_FONTS = ("^/live$", "^/simulator", r"\.woff2$")


def compression_config() -> CompressionConfig:
    """What Litestar's middleware needs."""
    return CompressionConfig(
        backend="gzip", gzip_compress_level=_LEVEL, exclude=list(_STREAMS_AND_FONTS)
    )
