"""What is left to do at the queue after a commit, in a thread of its own: no request waits for it.

Whatever does not get done here, the tick does.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

_log = logging.getLogger(__name__)

_PLACES = 200
"""So many may wait; the queue is in trouble then, and has no use for more."""

_thread = ThreadPoolExecutor(1, "hand-over")
_places = BoundedSemaphore(_PLACES)


def soon(work: Callable[[], None]) -> bool:
    """Do `work` after what was left here before; False if that is too much, and it is left to the
    tick.
    """
    if not _places.acquire(blocking=False):
        return False
    try:
        _thread.submit(_do, work)
    except RuntimeError:  # this process is ending
        _places.release()
        return False
    return True


def finish() -> None:
    """Wait until all is done that was left here."""
    _thread.submit(lambda: None).result()


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:
        _log.exception("what was to be handed over is left to the tick")
    finally:
        _places.release()
