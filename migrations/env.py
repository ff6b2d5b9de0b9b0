"""Runs migrations on the database of the settings, or on a connection that the caller hands in."""

from alembic import context
from sqlalchemy import Connection

from app.db import Base, database
from app.models import alarm as _alarm  # noqa: F401
from app.models import conversation as _conversations  # noqa: F401
from app.models import customer as _customers  # noqa: F401
from app.models import imports as _imports  # noqa: F401
from app.models import install as _queue  # noqa: F401
from app.models import integration as _integrations  # noqa: F401
from app.models import mail as _mail  # noqa: F401
from app.models import message as _messages  # noqa: F401
from app.models import plan as _plans  # noqa: F401
from app.models import staff as _staff  # noqa: F401
from app.models import time_off as _time_off  # noqa: F401


def run(connection: Connection) -> None:
    """Migrate in one transaction; SQLite cannot ALTER in place, so it copies tables (batch)."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with database().engine.begin() as connection:
        run(connection)
