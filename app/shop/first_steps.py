"""Setting up a new shop in a few short steps, each of which may be skipped, and gone back to.

What a step asks is less than what the settings know; it is kept by the services of the settings.
"""

from collections.abc import Mapping, Sequence
from datetime import time
from functools import cache
from importlib.resources import files
from typing import Any

from babel import Locale, UnknownLocaleError
from sqlalchemy.orm import Session

from app.errors import FieldError, Invalid
from app.forms import Form, as_typed, field, one_of
from app.models.shop import Barber, Service, Shop
from app.models.week import DAYS, Week
from app.shop import catalogue, weekly_hours
from app.shop.changes import countries, locales, locked, time_zones
from app.staff.accounts import clean_name

STEPS: Mapping[str, str] = {
    "shop": "Shop",
    "hours": "Hours",
    "services": "Barbers and services",
    "reminders": "Reminders",
    "people": "Sign-in",
}
"""The steps in their order, and what each is called."""

READY = "ready"
"""After the last one: the shop is set up, and nobody has looked at it yet."""

PROPOSED = (
    ("Haircut", 30), ("Skin fade", 45), ("Beard trim", 20), ("Cut and beard", 45),
    ("Cut and shave", 60), ("Hot towel shave", 30), ("Kids cut", 30), ("Wash and cut", 45),
)  # fmt: skip
"""Services that a shop may have, with their minutes."""

MOST_ROWS = 30
"""Barbers, or services, that a step may have."""

_BARBERS = 4  # lines at least
_TIMES = {"opens": "opens", "closes": "closes", "break_from": "break_1_from",
          "break_until": "break_1_until"}  # fmt: skip
_OF_THE_WEEK = {theirs: ours for ours, theirs in _TIMES.items()}


class PlaceForm(Form):
    """The first step. Language and currency follow from the country."""

    @field
    def name(self, typed: str) -> str:
        return clean_name(typed)

    @field
    def country(self, typed: str) -> str | None:
        if not typed:
            raise ValueError("Choose the country.")
        return one_of(typed, countries())

    @field
    def time_zone(self, typed: str) -> str:
        if not typed:
            raise ValueError("Choose the time zone.")
        return one_of(typed, time_zones())

    def columns(self, of: Shop) -> dict[str, Any]:
        """The columns of the shop's row that they mean. Raises Invalid."""
        values = self.checked()
        return {**values, "locale": locale_of(values["country"]) or of.locale}


def begin(session: Session) -> None:
    """The shop is new: the first step is next."""
    locked(session).setup_next = next(iter(STEPS))


def go_on(session: Session, step: str) -> str:
    """This step is done, or left out; returns the one after it."""
    names = [*STEPS, READY]
    following = names[names.index(step) + 1]
    row = locked(session)
    if row.setup_next and names.index(row.setup_next) < names.index(following):
        row.setup_next = following
    return following


def finish(session: Session) -> None:
    """Nothing is asked any more; all of it stays in the settings."""
    locked(session).setup_next = None


def country_of(zone: str) -> str:
    """The country whose time zone that is; empty if there is none such, or for one of several."""
    return _countries_by_zone().get(zone, "")


def locale_of(country: str) -> str:
    """How dates and numbers are written there, in the language that most speak: `de_AT`.

    Empty if it is none of those that fit into the pages.
    """
    try:
        likely = str(Locale.parse(f"und_{country}"))
    except (UnknownLocaleError, ValueError):
        return ""
    short = "_".join([likely.split("_")[0], country])
    fitting = [each for each in locales() if each.endswith(f"_{country}")]
    english = f"en_{country}"
    return next((each for each in (short, english, *fitting) if each in fitting), "")


# --- hours ---


def hours_shown(week: Week) -> dict[str, str]:
    """The fields of the step: the times of the first open day, and on which days they hold."""
    of_week = weekly_hours.shown(week)
    first = next((day for day in DAYS if of_week[f"{day}_opens"]), DAYS[0])
    shown = {ours: of_week[f"{first}_{theirs}"] for ours, theirs in _TIMES.items()}
    return {**shown, **{day: "1" if of_week[f"{day}_opens"] else "" for day in DAYS}}


