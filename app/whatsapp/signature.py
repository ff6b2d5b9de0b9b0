"""Whether a webhook request was really sent by Twilio (the X-Twilio-Signature header).

The public URL comes from our settings, never from Host or X-Forwarded-*: those are the sender's.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, parse_qsl

from litestar.datastructures import MultiDict
from twilio.request_validator import (  # type: ignore[import-untyped]
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)


def parse_form(body: bytes) -> MultiDict[str]:
    """The fields of a form body, repeated and blank ones included; never raises.

    Bytes that are not UTF-8 become U+FFFD. Handlers must read their fields from here too, so that
    what was signed is what is used.
    """
    return MultiDict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def is_signed(
    *,
    tokens: Sequence[str],
    public_url: str,
    raw_path: bytes,
    raw_query: bytes,
    form: MultiDict[str] | None,
    body: bytes,
    headers: Mapping[str, str],
) -> bool:
    """Whether any of `tokens` (the current auth token, then older ones) signed this request.

    `public_url` is what stands before `raw_path`, which with `raw_query` is still encoded, as ASGI
    gives them. `form` is `parse_form(body)`, or None for any other content type, which
    then needs Twilio's `bodySHA256` in the query (without it the body would not be signed at all).
    `headers` is case-insensitive or has lower-case names. Never raises.
    """
    signature = headers.get(SIGNATURE_HEADER.lower())
    if not signature:
        return False
    query = raw_query.decode("latin-1")
    if form is None and "bodySHA256" not in parse_qs(query):
        return False
    url = public_url + raw_path.decode("latin-1") + (f"?{query}" if query else "")
    algorithm = get_signature_algorithm(headers.get(SIGNATURE_SETTINGS_HEADER.lower()))
    try:
        signed = body.decode("utf-8") if form is None else form
        return any(
            RequestValidator(token).validate(url, signed, signature, algorithm)
            for token in tokens
            if token  # an empty token would accept what anybody can sign
        )
    except ValueError:  # a body that is not UTF-8, or a path that makes the URL unreadable
        return False
