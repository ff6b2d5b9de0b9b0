"""Databases at the newest revision: to migrate one takes seconds, to copy it nothing."""

import fcntl
import os
import shutil
from pathlib import Path
from uuid import uuid4

from sqlalchemy import update

from app.db import Database
from app.models.install import Install
from app.run import migrate


def migrate_url(url: str) -> None:
    """Bring the database there to the newest revision."""
    database = Database(url)
    migrate.upgrade(database)
    database.close()


def copy_migrated(path: Path) -> None:
    """Make a migrated SQLite database there: a copy of one that all processes of a run share."""
    shared = Path(os.environ["CHAIRTIME_SHARED_BY_TESTS"])
    made = shared / "migrated.db"
    with (shared / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            migrate_url(f"sqlite:///{shared / 'new.db'}")
            (shared / "new.db").rename(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, path)


def give_own_queue(url: str) -> None:
    """Make an install of its own of a copied database: no other has its queue."""
    database = Database(url)
    with database.write() as session:
        session.execute(update(Install).values(queue_id=uuid4().hex[:12]))
    database.close()
