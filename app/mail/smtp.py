"""One mail to an SMTP server, within a hard limit. It knows no table."""

import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import NamedTuple

from app.connections import tls_context
from app.environment import SmtpServer

TIMEOUT = 10.0
"""Seconds for a connection, and for each answer."""
LONGEST = 60.0
"""Seconds for all of it: an answer may trickle, and each byte begins TIMEOUT anew."""

_LONGEST_PROBLEM = 300  # characters


class Failed(NamedTuple):
    """Why a mail was not taken; `is_final` if another try would meet the same."""

    problem: str
    is_final: bool = False


def post(server: SmtpServer, mail: EmailMessage, domain: str) -> Failed | None:
    """Hand it over to the server; None once the server has taken it. `domain` is our own."""
    try:
        with _logged_in(server, domain) as smtp:
            smtp.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        [(code, words)] = error.recipients.values()
        return Failed(_answer(code, words), is_final=code >= 500)
    except smtplib.SMTPDataError as error:
        return Failed(_answer(error.smtp_code, error.smtp_error), error.smtp_code >= 500)
    except (smtplib.SMTPException, OSError) as error:
        return Failed(_explained(error))
    return None


def check(server: SmtpServer, domain: str) -> str | None:
    """What keeps mail from being sent, in words; None if the server lets us in."""
    try:
        with _logged_in(server, domain):
            return None
    except (smtplib.SMTPException, OSError) as error:
        return _explained(error)


@contextmanager
def _logged_in(server: SmtpServer, domain: str) -> Iterator[smtplib.SMTP]:
    """A connection on which one may send. `domain` is how we name ourselves: this host's own name
    would be looked up, which may take long.
    """
    smtp = _smtp(server, domain)
    ending = threading.Timer(LONGEST, _cut, [smtp])
    ending.daemon = True
    ending.start()
    try:
        smtp.connect(server.host, server.port)
        if server.tls == "starttls":
            smtp.starttls(context=tls_context())  # raises where it is not offered
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        with suppress(smtplib.SMTPException, OSError):  # what was taken, stays taken
            smtp.quit()
    finally:
        ending.cancel()
        smtp.close()


def _smtp(server: SmtpServer, domain: str) -> smtplib.SMTP:
    if server.tls != "implicit":
        smtp = smtplib.SMTP(local_hostname=domain, timeout=TIMEOUT)
    else:
        smtp = smtplib.SMTP_SSL(local_hostname=domain, timeout=TIMEOUT, context=tls_context())
    # smtplib checks the certificate for the name given here, which else is not known to STARTTLS.
    smtp._host = server.host  # type: ignore[attr-defined]  # noqa: SLF001
    return smtp


def _cut(smtp: smtplib.SMTP) -> None:
    """End it from outside: whoever waits for an answer gets an error."""
    if smtp.sock is not None:
        with suppress(OSError):
            smtp.sock.shutdown(socket.SHUT_RDWR)


def _explained(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return f"{type(error).__name__}: {error}"[:_LONGEST_PROBLEM]


def _answer(code: int, words: bytes | str) -> str:
    said = words.decode(errors="replace") if isinstance(words, bytes) else words
    return f"{code} {' '.join(said.split())}"[:_LONGEST_PROBLEM]
