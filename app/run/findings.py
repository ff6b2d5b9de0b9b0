"""One line of the report of `chairtime doctor`."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """One line of the report: `text` says how it is and, if that is bad, what to do."""

    level: Level
    subject: str
    text: str

    @property
    def has_failed(self) -> bool:
        return self.level == "FAIL"

    def __str__(self) -> str:
        return f"{self.level:4}  {self.subject}: {self.text}"
