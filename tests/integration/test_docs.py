"""The documentation agrees with the project: links, names, pictures, lists, the SQL to paste."""

import re
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest
from sqlalchemy import func, select, text

from app import clock
from app.cli import main
from app.db import Database
from app.messages import compose, delivery, gate, planned, tick
from app.messages.languages import ENGLISH
from app.messages.lifecycle import claims, materialize, outcomes, plans
from app.messages.reconciliation import uncertain
from app.models.message import STATES, Attempt, Message
from app.models.plan import QuietHours, ReminderTimes
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio

ROOT = Path(__file__).parents[2]
DOCS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
DEPLOY = [path for path in sorted((ROOT / "docs" / "deploy").iterdir()) if path.is_file()]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
WHATSAPP = (ROOT / "docs" / "whatsapp.md").read_text()
RUNBOOK = (ROOT / "docs" / "reminder-worker-runbook.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TEMPLATE = "HX" + "1" * 32
# Written like variables, and none of ours.
NOT_OURS = {
    "ENQUEUE_WINDOW", "CURRENT_TIMESTAMP", "ON_ERROR_STOP", "SSL_CERT_FILE",
    "AF_INET", "AF_INET6", "AF_UNIX",
    "GRANIAN_LOG_ACCESS_ENABLED", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "EMAIL_HOST", "EMAIL_URL", "MAILER_DSN", "SMTP_HOST", "SMTP_SECURITY", "SMTP_SERVER",
}  # fmt: skip


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def wrong(pattern: str, is_right: Callable[[Path, str], bool], of: list[Path] = DOCS) -> list[str]:
    """What the documents name by a pattern and there is not, each with its document."""
    return [
        f"{named(document)}: {name}"
        for document in of
        for name in re.findall(pattern, document.read_text(), re.MULTILINE)
        if not is_right(document, name)
    ]


# --- names ---


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    assert wrong(r"\]\((?!https?:|mailto:)([^)\s]+)\)", leads_somewhere) == []


def leads_somewhere(document: Path, target: str) -> bool:
    file, _, heading = target.partition("#")
    there = (document.parent / file).resolve() if file else document
    return there.exists() and (not heading or heading in headings(there))


def headings(document: Path) -> set[str]:
    """The anchors that a Markdown file's headings get."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_file_that_is_named_is_there() -> None:
    pattern = r"`((?:app|tests|docs|migrations|static|templates)/[\w./-]+)`"
    assert wrong(pattern, lambda _, name: (ROOT / name).exists()) == []


def test_every_decision_has_a_number_of_its_own_and_is_in_the_list() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert len({each.name[:4] for each in decisions}) == len(decisions)
    titles = [each.read_text().split("\n", 1)[0].removeprefix("# ") for each in decisions]
    listed = (ROOT / "docs" / "adr" / "README.md").read_text()
    rows = re.findall(r"^\| \[(\d+)\]\((\d+-[\w-]+\.md)\) \| (.*) \|$", listed, re.MULTILINE)
    assert [(f"{number}. {title}", name) for number, name, title in rows] == [
        (title, each.name) for title, each in zip(titles, decisions, strict=True)
    ]


def test_every_variable_that_is_named_is_in_the_example() -> None:
    known = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    pattern = r"\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b"
    assert wrong(pattern, lambda _, name: name in known | NOT_OURS, [*DOCS, *DEPLOY]) == []


def test_every_make_target_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert wrong(r"(?:`|^|=\S+ )make ([a-z0-9-]+)", lambda _, name: name in targets) == []


def test_every_subcommand_that_is_named_is_there() -> None:
    pattern = r"(?:`|bin/|exec \w+ |run --rm \w+ |^)chairtime ((?:[a-z]+ ?){1,2})"
    assert wrong(pattern, is_a_command, [*DOCS, *DEPLOY]) == []


def is_a_command(_: Path, words: str) -> bool:
    name, _, second = words.strip().partition(" ")
    command = main.commands.get(name)
    return (
        second in command.commands if isinstance(command, click.Group) and second else bool(command)
    )


# --- the templates ---


def test_the_templates_to_make_at_twilio_are_our_texts_with_all_the_variables_that_there_are() -> (
    None
):
    bodies = re.findall(r"```\n(Hello .*?)\n```", WHATSAPP, re.DOTALL)
    assert bodies == [compose.as_template(body) for body in ENGLISH.texts.values()]
    sampled = re.findall(r"^ *\| `\{\{(\w+)\}\}` \|", WHATSAPP, re.MULTILINE)
    assert sorted(sampled) == sorted(compose.VARIABLES)


# --- the picture ---


def test_the_picture_is_the_contract_of_the_imports_and_the_table_names_every_package() -> None:
    contract, *_ = PYPROJECT["tool"]["importlinter"]["contracts"]
    [picture] = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert re.findall(r'\["(.*?)"\]', picture) == contract["layers"]
    first_page = ARCHITECTURE.partition("\n## ")[0]
    packages = set(re.findall(r"\w+", " ".join(contract["layers"])))
    assert packages - set(re.findall(r"`app/(\w+)(?:/|\.py)`", first_page)) == set()


def test_the_state_diagram_and_the_table_name_real_states_and_functions() -> None:
    [diagram] = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", ARCHITECTURE, re.DOTALL)
    states = re.findall(r"(\w+)(?= -->)|(?<=--> )(\w+)", diagram)
    assert {state for pair in states for state in pair if state} == set(STATES)
    modules = {
        "plans": plans, "claims": claims, "outcomes": outcomes, "materialize": materialize,
    }  # fmt: skip
    names = "|".join(modules)
    for module, function in re.findall(rf"`({names})\.(\w+)`", ARCHITECTURE):
        assert hasattr(modules[module], function), f"{module}.{function}"
    for words in re.findall(r": ([a-z_, ]+)(?: \(.*\))?$", diagram, re.MULTILINE):
        for function in words.split(", "):
            assert any(hasattr(module, function) for module in modules.values()), function


# --- how to add something ---


@pytest.mark.parametrize(
    "section", CONTRIBUTING.split("\n### ")[1:], ids=lambda text: text.partition("\n")[0]
)
def test_a_list_of_files_is_what_its_command_finds_for_its_example(section: str) -> None:
    [command] = re.findall(r"^```sh\n(.*?)```", section, re.MULTILINE | re.DOTALL)
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    starts = [line.partition(":")[0] for line in re.findall(r"^- (.*)$", section, re.MULTILINE)]
    assert sorted(re.findall(r"`(.*?)`", " ".join(starts))) == sorted(set(done.stdout.split()))


# --- SQL of the runbook ---


def restore_section() -> str:
    [section] = re.findall(r"^## Restoring a backup$(.*?)^## ", RUNBOOK, re.MULTILINE | re.DOTALL)
    return str(section)


def test_every_other_statement_of_the_runbook_runs_on_both_databases(db: Database) -> None:
    rest = RUNBOOK.replace(restore_section(), "")
    blocks = re.findall(r"^```sql\n(.*?)```", rest, re.MULTILINE | re.DOTALL)
    updates = re.findall(r"`(UPDATE [^`]*;)`", rest)
    assert len(blocks) >= 4
    assert len(updates) >= 3
    with db.write() as session:
        for statement in ";".join([*blocks, *updates]).split(";"):
            if statement.strip():
                session.execute(text(statement))
    with db.read() as session:
        assert gate.state(session).breaker_code is None


# --- restoring a backup ---


@pytest.fixture
def restored(
    postgres_db: Database, twilio: FakeTwilio, configure: Configure, valkey: object
) -> Database:
    """A database as a backup leaves it, with a template as every real shop has one."""
    twilio.templates = {TEMPLATE: "Hello {{customerName}}, on {{dateTime}}."}
    configure(
        **(twilio.environment | {"WHATSAPP_REMINDER_CONTENT_SID": TEMPLATE}),
        UNCERTAIN_QUIET="0.1",
        SEND_TIMEOUT="1",
        SEND_LEASE="30",
    )
    return postgres_db


def run_the_sql_of_the_runbook(database: Database) -> None:
    [statements] = re.findall(r"```sql\n(.*?)```", restore_section(), re.DOTALL)
    with database.engine.begin() as connection:
        for statement in statements.split(";"):
            if statement.strip():
                connection.execute(text(statement))


def overdue(database: Database) -> str:
    with database.write() as session:
        booking = factories.booking(session)
        due = clock.now() - timedelta(minutes=10)
        return factories.message(session, booking, due_at=due, planned_for=due).id


def state(database: Database, job_id: str) -> tuple[str, bool]:
    with database.read() as session:
        message = session.get_one(Message, job_id)
        return message.state, message.doubled


def forget(database: Database, job_id: str, **backed_up: object) -> None:
    """Take back what was sent, as a backup of the time before does."""
    with database.write() as session:
        session.execute(text("DELETE FROM attempt WHERE message_id = :id"), {"id": job_id})
        message = session.get_one(Message, job_id)
        values = {"sid": None, "sent_at": None, "ask_at": None, "attempts": 0, "attempt_id": None}
        values |= backed_up
        for name, value in values.items():
            setattr(message, name, value)


def test_after_a_restore_what_was_sent_since_the_backup_is_not_sent_again(
    restored: Database, twilio: FakeTwilio
) -> None:
    sent, unsent = overdue(restored), overdue(restored)
    due = clock.now() - timedelta(seconds=5)
    delivery.deliver(sent)
    forget(restored, sent, state="pending", delivery_status=None, delivery_rank=0, due_at=due)

    run_the_sql_of_the_runbook(restored)
    delivery.deliver(sent)
    delivery.deliver(unsent)

    assert len(twilio.posts()) == 2
    assert state(restored, sent) == state(restored, unsent) == ("sent", False)


def test_after_a_restore_what_was_just_claimed_is_looked_up(
    restored: Database, twilio: FakeTwilio
) -> None:
    job_id = overdue(restored)
    delivery.deliver(job_id)
    [phone] = {message.to for message in twilio.messages()}
    claim = {
        "state": "sending",
        "attempt_id": "00000000-0000-4000-8000-000000000001",
        "sending_to": phone,
        "lease_until": clock.now() - timedelta(seconds=1),
        "due_at": clock.now() - timedelta(seconds=5),
        "delivery_status": None,
        "delivery_rank": 0,
    }
    forget(restored, job_id, **claim)

    run_the_sql_of_the_runbook(restored)
    tick.expire_leases()
    assert state(restored, job_id)[0] == "uncertain"
    with restored.write() as session:
        session.execute(text("UPDATE message SET check_at = now() - interval '1 second'"))
    uncertain.settle_due()

    assert state(restored, job_id) == ("sent", False)
    assert len(twilio.posts()) == 1


@pytest.mark.parametrize("own", [None, (0, 2, 4)], ids=["every", "own times"])
def test_after_a_restore_a_reminder_that_was_still_arithmetic_is_not_sent_again(
    restored: Database, twilio: FakeTwilio, own: tuple[int, ...] | None
) -> None:
    """Sent since the backup, in which it was a part of its plan."""
    night = QuietHours(time(0), time(23, 59, 59), ZoneInfo("UTC"))
    with restored.write() as session:
        due = clock.now() - timedelta(minutes=10)
        after = own and tuple(timedelta(hours=each) for each in own)
        plan = ReminderTimes(due, timedelta(hours=2), count=3, own_after=after)
        booking_id = factories.booking(session).id
        materialize.make(session, booking_id, plan)
        silent = factories.booking(session).id
        materialize.make(session, silent, replace(plan, quiet_hours=night))
    job_id = f"{booking_id}-reminder-1"
    delivery.deliver(job_id)
    with restored.write() as session:
        for table in ("attempt", "message"):
            session.execute(text(f"DELETE FROM {table}"))
        back = "UPDATE plan SET next_number = 1, next_at = first_at, to_come = 3"
        session.execute(text(f"{back} WHERE booking_id = '{booking_id}'"))

    run_the_sql_of_the_runbook(restored)
    tick.materialize_due()
    delivery.deliver(job_id)

    assert len(twilio.posts()) == 1
    assert state(restored, job_id) == ("sent", False)
    with restored.read() as session:
        stored = session.scalars(select(Message.id)).all()
        shown = planned.messages_of(session, booking_id)
    assert stored == [job_id]
    assert [(each.number, each.state) for each in shown] == [
        (1, "sent"), (2, "pending"), (3, "pending"),
    ]  # fmt: skip


def test_without_the_sql_a_restore_doubles(restored: Database, twilio: FakeTwilio) -> None:
    job_id = overdue(restored)
    delivery.deliver(job_id)
    forget(restored, job_id, state="pending", delivery_status=None, delivery_rank=0)

    delivery.deliver(job_id)

    assert len(twilio.posts()) == 2
    with restored.read() as session:
        assert session.scalar(select(func.count()).select_from(Attempt)) == 1
