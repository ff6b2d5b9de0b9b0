"""The threads of the sync handlers: those of requests that may write are apart.

SQLite has one writer at a time. Whoever waits for it keeps a thread, and readers have their own.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from litestar.types import ASGIApp, Receive, Scope, Send

from app.web.csrf import SAFE_METHODS

THREADS = 4
"""Threads of either kind: more of them fight for the interpreter and answer fewer."""

T = TypeVar("T")

_is_writing: ContextVar[bool] = ContextVar("is_writing", default=False)


class Threads(ThreadPoolExecutor):
    """The event loop's default threads."""

    def __init__(self) -> None:
        super().__init__(THREADS, "reader")
        self._writers = ThreadPoolExecutor(THREADS, "writer")

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        if _is_writing.get():
            return self._writers.submit(fn, *args, **kwargs)
        return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._writers.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def writing(is_so: bool = True) -> Iterator[None]:
    """What is begun within the block runs in the threads of those that write."""
    token = _is_writing.set(is_so)
    try:
        yield
    finally:
        _is_writing.reset(token)


def by_method(app: ASGIApp) -> ASGIApp:
    """A middleware: a request that must not change anything counts as one that reads."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        with writing(scope.get("method", "GET") not in SAFE_METHODS):
            await app(scope, receive, send)

    return handle
