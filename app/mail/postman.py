"""What sends mail: one thread of every worker process, beside Huey's own."""

import logging
import threading
import time

from app.db import database
from app.mail import service, smtp
from app.queue.one_thread import OneThread
from app.settings import settings

_LOOK_EVERY = 2.0  # seconds
_TIDY_EVERY = 3600.0  # seconds

_log = logging.getLogger(__name__)


class Postman(OneThread):
    """The thread that sends mail. It ends with its process: what it holds is tried again."""

    name = "mail"

    def run(self, stopping: threading.Event) -> None:
        tidied = -_TIDY_EVERY
        while not stopping.is_set():
            try:
                if time.monotonic() - tidied > _TIDY_EVERY:
                    tidied = time.monotonic()
                    with database().write() as session:
                        service.tidy(session)
                while not stopping.is_set() and send_next():
                    pass
            except Exception:
                _log.exception("mail could not be sent; the next look tries again")
            stopping.wait(_LOOK_EVERY)


def send_next() -> bool:
    """Try one mail that is due, with no transaction open meanwhile; False if there is none.

    Any process may do it, any number of them at once.
    """
    server = settings().smtp_server
    if server is None:
        return False
    with database().read() as session:
        if not service.is_any_due(session):
            return False
    with database().write() as session:
        mail = service.take(session)
    if mail is not None:
        failed = smtp.post(server, service.message(mail), settings().mail_domain)
        if failed:
            _log.warning("mail %s was not taken: %s", mail.id, failed.problem)
        with database().write() as session:
            service.record(session, mail, failed)
    return True
