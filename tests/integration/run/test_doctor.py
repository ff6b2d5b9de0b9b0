"""`chairtime doctor`: one line for each thing, with what to do; status 1 if one fails."""

from datetime import timedelta

import pytest
from click.testing import CliRunner

from app import clock as app_clock
from app.cli import main
from app.db import Database
from app.messages import gate
from app.messages.compose import as_template
from app.messages.languages import ENGLISH
from app.models.message import Worker
from app.run import doctor
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import SANDBOX, FakeTwilio, MessagingService, Template
from tests.fake_twilio.templates import CANCEL_BUTTON
from tests.support.valkey import Valkey

REMINDER = "HX" + "1" * 32
AS_OURS = as_template(ENGLISH.texts["reminder"])


def report() -> dict[str, str]:
    """Every line of the report but its subject, by subject."""
    return {finding.subject: f"{finding.level} {finding.text}" for finding in doctor.examine()}


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
    twilio.inbound_url = f"{doctor.settings().public_url}/webhooks/twilio/inbound"
    result = CliRunner().invoke(main, ["doctor"], catch_exceptions=False)

    assert result.exit_code == 0, result.output
    levels = {line.split()[0] for line in result.output.splitlines()}
    assert levels == {"ok"}
    assert "ok    database: " in result.output
    assert "ok    queue: answers, keeps an append-only file" in result.output
    assert "ok    worker: 1 seen in the last minute, 3 s ago" in result.output
    assert "ok    whatsapp: Twilio knows our account" in result.output
    approved = "template: approved, with the words of our text"
    assert f"ok    reminder {approved}, with a button to cancel\n" in result.output
    assert f"ok    cancellation {approved}\n" in result.output
    assert "ok    replies: what customers write comes to http" in result.output
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

    findings = report()

    assert findings["database"].startswith("FAIL SQLite, empty, ")
    assert "run `chairtime migrate`" in findings["database"]
    assert "worker" not in findings


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

    findings = report()

    assert findings["database"].startswith("FAIL DATABASE_URL: postgresql+psycopg://shop:***@")
    assert findings["queue"].startswith("ok")
    assert findings["whatsapp"].startswith("ok")


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


# --- the templates ---


def template_report(twilio: FakeTwilio, template: Template | str) -> str:
    """The doctor's line on the reminders' template if it is this one."""
    twilio.templates[REMINDER] = template
    return report()["reminder template"]


@pytest.fixture
def reminder(
    sqlite_db: Database, configure: Configure, valkey: Valkey, twilio: FakeTwilio
) -> Database:
    """A shop whose reminders go by the template REMINDER."""
    configure(WHATSAPP_REMINDER_CONTENT_SID=REMINDER)
    return sqlite_db


def test_a_template_that_is_not_set_or_not_there_fails_and_names_its_variable(
    reminder: Database, configure: Configure
) -> None:
    assert report()["reminder template"] == (
        f"FAIL Twilio has no {REMINDER}: correct WHATSAPP_REMINDER_CONTENT_SID, or the template "
        "at Twilio"
    )
    configure(WHATSAPP_REMINDER_CONTENT_SID=None)
    assert report()["reminder template"].startswith("FAIL set WHATSAPP_REMINDER_CONTENT_SID")


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (Template(AS_OURS, CANCEL_BUTTON), "ok approved, with the words of our text, with a "),
        (Template(AS_OURS), "ok approved, with the words of our text"),
        ("Hello {{customerName}}", "warn its words are not those of the shop's text"),
        ("Hello {{1}} at {{2}}", "FAIL has {{1}}, {{2}}, for which there is no value; there are "),
        (Template(AS_OURS, "cancel"), "warn its button sends back no booking: give it the id {{"),
        (Template(AS_OURS, category="MARKETING"), "warn its category is MARKETING"),
        (Template(AS_OURS, status="pending"), f"FAIL WhatsApp has not approved {REMINDER}: it is "),
        (Template(AS_OURS, status="paused"), f"FAIL WhatsApp has not approved {REMINDER}: it is "),
    ],
)
def test_a_template_must_be_approved_say_what_we_say_and_have_variables_that_we_know(
    reminder: Database, twilio: FakeTwilio, template: Template | str, line: str
) -> None:
    assert template_report(twilio, template).startswith(line)


def test_the_words_of_a_template_are_compared_with_the_shops_own_text(
    reminder: Database, twilio: FakeTwilio
) -> None:
    with reminder.write() as session:
        factories.shop(session, reminder_text="Hi {customerName}: {formattedDateTime}!")
    assert template_report(twilio, AS_OURS).startswith("warn its words")
    assert template_report(twilio, "Hi {{customerName}}: {{dateTime}}!").startswith("ok")


