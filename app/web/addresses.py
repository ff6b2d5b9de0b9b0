"""Addresses of ours: with what is asked for, and those that a request names, of which only our own
are followed.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

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


def with_query(path: str, asked: Mapping[str, str]) -> str:
    """The address of the page `path` with all that is asked for and not empty."""
    query = urlencode({name: value for name, value in asked.items() if value}, quote_via=quote)
    return f"{path}?{query}" if query else path
