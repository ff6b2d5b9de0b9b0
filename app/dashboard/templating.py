"""The templates, what every one of them can use, and one function that renders any of them.

Filters: those of `app.web.times`; `word` and `beads_of` of `app.dashboard.labels` (for a message,
and for the messages of a booking); `booking_word` (for a booking's status); `action_words` (for an
action of the audit log); `field_words` (for a field of a booking); `phone` (+1 202-555-0123, or
`no phone`);
`money` (an amount in a currency: £25); `shown_like` (a time as a shop elsewhere shows it).
Globals: `asset_version` for the `?v=` of a static file, `page_version`, by
which an open page notices an upgrade, `once` (`{{ once(block, cell, day) }}`: what the imported
macro makes of these values, which is kept), and `once_each` (`{{ once_each(block, cells, day) }}`:
of each of the cells).
"""

import hashlib
import re
from collections.abc import Callable, Hashable, Iterable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from jinja2.runtime import Macro
from markupsafe import Markup

from app import clock
from app.customers import phones
from app.dashboard import compiled, labels
from app.files import ROOT
from app.models.message import Message
from app.models.shop import Shop
from app.shop import money
from app.shop.service import time_zone
from app.staff import activity
from app.web import base_path, times

_INDENTED = re.compile("^[ ]+", re.MULTILINE)


class _Template(Template):
    """One whose addresses are below the path of PUBLIC_URL, if it has one."""

    def render(self, *args: Any, **context: Any) -> str:
        return base_path.in_html(super().render(*args, **context))


class _Loader(FileSystemLoader):
    """With one space for each indentation, of which a quarter of a page would else be."""

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, path, is_current = super().get_source(environment, template)
        return _INDENTED.sub(" ", source), path, is_current


class _Environment(Environment):
    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """One dict, which each of a page's fifty includes and imports copies. Nothing is added."""
        return {**self.globals, **(d or {})}


@cache
def environment() -> Environment:
    """Jinja, with our filters. HTML is escaped everywhere; a name that nobody gave is an error."""
    folder = ROOT / "templates"
    jinja = _Environment(
        loader=_Loader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # or each of the forty that a page is made of is looked for each time
    )
    compiled.keep(jinja, folder)
    jinja.template_class = _Template
    shown = (times.clock_time, times.day, times.when, times.ago, times.until)
    texts = (times.clock_text, times.when_text, times.short_day, times.exact, times.local_date)
    plain = (times.amount, times.share, times.zone_name, times.weekday)
    days = (times.date_text, times.days_text, times.month_text)
    spans = (times.span, times.starts_on, times.ends_on, times.starts_on_text, times.ends_on_text)
    jinja.filters |= {each.__name__: each for each in (*shown, *texts, *plain, *days, *spans)}
    jinja.filters |= {"word": _word, "beads_of": _beads, "booking_word": labels.booking_word}
    jinja.filters |= {
        "of_the_clock": times.of_the_clock,
        "phone": _phone,
        "money": _money,
        "shown_like": _shown_like,
        "action_words": activity.words_of,
        "field_words": activity.words_of_field,
    }
    jinja.globals |= {"asset_version": _asset_version()}
    jinja.globals |= {"page_version": page_version(), "once": _once}
    jinja.globals |= {"once_each": _once_each}
    return jinja


def render(template: str, shop: Shop | None, **context: Any) -> str:
    """The template with this context, its times in the shop's zone and language.

    Without a shop (`None`: the database may be away) it shows no times. Needs no request.
    """
    with _shown_for(shop):
        return environment().get_template(template).render(shop=shop, **context)


def _shown_for(shop: Shop | None) -> AbstractContextManager[None]:
    if shop is None:
        return nullcontext()
    return times.shown_in(time_zone(shop), shop.locale, clock.now())


def _phone(number: str | None) -> str:
    return "no phone" if number is None else phones.readable(number)


def _shown_like(at: datetime, shop: Shop) -> str:
    """A day and a time as another shop would show them: one that is still being set up."""
    with times.shown_in(time_zone(shop), shop.locale, at):
        return f"{times.short_day(at)}, {times.clock_text(at)}"


def _money(amount: Decimal, currency: str) -> str:
    return money.words(amount, currency, times.locale())


def _word(message: Message) -> labels.Word:
    return labels.staff_word(message, clock.now())


def _beads(reminders: labels.Reminders) -> labels.Beads:
    return labels.beads(reminders, clock.now())


def _once(macro: Macro, *values: Hashable) -> str:
    """What an imported macro makes of these values, for as long as many others are not asked for.

    They are all that it may show, so that nothing old is ever shown: plain values, which nobody can
    change. Who looks, and the moment, are not there unless they are among them.
    """
    return _made(macro, times.place(), values)


def _once_each(macro: Macro, items: Iterable[Hashable], *values: Hashable) -> str:
    """What `once` returns for each of the items with these values, one after another."""
    place = times.place()
    return Markup("".join([_made(macro, place, (each, *values)) for each in items]))  # noqa: S704


@lru_cache(maxsize=4_000)
def _made(macro: Macro, _place: times.Place, values: tuple[Hashable, ...]) -> str:
    html: str = macro(*values)
    return html


@cache
def page_version() -> str:
    """Changes with any template, style sheet or script: an open page of another one is outdated."""
    return _digest([*_assets(), *sorted((ROOT / "templates").rglob("*.html"))])


def _asset_version() -> str:
    """Changes with any style sheet or script, so that browsers keep the rest."""
    return _digest(_assets())


def _assets() -> list[Path]:
    static = ROOT / "static"
    return [
        *sorted(static.glob("css/**/*.css")),
        *sorted(static.glob("js/*")),
        static / "icons.svg",
    ]


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]