def test_a_template_is_wanted_for_a_confirmation_only_if_the_shop_sends_it(
    reminder: Database, configure: Configure
) -> None:
    configure(WHATSAPP_CONFIRMATION_CONTENT_SID=None, WHATSAPP_MOVED_CONTENT_SID=None)
    assert not {"confirmation template", "moved template"} & report().keys()
    with reminder.write() as session:
        factories.shop(session, confirmation_on=True)
    findings = report()
    assert findings["confirmation template"].startswith(
        "FAIL set WHATSAPP_CONFIRMATION_CONTENT_SID"
    )
    assert "moved template" not in findings


# --- what customers write ---


def test_the_sender_must_call_our_webhook(
    sqlite_db: Database, valkey: Valkey, twilio: FakeTwilio
) -> None:
    expected = f"{doctor.settings().public_url}/webhooks/twilio/inbound"
    assert report()["replies"] == (
        f"FAIL the WhatsApp sender calls nothing for what customers write: enter POST {expected}"
    )
    twilio.inbound_url = "https://demo.example/reply"
    assert "calls POST https://demo.example/reply for what customers" in report()["replies"]
    twilio.inbound_url = f"{expected}#rc=3&rp=ct,rt,5xx"
    assert report()["replies"] == f"ok what customers write comes to {expected}"
    twilio.sender_status = "OFFLINE"
    assert report()["replies"].startswith("FAIL the WhatsApp sender is OFFLINE")


def test_a_messaging_service_with_our_sender_may_swallow_cancel_and_may_call_elsewhere(
    sqlite_db: Database, valkey: Valkey, twilio: FakeTwilio
) -> None:
    expected = twilio.inbound_url = f"{doctor.settings().public_url}/webhooks/twilio/inbound"
    assert "opt-out" not in report()

    twilio.services = [MessagingService("Marketing")]
    findings = report()
    assert findings["replies"].startswith("ok")
    assert findings["opt-out"].startswith("warn the sender is in the Messaging Service 'Marketing'")
    assert "take CANCEL out of its opt-out keywords" in findings["opt-out"]

    twilio.services = [MessagingService("Marketing", "https://demo.example", defers=False)]
    assert "Messaging Service 'Marketing' calls POST https://demo.example" in report()["replies"]
    twilio.services = [MessagingService("Marketing", expected, defers=False)]
    assert report()["replies"].startswith("ok")


def test_the_sandbox_is_a_warning_and_another_number_fails(
    sqlite_db: Database, configure: Configure, valkey: Valkey, twilio: FakeTwilio
) -> None:
    configure(WHATSAPP_FROM_NUMBER="+15550009999")
    assert report()["replies"].startswith("FAIL WHATSAPP_FROM_NUMBER is no WhatsApp sender")
    twilio.sender = SANDBOX
    configure(WHATSAPP_FROM_NUMBER=SANDBOX)
    assert report()["replies"].startswith("warn the sandbox reaches only numbers that have joined")


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
    finding = doctor.public_url_finding(_with_real_twilio(configure))
    assert finding.level == "warn"
    assert "set PUBLIC_URL" in finding.text


def test_a_clock_that_differs_fails(sqlite_db: Database) -> None:
    assert doctor.clock_finding("the database's", 4.9).level == "ok"
    assert str(doctor.clock_finding("the database's", -61.0)) == (
        "FAIL  clock: this clock is 61 s behind the database's: set up NTP on both machines"
    )


def _with_real_twilio(configure: Configure) -> doctor.Settings:
    configure(WHATSAPP_API_URL=None)
    return doctor.settings()


def test_sending_that_is_paused_or_stopped_fails_and_says_what_to_do(sqlite_db: Database) -> None:
    add_worker(sqlite_db, seconds_ago=1)
    with sqlite_db.write() as session:
        gate.pause(session, "user:1")
    assert "paused by staff" in report()["sending"]

    with sqlite_db.write() as session:
        gate.resume(session, "user:1")
        gate.stop(session, "20003")
    finding = report()["sending"]
    assert finding.startswith("FAIL")
    assert "Twilio refused our login (20003); the next probe is at" in finding

    with sqlite_db.write() as session:
        gate.go(session)
    assert "neither paused nor stopped" in report()["sending"]

    with sqlite_db.write() as session:
        until = gate.slow_down(session, app_clock.now() + timedelta(minutes=15))
    assert report()["sending"].startswith("warn")
    assert f"waits until {until:%Y-%m-%d %H:%M} UTC" in report()["sending"]
