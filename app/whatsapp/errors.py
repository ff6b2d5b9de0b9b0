"""What an error code of Twilio's, or a reason of our own, means for a message and for staff.

The facts are in `error_codes.toml`; this module reads them and answers for what is not listed.
"""

import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path

from app.channel import Advice, Kind

_LONGEST_CODE = 32


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
        return replace(known, kind=Kind.TRANSIENT, advice=_TRY_AGAIN)
    return known


def is_known(code: int | str | None) -> bool:
    """Whether `error_codes.toml` lists `code`."""
    return _clean(code) in _table()


def _comes_later(code: str) -> bool:
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
    words, later = f"Rejected by Twilio ({code})", _comes_later(code)
    return Advice(code, Kind.PERMANENT, words, advice, comes_later=later)


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
            comes_later=_comes_later(code),
            pause=row.get("pause", Advice.pause),
            pause_if_repeated=row.get("pause_if_repeated", Advice.pause_if_repeated),
            until_next_day=row.get("until_next_day", Advice.until_next_day),
        )
        for row in rows
        for code in row["codes"]
    }
