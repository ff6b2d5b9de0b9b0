"""Idempotency keys: a request that is repeated with its key gets the first one's answer again."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, update
from sqlalchemy.orm import Session

from app import clock
from app.errors import FieldError, Invalid
from app.models.staff import IdempotencyKey
from app.rows import add_new

KEPT = timedelta(days=1)
"""For how long an answer is given again, at the least."""

HEADER = "Idempotency-Key"

Answer = tuple[int, dict[str, Any]]

_KEY = re.compile(r"[!-~]{1,255}")


def answer_once(
    session: Session,
    token_id: str,
    key: str | None,
    request_digest: str,
    act: Callable[[], Answer],
) -> Answer:
    """What `act` answers (HTTP status and JSON), or what it answered for this token and key; then
    its `secret`, if it had one, is null: it is nowhere in the database.

    Key and act share the caller's transaction: who comes second waits for the first one's commit,
    and if `act` raises, the key is as new. `request_digest` is of what was asked (64 characters).
    Raises Invalid for a malformed key, and for one that was used for another request.
    """
    if key is None:
        return act()
    if not _KEY.fullmatch(key):
        raise Invalid([FieldError(HEADER, "This must be 1 to 255 visible ASCII characters.")])
    is_first = add_new(
        session,
        IdempotencyKey,
        token_id=token_id,
        key=key,
        request_digest=request_digest,
        status_code=0,
        answer={},
        created_at=clock.now(),
    )
    if not is_first:
        return _first_answer(session, token_id, key, request_digest)
    status, answer = act()
    kept = {**answer, "secret": None} if "secret" in answer else answer
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.token_id == token_id, IdempotencyKey.key == key)
        .values(status_code=status, answer=kept)
    )
    return status, answer


def forget_old(session: Session) -> int:
    """Delete the keys older than KEPT; returns how many."""
    old = delete(IdempotencyKey).where(IdempotencyKey.created_at < clock.now() - KEPT)
    result: CursorResult[Any] = session.execute(old)  # type: ignore[assignment]
    return result.rowcount


def _first_answer(session: Session, token_id: str, key: str, request_digest: str) -> Answer:
    first = session.get_one(IdempotencyKey, (token_id, key))
    if first.request_digest != request_digest:
        raise Invalid([FieldError(HEADER, "This was used for another request: take a new one.")])
    return first.status_code, first.answer
