"""What must be right before a program starts, and what to say in one line when it is not."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from app import files, redis_pools
from app.db import Database, database
from app.errors import Invalid, Refused
from app.run import migrate
from app.run.trouble import Trouble
from app.settings import Settings, settings
from app.staff import first_run

_CONNECT_WITHIN = 10  # seconds


def explain(error: Exception) -> list[str] | None:
    """A line for each thing that is wrong, None for an error that is nobody's mistake but ours."""
    if isinstance(error, Invalid):
        return [f"{problem.field}: {problem.message}" for problem in error.errors]
    if isinstance(error, Trouble | Refused):
        return [str(error)]
    if isinstance(error, redis.RedisError):
        return [f"REDIS_URL: the queue cannot be used: {_first_line(error)}"]
    if isinstance(error, DBAPIError):
        return _explain_database(error)
    return None


def reachable_database() -> Database:
    """The database, with tables and no migration missing. Raises Trouble and what `connect` does.

    A database that a later Chairtime has migrated is used as it is: it may be updated host by host.
    """
    reached = connect()
    where = migrate.revisions(reached)
    if where.is_pending:
        raise Trouble(
            f"The database is {where}, this Chairtime needs {where.newest}: run `chairtime migrate`"
        )
    return reached


def setup_code(session: Session, env: Settings) -> str | None:
    """What /setup asks for, None once there is an owner. Raises Trouble."""
    try:
        return first_run.setup_code(session, env.state_dir)
    except OSError as error:
        raise Trouble(
            f"STATE_DIR: {env.state_dir} cannot be written: {error.strerror}. It keeps the setup "
            "code until there is an owner: set CHAIRTIME_OWNER_EMAIL and CHAIRTIME_OWNER_PASSWORD, "
            "or STATE_DIR to a folder that can be written"
        ) from error


def connect() -> Database:
    """The database, once it has answered. Raises Trouble."""
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(_CONNECT_WITHIN))
    try:
        known = database()
        with known.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
    except OSError as error:
        raise Trouble(f"DATABASE_URL: {error.filename}: {error.strerror}") from error
    except (OperationalError, InterfaceError) as error:
        raise Trouble(
            f"DATABASE_URL: {_shown(settings().database_url)} cannot be reached: "
            f"{_first_line(error.orig)}"
        ) from error
    except SQLAlchemyError as error:
        raise Trouble(f"DATABASE_URL cannot be used: {_first_line(error)}") from error
    return known


def check_queue(env: Settings) -> None:
    """Raise Trouble unless the queue answers."""
    try:
        pool = redis_pools.pool(env.redis_url)
        pool.connection_kwargs["socket_connect_timeout"] = _CONNECT_WITHIN
        redis.Redis.from_pool(pool).ping()
        pool.disconnect()
    except (redis.RedisError, OSError, ValueError) as error:
        if env.embedded_queue:
            raise Trouble(
                "The queue is not running: `chairtime up` starts one; or set REDIS_URL to your own"
            ) from error
        raise Trouble(f"REDIS_URL: the queue cannot be reached: {_first_line(error)}") from error


def check_folder() -> None:
    """Raise Trouble where our programs would load something else that is called like us."""
    if other := files.hidden_by():
        raise Trouble(
            f"{other} would be taken for Chairtime's own code: start it in another folder"
        )


def check_port(host: str, port: int) -> None:
    """Raise Trouble unless HOST and PORT can be listened on."""
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()  # some systems only refuse this
    except (socket.gaierror, UnicodeError) as error:
        raise Trouble(f"HOST is {host!r}: there is no such host") from error
    except OSError as error:
        raise Trouble(_listening_problem(error, host, port)) from error


@contextmanager
def locked_state_dir(folder: Path) -> Iterator[None]:
    """Hold STATE_DIR for this process alone. Raises Trouble; a killed holder leaves no lock."""
    path = folder / "up.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise Trouble(f"STATE_DIR {folder} cannot be written: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Trouble(
                f"`chairtime up` is running already in STATE_DIR {folder} (process "
                f"{file.read().strip() or 'unknown'}): end it, or set another STATE_DIR"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _listening_problem(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"PORT {port} is in use by another program (`lsof -i :{port}` says which): "
            "end it, or set another PORT"
        )
    if error.errno == errno.EACCES:
        return f"PORT {port} needs administrator's rights: set a PORT of 1024 or more"
    return f"HOST {host} cannot be listened on: {error.strerror}"


def _explain_database(error: DBAPIError) -> list[str] | None:
    text = _first_line(error.orig)
    if "no such table" in text or ('relation "' in text and "does not exist" in text):
        return ["The database has no tables yet: run `chairtime migrate`"]
    if isinstance(error, OperationalError | InterfaceError):
        return [f"DATABASE_URL: the database cannot be used: {text}"]
    return None


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
