"""Mail: written with what it is about, tried until the server takes it, in nobody's way."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import select

from app.db import Database
from app.mail import postman, service, smtp
from app.models.mail import Mail
from app.run import doctor
from tests import factories
from tests.conftest import Configure
from tests.support.certificates import certified
from tests.support.frozen import FrozenClock
from tests.support.mailbox import PASSWORD, USER, Mailbox
from tests.support.ports import free_port

OWNER = "owner@example.com"


@pytest.fixture
def mailbox(sqlite_db: Database, clock: FrozenClock, configure: Configure) -> Iterator[Mailbox]:
    with Mailbox() as listening:
        set_up(configure, listening.url)
        yield listening


def set_up(configure: Configure, url: str) -> None:
    configure(SMTP_URL=url, MAIL_FROM="Salão Ana <shop@example.com>")


def send(db: Database, subject: str = "Choose a password", to: str = OWNER) -> None:
    with db.write() as session:
        assert service.send(session, to, subject, "Hello Ola 👋\n\nhttps://shop.example/x")


def send_all() -> None:
    while postman.send_next():
        pass


def row(db: Database) -> Mail:
    with db.read() as session:
        found = session.scalars(select(Mail)).one()
        session.expunge(found)
        return found


def test_a_mail_is_sent_after_its_commit_and_its_text_is_forgotten(
    sqlite_db: Database, mailbox: Mailbox
) -> None:
    with sqlite_db.write() as session:
        service.send(session, OWNER, "never", "taken back")
        session.rollback()
    send(sqlite_db, "Choose a\r\npassword: é")
    send_all()
    [mail] = mailbox.mails
    assert mail["From"].addresses[0].display_name == "Salão Ana"
    assert (mail["To"], mail["Subject"]) == (OWNER, "Choose a password: é")
    assert mail.get_content().splitlines() == "Hello Ola 👋\n\nhttps://shop.example/x".splitlines()
    assert mail["Auto-Submitted"] == "auto-generated"
    kept = row(sqlite_db)
    assert mail["Message-ID"] == f"<{kept.id}@example.com>"
    assert (kept.state, kept.text, kept.problem) == ("sent", None, None)


def test_without_a_server_nothing_is_written(sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        assert not service.send(session, OWNER, "nobody", "sends this")
        assert session.scalars(select(Mail)).all() == []
    assert not postman.send_next()


def test_a_server_that_is_away_is_tried_again_until_it_takes_the_mail(
    sqlite_db: Database, mailbox: Mailbox, clock: FrozenClock
) -> None:
    mailbox.answer = "451 later"
    send(sqlite_db)
    for seconds in service.RETRY_AFTER:
        send_all()
        assert row(sqlite_db).problem == "451 later"
        clock.move(seconds=seconds - 1)
        assert not postman.send_next()
        clock.move(seconds=1)
    mailbox.answer = "250 taken"
    send_all()
    assert len(mailbox.mails) == 1
    assert row(sqlite_db).attempts == len(service.RETRY_AFTER) + 1


def test_after_a_day_it_is_given_up_and_its_text_is_forgotten(
    sqlite_db: Database, mailbox: Mailbox, configure: Configure, clock: FrozenClock
) -> None:
    set_up(configure, f"smtp://127.0.0.1:{free_port()}")
    send(sqlite_db)
    clock.move(hours=24)
    send_all()
    kept = row(sqlite_db)
    assert (kept.state, kept.text) == ("failed", None)
    assert str(kept.problem).startswith("ConnectionRefusedError")
    clock.move(days=30)
    with sqlite_db.write() as session:
        service.tidy(session)
        assert session.scalars(select(Mail)).all() == []


def test_an_address_that_there_is_not_is_tried_once(sqlite_db: Database, mailbox: Mailbox) -> None:
    mailbox.refused[OWNER] = "550 5.1.1 no such mailbox"
    send(sqlite_db)
    send_all()
    assert (row(sqlite_db).state, row(sqlite_db).problem) == ("failed", "550 5.1.1 no such mailbox")


def test_two_workers_send_it_once_and_a_dead_one_does_not_keep_it(
    db: Database, clock: FrozenClock, configure: Configure
) -> None:
    with Mailbox() as mailbox:
        set_up(configure, mailbox.url)
        with db.write() as session:
            factories.shop(session)
        send(db)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: postman.send_next(), range(8)))
        assert len(mailbox.mails) == 1
        send(db, "held by somebody who dies")
        with db.write() as session:
            assert service.take(session) is not None
        send_all()
        assert len(mailbox.mails) == 1
        clock.move(seconds=service.LEASE.total_seconds())
        send_all()
        assert len(mailbox.mails) == 2


def test_a_server_that_trickles_is_left_and_nobody_waits_for_it(
    sqlite_db: Database, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    monkeypatch.setattr(smtp, "LONGEST", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as trickling, ThreadPoolExecutor(1) as pool:
        set_up(configure, f"smtp://127.0.0.1:{trickling.getsockname()[1]}")
        send(sqlite_db)
        sending = pool.submit(postman.send_next)
        connection, _ = trickling.accept()
        began = time.monotonic()
        with sqlite_db.write() as session:  # it holds no transaction
            factories.shop(session, name="Another name")
        assert time.monotonic() - began < 0.3
        while not sending.done():
            try:
                connection.send(b"2")
            except OSError:
                break
            time.sleep(0.05)
        assert sending.result(timeout=5)
        connection.close()
    assert row(sqlite_db).state == "pending"


def test_a_password_goes_over_tls_alone(
    sqlite_db: Database, clock: FrozenClock, configure: Configure, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    context = certified(tmp_path)
    with Mailbox(context) as mailbox:
        who = f"{USER}:{quote(PASSWORD, safe='')}"
        set_up(configure, f"smtp://{who}@127.0.0.1:{mailbox.port}?tls=starttls")
        send(sqlite_db)
        send_all()
        assert "CERTIFICATE_VERIFY_FAILED" in str(row(sqlite_db).problem)
        assert mailbox.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        clock.move(minutes=1)
        send_all()
        assert (mailbox.over_tls, mailbox.logins) == ([True], [USER])
    with Mailbox() as openly:
        set_up(configure, f"smtp://{who}@127.0.0.1:{openly.port}?tls=starttls")
        send(sqlite_db)
        send_all()
        assert (openly.mails, openly.logins) == ([], [])


def test_the_doctor_logs_in(mailbox: Mailbox, configure: Configure) -> None:
    assert mail_finding().startswith(f"ok 127.0.0.1:{mailbox.port} lets us in")
    set_up(configure, f"smtp://127.0.0.1:{free_port()}")
    assert "FAIL" in mail_finding()
    configure(SMTP_URL=None)
    assert "not set up" in mail_finding()


def mail_finding() -> str:
    finding = doctor.mail_finding(doctor.settings())
    return f"{finding.level} {finding.text}"
