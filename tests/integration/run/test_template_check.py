"""What a starting program says about the templates at Twilio, and when it stops sending."""

import os
import socket
import time

import pytest
from click.testing import CliRunner

from app import cli
from app.db import Database
from app.messages import gate
from app.run import template_check
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import TEMPLATES, FakeTwilio
from tests.support.ports import free_port
from tests.support.valkey import Valkey


def breaker(db: Database) -> str | None:
    with db.read() as session:
        return gate.state(session).breaker_code


def test_right_templates_are_nothing_to_talk_about(sqlite_db: Database, twilio: FakeTwilio) -> None:
    assert template_check.troubles(sqlite_db) == []
    assert breaker(sqlite_db) is None


def test_a_wrong_template_for_reminders_stops_sending_at_once(
    db: Database, twilio: FakeTwilio
) -> None:
    twilio.templates[TEMPLATES["reminder"]] = "Hello {{1}}!"

    [line] = template_check.troubles(db)

    assert line.startswith("The reminder template: has {{1}}, for which there is no value; there ")
    assert breaker(db) == "template_variables"


def test_a_template_that_is_not_set_is_said_and_stops_nothing_yet(
    sqlite_db: Database, twilio: FakeTwilio, configure: Configure
) -> None:
    names = [f"WHATSAPP_{kind.upper()}_CONTENT_SID" for kind in TEMPLATES]
    configure(**dict.fromkeys(names))

    lines = template_check.troubles(sqlite_db)

    assert [line.split(" is not set")[0] for line in lines] == [
        "The reminder template: WHATSAPP_REMINDER_CONTENT_SID",
        "The cancellation template: WHATSAPP_CANCELLATION_CONTENT_SID",
    ]
    with sqlite_db.write() as session:
        factories.shop(session, moved_on=True)
    assert len(template_check.troubles(sqlite_db)) == 3
    assert breaker(sqlite_db) is None


@pytest.mark.parametrize("how", ["down", "closed", "silent"])
def test_twilio_being_away_is_said_soon_and_stops_nothing(
    sqlite_db: Database,
    twilio: FakeTwilio,
    configure: Configure,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(template_check, "ANSWERS_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if how == "down":
            twilio.down = True
        elif how == "closed":
            twilio.stop()
        else:
            configure(WHATSAPP_API_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()

        [line] = template_check.troubles(sqlite_db)

        assert line.startswith("The templates at Twilio could not be checked: ")
        assert time.monotonic() - started < 8  # SEND_TIMEOUT is 10
    assert breaker(sqlite_db) is None


def test_a_worker_and_a_web_app_say_it_and_start(
    sqlite_db: Database,
    twilio: FakeTwilio,
    valkey: Valkey,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(PORT=str(free_port()))
    started: list[list[str]] = []
    monkeypatch.setattr(
        os, "execve", lambda path, arguments, environment: started.append(arguments)
    )
    twilio.templates.clear()

    for command in ("worker", "serve"):
        result = CliRunner().invoke(cli.main, [command], catch_exceptions=False)
        expected = f"chairtime: The reminder template: Twilio has no {TEMPLATES['reminder']}\n"
        assert expected in result.stderr

    worker, web = started
    assert worker[0].endswith("/huey_consumer")
    assert web[1:3] == ["-m", "app.run.granian_waits"]
    assert breaker(sqlite_db) == "21655"


def test_the_simulator_needs_no_template(sqlite_db: Database, configure: Configure) -> None:
    configure(WHATSAPP_REMINDER_CONTENT_SID=TEMPLATES["reminder"])
    assert template_check.troubles(sqlite_db) == []
