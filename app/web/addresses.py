"""Addresses that a request names, in a field, a cookie or a header: only our own are followed."""

import re
from urllib.parse import urlsplit

_OURS = re.compile(r"/(?![/\\])[!-~]*")


def ours(url: str) -> str:
    """`url` if it is a path on this site, maybe with a query; else nothing.

    `//x` and `/\\x` would be the site x to a browser, which also leaves out tabs and line ends.
    """
    return url if _OURS.fullmatch(url) else ""


def path_of(url: str) -> str:
    """The path and query of a page of ours, whose whole URL a browser names; else nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return ours(f"{parts.path}?{parts.query}" if parts.query else parts.path)
