"""What `huey_consumer app.worker.huey` imports: the queue, its task, and what runs beside it: the
tick, imports, what brings events to other programs, mail, and what watches over all of it.
"""

import gc
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from app import telemetry
from app.conversations import missed
from app.imports.work import Importer
from app.integrations.courier import Courier
from app.integrations.deliveries import Untold
from app.mail.postman import Postman
from app.messages import tasks  # noqa: F401  (the consumer needs the task registered)
from app.messages.tick import Ticker
from app.messages.watch import Watch
from app.queue.huey import huey

__all__ = ["huey"]

telemetry.start("worker")


def _bodies(session: Session, untold: Sequence[Untold]) -> Mapping[int, str]:
    from app.api import events  # with the web framework, which no worker needs before an event

    return events.bodies(session, untold)


_beside = (
    Ticker(further=[missed.fetch_due]),
    Importer(),
    Courier(_bodies),
    Postman(),
    Watch(is_web=False),
)


@huey.on_startup()  # type: ignore[untyped-decorator]
def start_beside() -> None:
    """Called by each thread of the consumer; the first one starts them."""
    for each in _beside:
        each.start()


@huey.on_shutdown()  # type: ignore[untyped-decorator]
def stop_beside() -> None:
    """Called as the threads end."""
    for each in _beside:
        each.stop()


gc.freeze()  # see app.asgi
