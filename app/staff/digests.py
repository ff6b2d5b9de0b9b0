"""What is kept of a secret, or of what somebody typed that may be one."""

import hashlib


def digest(text: str) -> str:
    """The SHA-256 of it, in hex; also of text that is no UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
