"""Where a request may lead a browser: to a path of this site, and nowhere else."""

import pytest

from app.web.addresses import ours, path_of


@pytest.mark.parametrize(
    "url", ["/", "/failed?code=63016#top", "/a//b", "/a\\b", "/bookings/x?q=%C3%A9"]
)
def test_a_path_of_this_site_is_ours(url: str) -> None:
    assert ours(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example"),
        *("/\t/evil.example", "\n//evil.example", "/a\r\nSet-Cookie: x", "/a b", "/é", "/\u2028"),
        *("javascript:alert(1)", " /a", "/\x00"),
    ],
)
def test_whatever_could_lead_elsewhere_is_nothing(url: str) -> None:
    assert ours(url) == ""


def test_of_a_whole_address_the_path_is_ours() -> None:
    assert path_of("http://shop.example.com/queue?a=b#c") == "/queue?a=b"
    assert path_of("http://shop.example.com//evil.example") == ""
    assert path_of("http://[") == path_of("") == path_of("http://shop.example.com") == ""
