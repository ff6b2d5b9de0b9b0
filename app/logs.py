"""What is logged: as lines of text, or of JSON if LOG_FORMAT says so; with no phone number in it.

    with logs.about(job_id=job_id):
        _log.warning("…")  # a field of the line, in JSON

`logging.json` says where it goes, for Granian and for the worker alike. Nothing slow is imported
here: Granian's first process imports this alone.
"""

import json
import logging
import logging.config
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

CONFIG = Path(__file__).with_name("logging.json")
FORMATS = ("text", "json")

_TEXT = "[%(levelname)s] %(name)s: %(message)s"
_PHONE = re.compile(
    r"(?:\+|%2[bB])\d[\d ().-]{4,17}\d(?=\d\d)"  # as people write it, with its country code
    r"|(?<![\w.-])\d{7,13}(?=\d\d(?!\w|[.-]\w))"  # as WhatsApp names an account
)
"""All of a number but its last two digits, by which somebody who knows it finds it again."""

_about: ContextVar[Mapping[str, str]] = ContextVar("about")


def set_up() -> None:
    """Log in this process as CONFIG says."""
    logging.config.dictConfig(json.loads(CONFIG.read_text()))


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """What is logged within the block is about that: `request_id`, `job_id`."""
    token = _about.set({**_about.get({}), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def what() -> Mapping[str, str]:
    """What it is about that is done now."""
    return _about.get({})


def masked(text: str) -> str:
    """The same without phone numbers."""
    return _PHONE.sub("•••", text)


def line_of(logger: str, text: str, *, is_shown: bool = False) -> str:
    """A line of the log as it is written, of what another program said.

    What `is_shown` is for whoever starts us: it has no customer's number, and an example is copied.
    """
    if not is_json():
        return text
    time = f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z"
    fields = {"time": time, "level": "INFO", "logger": logger}
    return json.dumps({**fields, "message": text if is_shown else masked(text)}, ensure_ascii=False)


def is_json() -> bool:
    return os.environ.get("LOG_FORMAT", "").strip() == "json"


class About(logging.Filter):
    """Gives each record the fields of what it is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.update(_about.get({}))
        return True


class Formatter(logging.Formatter):
    """One line a record in JSON, or text; its traceback is masked, too."""

    def __init__(self) -> None:
        super().__init__()
        self._inner = _json() if is_json() else logging.Formatter(_TEXT)

    def format(self, record: logging.LogRecord) -> str:
        return masked(self._inner.format(record))


def _json() -> logging.Formatter:
    from pythonjsonlogger.msgspec import MsgspecFormatter

    return MsgspecFormatter(
        ["levelname", "name", "process", "threadName", "message"],
        rename_fields={
            "levelname": "level",
            "name": "logger",
            "threadName": "thread",
            "exc_info": "exception",
        },
        timestamp="time",
    )
