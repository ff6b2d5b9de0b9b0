"""Two installs on one Redis: neither takes what belongs to the other."""

from pathlib import Path

import pytest
from sqlalchemy import select, text

import app.db
from app.db import Database
from app.messages import enqueue, rate_limit
from app.models.install import Install
from app.queue.huey import huey
from app.run import migrate
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import due_message, enqueued, revocations, work
from tests.support.valkey import Valkey

pytestmark = pytest.mark.usefixtures("clock")


def another(configure: Configure, folder: Path) -> Database:
    """A second install, made as the first was; from now on it is this process's own."""
    configure(DATABASE_URL=f"sqlite:///{folder / 'another.db'}")
    migrate.upgrade(app.db.database())
    return app.db.database()


def test_each_install_takes_only_its_own_tasks_and_counts_only_its_own_messages(
    db: Database,
    valkey: Valkey,
    twilio: FakeTwilio,
    configure: Configure,
    tmp_path: Path,
) -> None:
    ours = due_message(db)
    assert enqueue.enqueue_due() == 1
    assert rate_limit.wait(1)
    huey.revoke_by_id("x", revoke_once=True)
    assert enqueued() == [ours]
    with db.read() as session:
        name = f"chairtime_{session.scalars(select(Install.queue_id)).one()}"
    keys = valkey.client.keys("*")
    assert len(keys) == 3
    assert all(name.encode() in key for key in keys)
    url = app.db.settings().database_url

    theirs = due_message(another(configure, tmp_path))
    assert (enqueued(), revocations(), huey.is_revoked("x")) == ([], [], False)
    assert enqueue.enqueue_due() == 1
    assert enqueued() == [theirs]
    assert work() == 1
    assert len(twilio.messages()) == 1

    configure(DATABASE_URL=url)
    assert enqueued() == [ours]


def test_the_name_may_be_set(sqlite_db: Database, valkey: Valkey, configure: Configure) -> None:
    configure(QUEUE_NAME="shop_2")
    due_message(sqlite_db)
    assert enqueue.enqueue_due() == 1
    assert valkey.client.keys("*") == [b"huey.redis.shop_2"]


def test_an_install_without_its_database_yet_has_its_queue_once_it_has_one(
    valkey: Valkey, configure: Configure, tmp_path: Path
) -> None:
    configure(DATABASE_URL=f"sqlite:///{tmp_path / 'another.db'}")
    with pytest.raises(app.db.OperationalError):
        huey.pending_count()
    migrate.upgrade(app.db.database())
    assert huey.pending_count() == 0


def test_what_was_in_the_queue_of_the_old_name_is_handed_over_by_the_first_tick(
    db: Database, valkey: Valkey, clock: FrozenClock
) -> None:
    job_id = due_message(db, enqueued_at=clock.now())
    statement = Path(migrate.__file__).parents[2] / "migrations/versions/20261128_the_install.py"
    assert enqueue.enqueue_due() == 0
    [update] = [
        line.split('"')[1] for line in statement.read_text().splitlines() if "fed_at = NULL" in line
    ]
    with db.write() as session:
        session.execute(text(update.replace("fed_at", "enqueued_at")))  # its name since 0014
    assert enqueue.enqueue_due() == 1
    assert enqueued() == [job_id]
