"""When a booking's reminders are due: what `app.reminders` makes and `app.messages` stores."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Plan:
    """When reminders are due, and which were left out for quiet hours: UTC, earliest first."""

    times: tuple[datetime, ...]
    quiet: tuple[datetime, ...] = ()
