"""`chairtime doctor`: one line for each thing, with what to do; status 1 if one fails."""

from datetime import timedelta

import pytest
from click.testing import CliRunner

from app import clock as app_clock
from app import doctor
from app.cli import main
from app.db import Database
from app.messages import sender
from app.messages.models import Worker
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio
from tests.support.valkey import Valkey

REMINDER = "HX" + "1" * 32


def report() -> dict[str, str]:
    """Every line of the report but its subject, by subject."""
    return {found.subject: f"{found.level} {found.text}" for found in doctor.examine()}


def add_worker(db: Database, seconds_ago: float) -> None:
    at = app_clock.now() - timedelta(seconds=seconds_ago)
    with db.write() as session:
        session.add(
            Worker(id=f"w{seconds_ago}", host="h", pid=1, threads=16, started_at=at, seen_at=at)
        )


def test_a_healthy_install_is_all_ok_and_the_status_is_zero(
    db: Database, valkey: Valkey, twilio: FakeTwilio
) -> None:
    add_worker(db, seconds_ago=3)
    result = CliRunner().invoke(main, ["doctor"], catch_exceptions=False)

    assert result.exit_code == 0, result.output
    levels = {line.split()[0] for line in result.output.splitlines()}
    assert levels == {"ok", "warn"}  # no templates are set
    assert "ok    database: " in result.output
    assert "ok    queue: answers, keeps an append-only file" in result.output
    assert "ok    worker: 1 seen in the last minute, 3 s ago" in result.output
    assert "ok    whatsapp: Twilio knows our account" in result.output
    assert ("ok    clock: " in result.output) == (not db.is_sqlite)


def test_a_worker_that_was_not_seen_for_a_minute_fails_and_the_status_is_one(
    sqlite_db: Database, valkey: Valkey, twilio: FakeTwilio
) -> None:
    assert "none was ever seen" in report()["worker"]
    add_worker(sqlite_db, seconds_ago=61)

    result = CliRunner().invoke(main, ["doctor"], catch_exceptions=False)

    assert result.exit_code == 1
    assert "FAIL  worker: last seen 20" in result.output
    assert "start `chairtime worker`" in result.output


def test_pending_migrations_fail(
    configure: Configure, tmp_path: object, valkey: Valkey, twilio: FakeTwilio
) -> None:
    configure(DATABASE_URL=f"sqlite:///{tmp_path}/new.db")

    found = report()

    assert found["database"].startswith("FAIL SQLite, empty, ")
    assert "run `chairtime migrate`" in found["database"]
    assert "worker" not in found


def test_a_database_of_a_later_chairtime_is_a_warning(
    sqlite_db: Database, valkey: Valkey, twilio: FakeTwilio
) -> None:
    with sqlite_db.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    assert report()["database"].startswith("warn SQLite, at revision 9999, later than ")


def test_an_unreachable_database_fails_and_the_rest_is_still_examined(
    configure: Configure, valkey: Valkey, twilio: FakeTwilio
) -> None:
    configure(DATABASE_URL="postgresql://shop:hunter2@127.0.0.1:1/shop")

    found = report()

    assert found["database"].startswith("FAIL DATABASE_URL: postgresql+psycopg://shop:***@")
    assert found["queue"].startswith("ok")
    assert found["whatsapp"].startswith("ok")


def test_an_unreachable_queue_fails(
    sqlite_db: Database, configure: Configure, twilio: FakeTwilio
) -> None:
    configure(REDIS_URL="redis://127.0.0.1:1/0")

    assert report()["queue"].startswith("FAIL REDIS_URL: the queue cannot be reached: ")


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("appendonly", "no", "set `appendonly yes`"),
        ("maxmemory-policy", "allkeys-lru", "set `maxmemory-policy noeviction`"),
    ],
)
def test_a_queue_that_may_lose_what_it_holds_is_a_warning(
    sqlite_db: Database, valkey: Valkey, twilio: FakeTwilio, option: str, value: str, remedy: str
) -> None:
    before = {"appendonly": "yes", "maxmemory-policy": "noeviction"}[option]
    valkey.client.config_set(option, value)
    try:
        assert report()["queue"].startswith("warn")
        assert remedy in report()["queue"]
    finally:
        valkey.client.config_set(option, before)


