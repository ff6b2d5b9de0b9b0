"""The one task that Huey carries. It holds an id; the database says what there is to do."""

from huey.exceptions import RetryTask

from app import clock, logs, telemetry
from app.messages.delivery import deliver
from app.messages.lifecycle.compare_and_set import ENQUEUE_WINDOW
from app.queue.huey import huey


@huey.task(name="send_message")  # type: ignore[untyped-decorator]
def send_message(job_id: str) -> None:
    """Send one message. Losing this task, or running it twice, changes nothing."""
    with logs.about(job_id=job_id), telemetry.span("send_message", job_id=job_id):
        come_back = deliver(job_id)
    if come_back is not None and come_back <= clock.now() + ENQUEUE_WINDOW:
        raise RetryTask(eta=come_back)
