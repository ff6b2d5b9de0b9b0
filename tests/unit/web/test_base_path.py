"""What the path of PUBLIC_URL is taken off, and put before."""

import asyncio
from typing import Any

import pytest

from app.web import base_path
from tests.conftest import Configure


def asked(path: str, **headers: str) -> dict[str, Any]:
    """The request as the app gets it that is below `/chairs`."""
    got: dict[str, Any] = {}

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        got.update(scope)

    given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope: Any = {"type": "http", "path": path, "raw_path": path.encode(), "headers": given}
    asyncio.run(base_path.below(app, "/chairs")(scope, None, None))  # type: ignore[arg-type]
    return got


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        *(("/chairs/today", "/today"), ("/chairs", "/"), ("/chairs/", "/"), ("/chairs//x", "//x")),
        *(("/today", "/today"), ("/chairsx/today", "/chairsx/today"), ("/", "/"), ("*", "*")),
        *(("/chairs/chairs", "/chairs"), ("/x/chairs", "/x/chairs"), ("/chairs?a", "/?a")),
    ],
)
def test_it_is_taken_off_the_path_once(path: str, inside: str) -> None:
    got = asked(path)
    assert (got["path"], got["raw_path"]) == (inside, inside.encode())


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("https://shop.example/chairs/queue?a=/chairs", "https://shop.example/queue?a=/chairs"),
        ("https://shop.example/other", "https://shop.example/other"),
        ("http://[", "http://["),
    ],
)
def test_and_off_the_page_that_a_browser_is_on(url: str, inside: str) -> None:
    assert asked("/", Referer=url, Accept=url)["headers"] == [
        (b"referer", inside.encode()),
        (b"accept", url.encode()),
    ]


def test_without_a_path_there_is_nothing_in_between() -> None:
    async def app(*_: Any) -> None: ...

    assert base_path.below(app, "") is app


def test_only_attributes_that_lead_somewhere_are_changed(configure: Configure) -> None:
    html = (
        '<a href="/a" title="/b"><img src="/c"><input name="next" value="/d" formaction="/e">'
        '<i hx-get="/f" hx-post="/g"><a href="#h"><a href="//i">href=&#34;/j</a>'
    )
    assert base_path.in_html(html) == html
    configure(PUBLIC_URL="https://shop.example/x")
    assert base_path.in_html(html) == (
        '<a href="/x/a" title="/b"><img src="/x/c"><input name="next" value="/d" formaction="/x/e">'
        '<i hx-get="/x/f" hx-post="/x/g"><a href="#h"><a href="//i">href=&#34;/j</a>'
    )