def test_wrong_credentials_fail_and_name_the_variables(
    sqlite_db: Database, configure: Configure, valkey: Valkey, twilio: FakeTwilio
) -> None:
    configure(WHATSAPP_AUTH_TOKEN="0" * 32)

    assert report()["whatsapp"] == (
        "FAIL Twilio refuses WHATSAPP_ACCOUNT_SID and WHATSAPP_AUTH_TOKEN: copy both anew"
    )


def test_without_templates_twilio_is_a_warning(
    sqlite_db: Database, valkey: Valkey, twilio: FakeTwilio
) -> None:
    assert report()["reminder template"].startswith("warn set WHATSAPP_REMINDER_CONTENT_SID")


def test_a_template_must_be_there_and_have_the_variables_of_the_text(
    sqlite_db: Database, configure: Configure, valkey: Valkey, twilio: FakeTwilio
) -> None:
    configure(WHATSAPP_REMINDER_CONTENT_SID=REMINDER)
    assert report()["reminder template"] == (
        f"FAIL Twilio has no {REMINDER}: correct WHATSAPP_REMINDER_CONTENT_SID"
    )

    twilio.templates[REMINDER] = "Hello {{customerName}}"
    found = report()["reminder template"]
    assert found.startswith("FAIL has the variables customerName, our text has barberName, ")

    variables = "{{customerName}} {{dateTime}} {{serviceName}} {{barberName}} {{timeUntil}}"
    twilio.templates[REMINDER] = variables
    assert report()["reminder template"].startswith("ok")

    with sqlite_db.write() as session:
        factories.shop(session, reminder_text="Hi {customerName}")
    assert report()["reminder template"].startswith("FAIL")
    twilio.templates[REMINDER] = "Hello {{customerName}}"
    assert report()["reminder template"].startswith("ok")


def test_settings_that_are_wrong_are_a_line_each_and_nothing_else_is_tried(
    configure: Configure,
) -> None:
    configure(PORT="x", FEED_EVERY="0")

    result = CliRunner().invoke(main, ["doctor"], catch_exceptions=False)

    assert result.exit_code == 1
    assert [line.split()[:3] for line in result.output.splitlines()] == [
        ["FAIL", "settings:", "PORT"],
        ["FAIL", "settings:", "FEED_EVERY"],
    ]


def test_a_public_url_that_twilio_cannot_reach_is_a_warning_in_development(
    sqlite_db: Database, configure: Configure, valkey: Valkey, twilio: FakeTwilio
) -> None:
    assert report()["public URL"].startswith("ok")
    found = doctor._public_url(_with_real_twilio(configure))
    assert found.level == "warn"
    assert "set PUBLIC_URL" in found.text


def test_a_clock_that_differs_fails(sqlite_db: Database) -> None:
    assert doctor._clock("the database's", 4.9).level == "ok"
    assert str(doctor._clock("the database's", -61.0)) == (
        "FAIL  clock: this clock is 61 s behind the database's: set up NTP on both machines"
    )


def _with_real_twilio(configure: Configure) -> doctor.Settings:
    configure(WHATSAPP_API_URL=None)
    return doctor.settings()


def test_sending_that_is_paused_or_stopped_fails_and_says_what_to_do(sqlite_db: Database) -> None:
    add_worker(sqlite_db, seconds_ago=1)
    with sqlite_db.write() as session:
        sender.pause(session, "user:1")
    assert "paused by staff" in report()["sending"]

    with sqlite_db.write() as session:
        sender.resume(session, "user:1")
        sender.stop(session, "20003")
    found = report()["sending"]
    assert found.startswith("FAIL")
    assert "Twilio refused our login (20003); the next probe is at" in found

    with sqlite_db.write() as session:
        sender.go(session)
    assert "neither paused nor stopped" in report()["sending"]
