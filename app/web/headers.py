"""The headers of every answer: what a browser may do with it, and that nobody keeps it."""

from litestar.types import BeforeMessageSendHookHandler, Message, Scope

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: a form would then be sent with "Origin: null".
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
_A_YEAR = 31_536_000  # seconds


def security_headers(is_https: bool) -> BeforeMessageSendHookHandler:
    """A Litestar `before_send` hook; unlike a middleware it sees a 404 of no route too."""
    always = list(_HEADERS)
    if is_https:
        always.append((b"strict-transport-security", b"max-age=%d; includeSubDomains" % _A_YEAR))

    async def add(message: Message, _scope: Scope) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *always]
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message["headers"] = headers

    return add
