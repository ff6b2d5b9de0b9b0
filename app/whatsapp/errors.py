"""What an error code of Twilio's, or a reason of our own, means for a message and for staff.

The facts are in `error_codes.toml`; this module reads them and answers for what is not listed.
"""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

_LONGEST_CODE = 32


class Kind(StrEnum):
    """What to do next with a message that was not accepted."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    CONFIGURATION = "configuration"
    RATE = "rate"
    UNCERTAIN = "uncertain"
    VERIFY = "verify"


@dataclass(frozen=True)
class Advice:
    """One error for staff: `words` say what happened, `advice` what to do about it.

    `opted_out`: the customer wants no more messages (Twilio errors 21610 and 63014).
    `wrong_number`: another number of the customer may cure it. The rest is for the kind RATE.
    `pause`: how many seconds all sending waits, unless Twilio says another; `pause_if_repeated`:
    how many if that does not help, 0 for the same; `until_next_day`: it waits for the next day of
    UTC instead.
    """

    code: str
    kind: Kind
    words: str
    advice: str
    opted_out: bool = False
    wrong_number: bool = False
    pause: float = 5.0
    pause_if_repeated: float = 0.0
    until_next_day: bool = False


def explain(code: int | str | None, *, asynchronous: bool = False) -> Advice:
    """What `code` means; any value is answered, also one nobody has seen before.

    Asynchronous is a code of a `failed` or `undelivered` receipt: there Twilio has finished, so
    nothing is uncertain any more and an unknown code is worth another try.
    """
    name = _clean(code)
    known = _table().get(name)
    if known is None:
        return _unknown(name, asynchronous)
    if asynchronous and known.kind in {Kind.UNCERTAIN, Kind.VERIFY}:
        return Advice(name, Kind.TRANSIENT, known.words, _TRY_AGAIN)
    return known


def is_known(code: int | str | None) -> bool:
    """Whether `error_codes.toml` lists `code`."""
    return _clean(code) in _table()


def is_of_whatsapp(code: str) -> bool:
    """Whether `code` means something that goes wrong after Twilio has accepted a message.

    From 30000 on they are of the delivery, from 63000 on of the channel (Twilio's dictionary).
    """
    return code.isdecimal() and int(code) >= 30_000


_TRY_AGAIN = "Nothing to do: it is tried again by itself."


def _clean(code: int | str | None) -> str:
    """The code as it is shown and stored: it may come from a webhook, so it may be anything."""
    text = "" if code is None else str(code)[:_LONGEST_CODE]
    return "".join(letter for letter in text if letter.isprintable()).strip() or "no code"


def _unknown(code: str, asynchronous: bool) -> Advice:
    if asynchronous:
        return Advice(code, Kind.TRANSIENT, f"Not delivered ({code})", _TRY_AGAIN)
    advice = "Check the booking, then press Retry. If it fails again, call the customer."
    return Advice(code, Kind.PERMANENT, f"Rejected by Twilio ({code})", advice)


@cache
def _table() -> dict[str, Advice]:
    rows = tomllib.loads(Path(__file__).with_name("error_codes.toml").read_text("utf-8"))["reason"]
    return {
        code: Advice(
            code,
            Kind(row["class"]),
            row["words"],
            row["advice"],
            opted_out=row.get("opted_out", False),
            wrong_number=row.get("wrong_number", False),
            pause=row.get("pause", Advice.pause),
            pause_if_repeated=row.get("pause_if_repeated", Advice.pause_if_repeated),
            until_next_day=row.get("until_next_day", Advice.until_next_day),
        )
        for row in rows
        for code in row["codes"]
    }
