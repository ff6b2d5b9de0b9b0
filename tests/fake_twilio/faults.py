"""What can go wrong between us and Twilio, and when it does: by script, or by seeded chance."""

import random
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "error",  # an answer with Twilio's JSON error
    "html_503",  # a proxy's 503, not JSON
    "reset_before",  # RST, nothing accepted
    "hang_before",  # no answer, nothing accepted
    "lost_answer",  # accepted, then the connection is closed
    "hang",  # accepted, no answer until release()
    "garbage_201",  # accepted, the answer is not JSON
    "null_sid",  # accepted, the answer's sid is null
    "half_body",  # accepted, the answer ends in the middle
    "trickle",  # accepted, the answer comes a byte each `seconds` (0.3 if 0)
    "slow",  # accepted, the answer comes after `seconds`
]
_REFUSING = {"error", "html_503", "reset_before", "hang_before"}


@dataclass(frozen=True)
class Fault:
    """One fault. `after_accept` makes an `error` or `html_503` lie: the message was accepted."""

    kind: Kind
    http_status: int = 503
    code: int = 20503
    retry_after: float | str | None = None
    seconds: float = 0.0
    after_accept: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"no such fault: {self.kind}")

    @property
    def accepts(self) -> bool:
        return self.after_accept or self.kind not in _REFUSING

    @classmethod
    def error(
        cls,
        http_status: int,
        code: int,
        retry_after: float | str | None = None,
        after_accept: bool = False,
    ) -> "Fault":
        """Twilio's JSON error; `retry_after` is the header's value (seconds or a date)."""
        return cls("error", http_status, code, retry_after, after_accept=after_accept)

    @classmethod
    def slow(cls, seconds: float) -> "Fault":
        return cls("slow", seconds=seconds)


class Faults:
    """Says which fault the next POST to a number gets. Not thread safe: its user holds a lock."""

    def __init__(self) -> None:
        self._scripts: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self._posts: defaultdict[str, int] = defaultdict(int)
        self._seed = 0
        self._odds: dict[Fault, float] = {}

    def script(self, to: str, faults: Iterable[Fault | None]) -> None:
        self._scripts[to].extend(faults)

    def chaos(self, seed: int, odds: Mapping[Fault | Kind, float]) -> None:
        if sum(odds.values()) > 1 + 1e-9 or min(odds.values(), default=0) < 0:
            raise ValueError("probabilities are at least 0 and add up to at most 1")
        self._seed = seed
        self._odds = {(Fault(key) if isinstance(key, str) else key): odds[key] for key in odds}

    def next(self, to: str) -> Fault | None:
        """The fault of this POST: the script's while it lasts, then one by chance."""
        self._posts[to] += 1
        if self._scripts[to]:
            return self._scripts[to].popleft()
        return self._by_chance(f"{self._seed} {to} {self._posts[to]}")

    def _by_chance(self, seed: str) -> Fault | None:
        """Drawn from the seed, the number and its count of POSTs alone, so that a run can be
        repeated however its threads interleave.
        """
        drawn = random.Random(seed).random()
        for fault, probability in self._odds.items():
            drawn -= probability
            if drawn < 0:
                return fault
        return None
