"""Mails: written with what they are about, tried until the server takes them.

    if service.is_set_up():
        service.send(session, user.email, "Choose a password", text)

That writes a row and waits for nobody. Whoever calls `take` has that mail to itself for LEASE; if
they die, it is due again. A mail may come twice, if its server took it and we never heard so.
"""

from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock, outbox
from app.mail.smtp import Failed
from app.models.mail import Mail
from app.rows import set_if
from app.settings import settings
from app.sql import constant

RETRY_AFTER = (60.0, 300.0, 900.0, 1800.0, 3600.0)
"""Seconds after the first try, the second, … and after all later ones."""
GIVE_UP = timedelta(days=1)
LEASE = timedelta(minutes=3)
"""How long a try may take: see `smtp.LONGEST`."""
KEPT = timedelta(days=30)

_LONGEST_SUBJECT = 200
_PENDING = Mail.state == constant("pending")


class InHand(NamedTuple):
    """A mail that somebody has taken to try it."""

    id: str
    recipient: str
    subject: str
    text: str
    made_at: datetime
    attempts: int


def is_set_up() -> bool:
    """Whether mail can be sent from here: SMTP_URL says how."""
    return settings().smtp_server is not None


def send(session: Session, recipient: str, subject: str, text: str) -> bool:
    """Have this sent once the transaction is committed; False where mail is not set up.

    `text` is plain, and is kept no longer than until it is sent or given up.
    """
    if not is_set_up():
        return False
    now = clock.now()
    session.add(
        Mail(
            id=f"mail_{ULID()}",
            shop_id=outbox.SHOP,
            recipient=recipient,
            subject=" ".join(subject.split())[:_LONGEST_SUBJECT],
            text=text,
            state="pending",
            next_at=now,
            made_at=now,
        )
    )
    return True


def is_any_due(session: Session) -> bool:
    """Whether there is anything to take."""
    due = select(Mail.id).where(_PENDING, Mail.next_at <= clock.now())
    return session.scalar(due.limit(1)) is not None


def take(session: Session) -> InHand | None:
    """The mail that has been due for longest; None if there is none, or another was first."""
    now = clock.now()
    due = select(Mail).where(_PENDING, Mail.next_at <= now)
    mail = session.scalars(due.order_by(Mail.next_at).limit(1)).one_or_none()
    if mail is None:
        return None
    attempts = mail.attempts + 1
    is_as_read = Mail.attempts == mail.attempts
    if not set_if(
        session, Mail, Mail.id == mail.id, _PENDING, is_as_read, attempts=attempts,
        next_at=now + LEASE,
    ):  # fmt: skip
        return None
    return InHand(mail.id, mail.recipient, mail.subject, mail.text or "", mail.made_at, attempts)


def record(session: Session, mail: InHand, failed: Failed | None) -> None:
    """Note what came of a try; nothing if it took so long that another has begun."""
    now = clock.now()
    is_over = failed is None or failed.is_final or now >= mail.made_at + GIVE_UP
    is_mine = (Mail.id == mail.id) & (Mail.attempts == mail.attempts)
    if is_over:
        state = "failed" if failed else "sent"
        problem = failed.problem if failed else None
        set_if(
            session, Mail, is_mine, _PENDING, state=state, text=None, ended_at=now, problem=problem
        )
    elif failed:
        pause = RETRY_AFTER[min(mail.attempts, len(RETRY_AFTER)) - 1]
        next_at = now + timedelta(seconds=pause)
        set_if(session, Mail, is_mine, _PENDING, next_at=next_at, problem=failed.problem)


def tidy(session: Session) -> None:
    """Give up what nobody could try for too long, and forget what is old."""
    now = clock.now()
    is_late = _PENDING & (Mail.made_at < now - GIVE_UP) & (Mail.next_at <= now - LEASE)
    ended = {"state": "failed", "text": None, "ended_at": now}
    session.execute(update(Mail).where(is_late).values(**ended))
    session.execute(delete(Mail).where(Mail.made_at < now - KEPT))


def message(mail: InHand) -> EmailMessage:
    """The mail as it travels; its id is the same at each try."""
    made = EmailMessage()
    made["From"] = settings().mail_from
    made["To"] = mail.recipient
    made["Subject"] = mail.subject
    made["Date"] = format_datetime(mail.made_at)
    made["Message-ID"] = f"<{mail.id}@{settings().mail_domain}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note answers it
    made.set_content(mail.text)
    return made
