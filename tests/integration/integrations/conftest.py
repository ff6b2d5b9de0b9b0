"""An endpoint that listens, and the worker's rounds, which a test takes one by one."""

from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from typing import Any

import pytest
import standardwebhooks.webhooks

import app.clock
from app.api import events
from app.integrations.courier import Rounds
from tests.integration.conftest import Client
from tests.support.receiver import Receiver

Settle = Callable[[], None]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """It goes by the tests' clock."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return app.clock.now()

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Clock)
    with Receiver() as listening:
        yield listening


@pytest.fixture
def settle() -> Iterator[Settle]:
    """Take rounds until there is nothing left that can be done now."""
    rounds = Rounds(events.bodies)

    def until_calm() -> None:
        while rounds.round():
            rounds.wait()

    yield until_calm
    rounds.finish()


def listen(api: Client, receiver: Receiver, *types: str) -> str:
    """Add the receiver as a webhook, for these events or all; returns its id."""
    body = {"url": receiver.url, **({"events": list(types)} if types else {})}
    answer = api.post("/api/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    receiver.secrets = [answer.json()["secret"]]
    return str(answer.json()["id"])
