"""What no client library would send, through the server as it is started: bytes on a socket."""

import socket
from urllib.parse import urlsplit

from tests.support.dashboard import Dashboard


def status(url: str, line: bytes, headers: bytes = b"Host: 127.0.0.1") -> int:
    """Of the answer to this request line, with these headers."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(line + b" HTTP/1.1\r\nConnection: close\r\n" + headers + b"\r\n\r\n")
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert not (line.startswith(b"HEAD") and body)
    return int(head.split()[1])


def test_strange_bytes_are_answered_by_a_4xx_and_head_like_get(shop: Dashboard) -> None:
    url = shop.url
    assert status(url, b"GET /bookings/x%00/move") == 404
    assert status(url, b"GET /login%ff") == 404
    assert status(url, "GET /login?next=\u00e9".encode()) == 422
    assert status(url, b"GET /login?next=%ff") == 422
    assert status(url, b"GET /login?next=a&next=b") == 422
    assert status(url, b"GET /static/" + b"x" * 300) == 404
    assert status(url, b"GET /login", b"Host: \xff") == 400
    assert status(url, b"GET //login") == 308
    assert status(url, b"OPTIONS *") == 404
    assert status(url, b"GET /login/.") == 404
    assert status(url, b"GET /x/../login") == 404
    for path in (b"/login", b"/", b"/health", b"/static/css/base.css"):
        assert status(url, b"HEAD " + path) == status(url, b"GET " + path)
    cookie = b"Host: 127.0.0.1\r\nCookie: chairtime=\xff\r\nOrigin: \xff"
    assert status(url, b"POST /look", cookie) == 403
