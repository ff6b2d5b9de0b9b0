"""The web app in this process, as its callers reach it.

with web_client() as client:
    assert client.get("/health").status_code == 200
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path

from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient

from app.asgi import create_app
from app.settings import Settings, settings

Client = TestClient[Litestar]


@contextmanager
def web_client() -> Iterator[Client]:
    """A client of the started app; an error that nobody handles is a 500, as in production.

    Two clients at once need an app each: those are made by `create_app()`.
    """
    with TestClient(shared_app(), raise_server_exceptions=False) as client:
        client.headers["Sec-Fetch-Site"] = "same-origin"  # as a browser on a page of ours
        yield client


def shared_app() -> Litestar:
    """The app of these settings, which tests share: to make one takes longer than most of them."""
    return _app(replace(settings(), database_url="", state_dir=Path(), whatsapp_api_url=""))


@cache
def _app(_settings: Settings) -> Litestar:
    return create_app()


def said(client: Client, answer: Response) -> str:
    """The toast of the page that the answer leads to."""
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["Location"]).text
    match = re.search(r'class="toast-text">([^<]*)<', page)
    assert match, page
    return unescape(match[1])