def hours_typed(typed: Mapping[str, str]) -> Week:
    """The week that the fields mean. Raises Invalid, with the names of the fields."""
    days = [day for day in DAYS if typed.get(day)]
    if not days:
        raise Invalid([FieldError("monday", "Choose at least one day.")])
    of_week = {
        f"{day}_{theirs}": typed.get(ours, "") for day in days for ours, theirs in _TIMES.items()
    }
    if not typed.get("opens", "").strip():
        raise Invalid([FieldError("opens", "Enter when the shop opens.")])
    try:
        return weekly_hours.of_form(of_week)
    except Invalid as invalid:
        errors = {
            _OF_THE_WEEK.get(error.field.partition("_")[2], "closes"): error.message
            for error in invalid.errors
        }
        raise Invalid([FieldError(*each) for each in errors.items()]) from None


def is_simple(week: Week) -> bool:
    """Whether the fields of the step say all of it: each open day alike, with one break at most."""
    open_days = {day for day in week if day}
    return len(open_days) <= 1 and all(len(day) <= 2 for day in week)


# --- barbers and services ---


def catalogue_shown(session: Session) -> dict[str, str]:
    """The fields of the step: those that there are, ticked, and those that are proposed."""
    barbers = _active(catalogue.listed(session, Barber))
    fields: dict[str, str] = {}
    for number in range(max(_BARBERS, len(barbers) + 1)):
        there = barbers[number] if number < len(barbers) else None
        fields |= _row("barber", number, id=there and there.id, name=there and there.name)
    services = _active(catalogue.listed(session, Service))
    known = {each.name.casefold() for each in services}
    rows = [{**catalogue.shown(session, each), "id": each.id, "on": "1"} for each in services] + [
        {"name": name, "minutes": str(minutes)}
        for name, minutes in PROPOSED
        if name.casefold() not in known
    ]
    for number, row in enumerate(rows):
        names = ("id", "on", "name", "minutes", "price")
        fields |= _row("service", number, **{name: row.get(name) for name in names})
    return fields


def save_catalogue(session: Session, typed: Mapping[str, str], actor: str) -> None:
    """Make the shop's barbers and services what was typed: those without a tick, or without a
    name, are deleted, or switched off if they were ever booked.

    Raises Invalid, with the names of the fields.
    """
    errors: list[FieldError] = []
    barbers, services = rows_of(typed, "barber"), rows_of(typed, "service")
    kept: dict[catalogue.Kind, list[tuple[int, dict[str, str]]]] = {
        Barber: [(number, row) for number, row in barbers if row["name"].strip()],
        Service: [(number, row) for number, row in services if row["on"]],
    }
    if not kept[Barber]:
        errors.append(FieldError("barber-0-name", "Somebody has to cut: enter a name."))
    if not kept[Service]:
        errors.append(FieldError("service-0-on", "Choose at least one service."))
    for kind, rows in kept.items():
        ids = {row["id"] for _, row in rows}
        gone = [each for each in _active(catalogue.listed(session, kind)) if each.id not in ids]
        for number, row in rows if not errors else ():
            errors += _saved(session, kind, number, row, actor)
        for each in gone if not errors else ():
            catalogue.remove(session, kind, each.id, actor)
    if errors:
        raise Invalid(errors)


def rows_of(typed: Mapping[str, str], of: str) -> list[tuple[int, dict[str, str]]]:
    """The lines of the step that were sent: `service-3-minutes` is of line 3."""
    names = ("id", "on", "name", "minutes", "price")
    return [
        (number, {name: typed.get(f"{of}-{number}-{name}", "") for name in names})
        for number in range(MOST_ROWS)
        if f"{of}-{number}-name" in typed
    ]


def _saved(
    session: Session, kind: catalogue.Kind, number: int, row: Mapping[str, str], actor: str
) -> list[FieldError]:
    """What is wrong with a line, which else is kept."""
    there = {each.id: each for each in catalogue.listed(session, kind)}.get(row["id"])
    given = {name: row[name] for name in ("name", "minutes", "price")}
    of = kind.__tablename__
    try:
        if there is None:
            catalogue.add(session, kind, {"colour": "", **given}, actor)
        else:
            typed = {**catalogue.shown(session, there), **given}
            catalogue.change(session, kind, there.id, typed, actor)
    except Invalid as invalid:
        return [FieldError(f"{of}-{number}-{each.field}", each.message) for each in invalid.errors]
    return []


def _active(items: Sequence[catalogue.CatalogueItem]) -> list[catalogue.CatalogueItem]:
    return [each for each in items if each.active]


def _row(of: str, number: int, **values: Any) -> dict[str, str]:
    return {f"{of}-{number}-{name}": as_typed(value) for name, value in values.items()}


@cache
def _countries_by_zone() -> dict[str, str]:
    """Of the zones that belong to one country."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return {name: country for country, _, name, *_ in rows}


NIGHT = (time(22), time(8))
"""Quiet hours that are proposed."""
