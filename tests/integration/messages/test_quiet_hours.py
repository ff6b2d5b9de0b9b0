"""Quiet hours hold from the moment they are set, for everybody, wherever reminders are shown."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import column, select, values

from app import clock as app_clock
from app.bookings import moving, send_now
from app.bookings.moving import Placement
from app.dashboard.beads import reminders_of
from app.dashboard.labels import beads
from app.db import Database, UtcDateTime
from app.messages import gate, quiet, service, statistics, tick
from app.messages.lifecycle import claims
from app.shop.policy import of_shop
from app.shop.service import shop as shop_row
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import Client
from tests.integration.dashboard.test_queue_pages import add_worker
from tests.integration.dashboard.test_settings_pages import RULE
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.valkey import Valkey
from tests.support.web import web_client

NIGHT = ("skipped", "It would have been in quiet hours.")


@pytest.fixture
def tonight(shop: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio) -> str:
    """Booked at 20:30 for 12:30 tomorrow, so every two hours from 22:30; at 20:40 the owner saves
    quiet hours from 21:00 until 08:00.
    """
    clock.set(datetime(2026, 11, 23, 20, 30, tzinfo=UTC))
    booking_id = lifecycle.book(shop, hours=16)
    clock.move(minutes=10)
    save_quiet_hours(shop, "21:00", "08:00")
    return booking_id


def save_quiet_hours(db: Database, begins: str, ends: str) -> None:
    """As the owner does, on the settings page."""
    with web_client() as owner:
        sign_in(owner, db, "owner")
        typed = {**RULE, "quiet_from": begins, "quiet_until": ends}
        assert owner.post("/settings/reminders", data=typed).status_code == 303


def api(db: Database, booking_id: str) -> list[tuple[str, str | None]]:
    with db.read() as session:
        return [(each.state, each.error) for each in service.reminders(session, booking_id)]


def in_beads(db: Database, booking_id: str) -> str:
    with db.read() as session:
        return beads(reminders_of(session, [booking_id])[booking_id], app_clock.now()).summary


def next_times(db: Database) -> list[str]:
    with db.read() as session:
        return [f"{each.due_at:%H:%M}" for each in statistics.next_due(session, 5)]


def page_of(db: Database, booking_id: str) -> str:
    with web_client() as client:
        sign_in(client, db, "viewer")
        html = client.get(f"/bookings/{booking_id}").text
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def test_what_was_planned_for_tonight_is_shown_as_left_out_at_once(
    shop: Database, tonight: str
) -> None:
    assert api(shop, tonight) == [NIGHT] * 5 + [("delayed", None)] * 2
    assert in_beads(shop, tonight) == "5 skipped, 2 planned"
    assert next_times(shop) == ["08:30", "10:30"]
    add_worker(shop)
    page = page_of(shop, tonight)
    assert "0 sent · 2 to go" in page
    assert "Reminder 1 It would have been in quiet hours" in page
    assert "Reminder 6 Goes out in 12 hours" in page


def test_nothing_goes_out_in_the_night_and_the_rest_in_the_morning(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio, tonight: str
) -> None:
    for _ in range(7):
        clock.set(clock.now().replace(minute=30) + timedelta(hours=2))
        tick.tick(tick.Process())
        lifecycle.work()
        for each in lifecycle.messages(shop, tonight):
            lifecycle.run(each.id)
    night = [("skipped", "quiet_hours")] * 5
    assert lifecycle.states(shop, tonight) == night + [("sent", None)] * 2
    assert len(twilio.messages()) == 2


def test_shorter_quiet_hours_bring_back_what_they_would_have_left_out(
    shop: Database, tonight: str
) -> None:
    save_quiet_hours(shop, "23:00", "05:00")
    assert [state for state, _ in api(shop, tonight)] == ["delayed"] + ["skipped"] * 3 + [
        "delayed"
    ] * 3
    save_quiet_hours(shop, "", "")
    assert api(shop, tonight) == [("delayed", None)] * 7


def test_a_reminder_that_quiet_hours_leave_out_takes_nobodys_place(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio, valkey: Valkey
) -> None:
    """One that waits for the morning is still the newest, whatever the night would have had."""
    clock.set(datetime(2026, 11, 23, 18, tzinfo=UTC))
    booking_id = lifecycle.book(shop, hours=14.5)
    with shop.write() as session:
        gate.pause(session, "user:1")
    save_quiet_hours(shop, "21:00", "08:00")
    clock.set(datetime(2026, 11, 23, 22, 1, tzinfo=UTC))
    with shop.write() as session:
        gate.resume(session, "user:1")
    tick.materialize_due()
    tick.skip_ineligible()
    rows = lifecycle.messages(shop, booking_id)
    assert [row.reason for row in rows[:2]] == [None, "quiet_hours"]
    lifecycle.run(rows[0].id)
    assert lifecycle.message(shop, rows[0].id).due_at == datetime(2026, 11, 24, 8, tzinfo=UTC)
    clock.set(datetime(2026, 11, 24, 8, tzinfo=UTC))
    for each in rows:
        lifecycle.run(each.id)
    assert [post.to for post in twilio.messages()] == [lifecycle.HOME]


def test_quiet_hours_that_are_set_while_a_worker_holds_a_reminder_hold_it_too(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio, valkey: Valkey
) -> None:
    clock.set(datetime(2026, 11, 23, 20, 30, tzinfo=UTC))
    job_id = lifecycle.due_message(shop)
    with shop.write() as session:
        taken = claims.claim(session, job_id)
    save_quiet_hours(shop, "20:00", "08:00")
    assert isinstance(taken, claims.Claim)
    with shop.write() as session:
        assert not lifecycle.start(session, taken)
    row = lifecycle.message(shop, job_id)
    assert (row.state, row.reason) == ("skipped", "quiet_hours")


def test_what_staff_ask_for_in_the_night_goes_out_and_is_shown_so(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio, tonight: str
) -> None:
    clock.set(datetime(2026, 11, 23, 23, tzinfo=UTC))
    with shop.write() as session:
        job_id = send_now.remind_now(session, tonight, "user:1")
    assert api(shop, tonight)[-1] == ("waiting", None)
    lifecycle.run(job_id)
    assert lifecycle.message(shop, job_id).state == "sent"


def test_a_move_counts_what_would_have_gone_out(shop: Database, tonight: str) -> None:
    at = lifecycle.booking(shop, tonight).starts_at
    change = moving.preview(shop, tonight, None, Placement(at + timedelta(hours=2), "barber_1"))
    assert change.cancelled == 2


def test_the_settings_page_says_for_whom_quiet_hours_hold(owner: Client) -> None:
    page = owner.get("/settings/reminders").text
    assert "Quiet hours hold from the moment they are saved, also for those already booked." in page


# --- the rule in SQL is the policy's ---

NIGHTS = [(time(22), time(8)), (time(1), time(5)), (time(2, 30), time(3, 15)), (time(0), time(12))]


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: f"{night[0]:%H%M}-{night[1]:%H%M}")
@pytest.mark.parametrize(
    "zone",
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"],
)
def test_sql_and_the_policy_agree_on_what_is_quiet(
    db: Database, clock: FrozenClock, zone: str, night: tuple[time, time]
) -> None:
    moments = [*around_changes(zone), *every(timedelta(hours=29), days=120)]
    with db.write() as session:
        factories.shop(session, time_zone=zone, quiet_from=night[0], quiet_until=night[1])
    with db.read() as session:
        rule = quiet.rule(session)
        assert rule is not None
        policy = of_shop(shop_row(session))
        rows = values(column("at", UtcDateTime()), name="moment").data([(at,) for at in moments])
        moment = rows.cte()
        told = session.execute(select(moment.c.at, quiet.is_quiet(rule, moment.c.at)))
        is_quiet = {at: bool(quiet_then) for at, quiet_then in told}
    assert is_quiet == {at: policy.is_quiet(at) for at in moments}
    assert set(is_quiet.values()) == {True, False}


def every(step: timedelta, days: int) -> Sequence[datetime]:
    first = datetime(2026, 11, 23, tzinfo=UTC)
    return [first + turn * step for turn in range(timedelta(days=days) // step)]


def around_changes(zone: str) -> Sequence[datetime]:
    """Each quarter of an hour of the days on which the zone's clock changes in the next year."""
    first, day = datetime(2026, 11, 23, tzinfo=UTC), timedelta(days=1)
    days = [first + turn * day for turn in range(366)]
    offset = [at.astimezone(ZoneInfo(zone)).utcoffset() for at in [*days, days[-1] + day]]
    changes = [at for turn, at in enumerate(days) if offset[turn] != offset[turn + 1]]
    return [at + turn * timedelta(minutes=15) for at in changes for turn in range(96)]
