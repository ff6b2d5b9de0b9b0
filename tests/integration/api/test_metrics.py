"""What Prometheus scrapes is what the rows say, and what the process has answered."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from app.db import Database
from app.messages import gate
from app.models.message import DailySent, Message, Worker
from tests import factories
from tests.conftest import Configure
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.ports import free_port
from tests.support.valkey import Valkey
from tests.support.web import web_client

DOCS = Path(__file__).parents[3] / "docs"
ALERTS = DOCS / "monitoring" / "alerts.yml"
METRIC = r"\bchairtime_[a-z_]+"

Labels = frozenset[tuple[str, str]]
Scrape = dict[tuple[str, Labels], float]


def scraped(api: Client) -> Scrape:
    """Every value, by its name and labels."""
    answer = api.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation.endswith(".") for family in families)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def of(scrape: Scrape, name: str, **labels: Any) -> float | None:
    """A value, None if it is not there."""
    wanted = frozenset((label, str(value)) for label, value in labels.items())
    return scrape.get((f"chairtime_{name}", wanted))


def test_a_new_shop_has_nothing_to_do(sqlite_api: Client) -> None:
    scrape = scraped(sqlite_api)
    for state in ("delayed", "waiting", "active", "failed"):
        assert of(scrape, "messages", state=state) == 0
    for name in ("messages_sent_total", "messages_uncertain", "messages_doubled_recently"):
        assert of(scrape, name) == 0
    assert of(scrape, "oldest_due_seconds") == 0
    assert of(scrape, "message_lateness_seconds_bucket", le="+Inf") == 0
    assert of(scrape, "workers") == 0
    assert of(scrape, "sending", state="ok") == 1
    assert not [name for name, _ in scrape if name == "chairtime_messages_ended_recently"]


def test_the_messages_are_counted_by_state_and_reason(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    now = clock.now()
    with shop.write() as session:
        booking = factories.booking(session)
        factories.message(session, booking, "pending", due_at=now + timedelta(hours=1))
        factories.message(session, booking, "pending", due_at=now - timedelta(seconds=90))
        factories.message(session, booking, "uncertain")
        factories.message(session, factories.booking(session), "sending")
        for _ in range(2):
            factories.message(session, booking, "failed")
        factories.message(session, booking, "failed", updated_at=now - timedelta(minutes=6))
        factories.message(session, booking, "skipped")
        factories.message(session, booking, "cancelled")
        session.add(DailySent(day=now.date(), messages=7))
    scrape = scraped(api)
    states = ("delayed", "waiting", "active", "failed")
    counted = [of(scrape, "messages", state=state) for state in states]
    assert counted == [1, 1, 2, 3]
    assert of(scrape, "messages_sent_total") == 7
    assert of(scrape, "messages_uncertain") == 1
    assert of(scrape, "oldest_due_seconds") == 90
    ended = {labels: value for (name, labels), value in scrape.items() if "ended" in name}
    assert ended == {
        frozenset({("state", "failed"), ("reason", "refused"), ("code", "63024")}): 2,
        frozenset({("state", "skipped"), ("reason", "superseded"), ("code", "")}): 1,
        frozenset({("state", "cancelled"), ("reason", "booking_cancelled"), ("code", "")}): 1,
    }


def test_lateness_is_of_the_last_minutes_and_a_double_shows_for_as_long(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        booking = factories.booking(session)
        for late, ago in ((0.2, 10), (4, 20), (7200, 30), (50, 301)):
            at = clock.now() - timedelta(seconds=ago)
            due = at - timedelta(seconds=late)
            factories.message(session, booking, "sent", sent_at=at, due_at=due, updated_at=at)
    scrape = scraped(api)
    assert of(scrape, "messages_doubled_recently") == 0
    name = "message_lateness_seconds"
    bounds = ("0.5", "2.5", "5.0", "3600.0", "+Inf")
    assert [of(scrape, f"{name}_bucket", le=le) for le in bounds] == [1, 1, 2, 2, 3]
    assert (of(scrape, f"{name}_gsum"), of(scrape, f"{name}_gcount")) == (7204.2, 3)

    with shop.write() as session:
        session.execute(update(Message).values(doubled=True))
    assert of(scraped(api), "messages_doubled_recently") == 3, "the fourth was changed before"


def test_it_says_why_nothing_goes_out_and_which_workers_live(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    now = clock.now()
    with shop.write() as session:
        gate.pause(session, "user:1")
        for pid, ago in ((7, 5), (8, 61)):
            seen, born = now - timedelta(seconds=ago), now - timedelta(hours=1)
            row = {"host": "shop-1", "pid": pid, "started_at": born, "seen_at": seen}
            session.add(Worker(id=f"w{pid}", threads=16, **row))
    scrape = scraped(api)
    holds = {dict(labels)["state"] for (name, labels), value in scrape.items()
             if name == "chairtime_sending" and value}  # fmt: skip
    assert holds == {"paused"}
    assert of(scrape, "workers") == 1
    assert of(scrape, "worker_seen_seconds_ago", host="shop-1", pid=7) == 5
    assert of(scrape, "worker_running_seconds", host="shop-1", pid=7) == 3600

    with shop.write() as session:
        gate.resume(session, "user:1")
        gate.stop(session, "20003")
    assert of(scraped(api), "sending", state="stopped") == 1


def test_the_queues_depth_is_there_while_it_answers(sqlite_api: Client, valkey: Valkey) -> None:
    scrape = scraped(sqlite_api)
    assert of(scrape, "queue_up") == 1
    assert of(scrape, "queue_tasks", kind="ready") == of(scrape, "queue_tasks", kind="scheduled")
    valkey.stop()
    scrape = scraped(sqlite_api)
    assert of(scrape, "queue_up") == 0
    assert of(scrape, "queue_tasks", kind="ready") is None


def test_requests_are_counted_by_the_template_of_their_route(sqlite_api: Client) -> None:
    """What is made up by callers must not become a label: there would be no end of them."""
    route = {"method": "GET", "route": "/api/bookings/{booking_id}", "status": 404}
    nowhere = {"method": "GET", "route": "none", "status": 404}
    strange = {"method": "other", "route": "none"}
    name = "http_request_seconds_count"
    before = scraped(sqlite_api)
    for path in ("/api/bookings/booking_1", "/api/bookings/booking_2", "/a", "/b", "/c"):
        sqlite_api.get(path)
    sqlite_api.request("BREW", "/coffee")
    after = scraped(sqlite_api)

    def more(labels: dict[str, Any]) -> float:
        return (of(after, name, **labels) or 0) - (of(before, name, **labels) or 0)

    assert (more(route), more(nowhere)) == (2, 3)
    new = {labels for found, labels in after if found == f"chairtime_{name}" and more(dict(labels))}
    assert len([labels for labels in new if strange.items() <= set(labels)]) == 1
    assert of(after, "database_connections_in_use") == 0


def test_prometheus_may_ask_for_openmetrics(sqlite_api: Client) -> None:
    accept = "application/openmetrics-text; version=1.0.0"
    answer = sqlite_api.get("/metrics", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith(accept)
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("scope", ["read", "write"])
def test_any_token_may_read_them_and_nobody_else(sqlite_api: Client, scope: str) -> None:
    from app.db import database

    with database().write() as session:
        factories.api_token(session, "p" * 40, scope=scope)
    bearer = {"Authorization": f"Bearer {'p' * 40}", "Host": "10.0.0.9:3000"}
    assert sqlite_api.get("/metrics", headers=bearer).status_code == 200
    assert sqlite_api.get("/metrics", headers=bearer | {"Authorization": ""}).status_code == 401


def families(api: Client) -> set[str]:
    return set(re.findall(rf"^# TYPE ({METRIC})", api.get("/metrics").text, re.MULTILINE))


def test_each_metric_is_described_and_each_that_is_described_is_there(sqlite_api: Client) -> None:
    described = re.findall(rf"^\| `({METRIC})", (DOCS / "monitoring.md").read_text(), re.MULTILINE)
    gauge_histogram = {"chairtime_message_lateness_seconds_gsum",
                       "chairtime_message_lateness_seconds_gcount"}  # fmt: skip
    assert families(sqlite_api) - gauge_histogram == set(described)


def test_each_alert_asks_for_metrics_that_are_there_and_says_what_to_do(
    sqlite_api: Client,
) -> None:
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    there = families(sqlite_api)
    for rule in group["rules"]:
        for name in re.findall(METRIC, rule["expr"]):
            assert name.removesuffix("_bucket").removesuffix("_count") in there, rule["alert"]
        assert set(rule["labels"]) == {"severity"}
        assert rule["annotations"]["summary"]
    rows = re.findall(r"^\| (Chairtime\w+) \|", (DOCS / "monitoring.md").read_text(), re.MULTILINE)
    assert rows == [rule["alert"] for rule in group["rules"]]


def test_each_query_of_the_dashboard_asks_for_metrics_that_are_there(sqlite_api: Client) -> None:
    dashboard = json.loads((DOCS / "monitoring" / "grafana.json").read_text())
    suffixed = re.compile(r"_(bucket|count|total)$")
    there = {suffixed.sub("", name) for name in families(sqlite_api)}
    asked: set[str] = set()
    for panel in dashboard["panels"]:
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        for target in panel["targets"]:
            names = {suffixed.sub("", name) for name in re.findall(METRIC, target["expr"])}
            assert names, panel["title"]
            assert names <= there, panel["title"]
            assert target["expr"].count('job="$job"') == len(re.findall(METRIC, target["expr"]))
            asked |= names
    gauge_histogram = {name for name in there if name.endswith(("_gsum", "_gcount"))}
    assert there - gauge_histogram == asked


def test_a_port_of_their_own_needs_no_token_and_has_nothing_else(
    sqlite_shop: Database, valkey: Valkey, configure: Configure
) -> None:
    port = free_port()
    configure(METRICS_PORT=str(port))
    with web_client() as client:
        assert client.get("/metrics").status_code == 401
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
        assert answer.status_code == 200
        assert "\nchairtime_workers 0.0\n" in answer.text
        for path in ("/", "/api/bookings", "/metrics/"):
            assert httpx.get(f"http://127.0.0.1:{port}{path}").status_code == 404
        assert httpx.post(f"http://127.0.0.1:{port}/metrics").status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")
