"""What `huey_consumer app.worker.huey` imports: the queue, its task, the tick, and imports."""

from app.conversations import missed
from app.imports.work import Importer
from app.messages import tasks  # noqa: F401  (the consumer needs the task registered)
from app.messages.tick import Ticker
from app.queue.huey import huey

__all__ = ["huey"]

_ticker = Ticker(further=[missed.fetch_due])
_importer = Importer()


@huey.on_startup()  # type: ignore[untyped-decorator]
def start_ticking() -> None:
    """Called by each thread of the consumer; the first one starts the tick, and imports."""
    _ticker.start()
    _importer.start()


@huey.on_shutdown()  # type: ignore[untyped-decorator]
def stop_ticking() -> None:
    """Called as the threads end."""
    _ticker.stop()
    _importer.stop()
