"""The page at /simulator: every number's phone, what goes wrong on demand, and the replies."""

import re
import uuid
from typing import Any

from litestar import Request, Router, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from app import clock
from app.simulator import receipts, store, view
from app.simulator.attachments import THINGS
from app.simulator.core.rules import LONGEST_BODY
from app.simulator.core.templates import CANCEL_LABEL
from app.simulator.faults import catalog
from app.simulator.store import Entry
from app.web import csrf
from app.whatsapp.signature import parse_form

MOST_TIMES = 1000

_UNTYPED = {"number": "", "body": "", "fault": "", "target": "", "times": "1"}
"""What the fields of the page's forms say at first."""

_DIGITS = re.compile(r"[1-9][0-9]{6,14}")
_DECORATION = re.compile(r"[\s().\-/]")

AnyRequest = Request[Any, Any, State]
FormData = NamedDependency[dict[str, str]]


class Wrong(Exception):
    """A form of the page that cannot be used: which field, and what would be right.

    `number` is the chat that was open, and `form` what was typed.
    """

    def __init__(self, field: str, message: str, form: FormData, number: str | None = None) -> None:
        super().__init__(message)
        self.field, self.message, self.form, self.number = field, message, form, number


@get("/", sync_to_thread=True)
def show_phones(request: AnyRequest) -> Template:
    """All phones, none opened."""
    return _page(request, None)


@get("/phones/{digits:str}", sync_to_thread=True)
def show_chat(request: AnyRequest, digits: FromPath[str], answer: FromQuery[str] = "") -> Template:
    """One phone's chat; `answer` is the SID of the message that the next reply quotes. Looking at
    it is what makes its messages "read", as on a real phone: this GET changes something on purpose.
    """
    number = _number(digits)
    if store.look_at(number):
        receipts.wake()
    return _page(request, number, answered=_message_to(number, answer))


@post("/phones", sync_to_thread=True)
def add_phone(form: FormData) -> Redirect:
    """Show a number that has no messages yet, or open its chat if it has."""
    number = _DECORATION.sub("", form.get("number", ""))
    if not (number.startswith("+") and _DIGITS.fullmatch(number[1:])):
        raise Wrong("number", "Write it with its country code, such as +1 202 555 0123.", form)
    store.add_phone(number)
    return _to(number)


@post("/phones/{digits:str}/replies", sync_to_thread=True)
def reply(form: FormData, digits: FromPath[str]) -> Redirect:
    """The customer writes to the shop, maybe as an answer to one message (`answered`, its SID)."""
    number = _number(digits)
    body = form.get("body", "").strip()
    if not 0 < len(body) <= LONGEST_BODY:
        problem = f"Write something, {LONGEST_BODY} characters at the most."
        raise Wrong("body", problem, form, number)
    answered = _message_to(number, form.get("answered", ""))
    _say(number, body, quoted=answered.sid if answered else None)
    return _to(number, "#reply")


@post("/phones/{digits:str}/presses", sync_to_thread=True)
def press(form: FormData, digits: FromPath[str]) -> Redirect:
    """The customer presses the button under the message with the SID `message`."""
    number = _number(digits)
    under = _message_to(number, form.get("message", ""))
    if under is None or under.payload is None:
        raise NotFoundException("There is no such button")
    _say(number, CANCEL_LABEL, quoted=under.sid, payload=under.payload)
    return _to(number, "#reply")


@post("/phones/{digits:str}/things", sync_to_thread=True)
def send_thing(form: FormData, digits: FromPath[str]) -> Redirect:
    """The customer sends something else than a text; a reaction is one to our last message."""
    number = _number(digits)
    name = form.get("thing", "")
    thing = THINGS.get(name)
    if thing is None:
        raise Wrong("thing", "Choose what the customer sends.", form, number)
    ours = (each.sid for each in reversed(store.chat(number)) if each.kind == "message")
    quoted = next(ours, None) if thing.quotes_ours else None
    _say(number, thing.body, quoted=quoted, thing=name)
    return _to(number, "#reply")


@post("/faults", sync_to_thread=True)
def set_fault(form: FormData) -> Redirect:
    """Make messages fail, to one number or to all, so many times or until switched off."""
    number, target = _open_chat(form), _target(form)
    if form.get("fault") not in catalog():
        raise Wrong("fault", "Choose what goes wrong.", form, number)
    times = form.get("times", "").strip()
    is_number = re.fullmatch(r"[0-9]{1,4}", times) and 1 <= int(times) <= MOST_TIMES
    if times and not is_number:
        problem = f"A number from 1 to {MOST_TIMES}, or nothing for “until switched off”."
        raise Wrong("times", problem, form, number)
    store.set_fault(target, form["fault"], int(times) if times else None)
    return _to(number)


@post("/faults/clear", sync_to_thread=True)
def clear_fault(form: FormData) -> Redirect:
    """Switch the fault of one number, or of all, off."""
    store.clear_fault(_target(form))
    return _to(_open_chat(form))


async def _read_form(request: AnyRequest) -> FormData:
    return dict(parse_form(await request.body()).multi_items())


async def _only_from_this_page(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """No posts from other sites. Programs may post: there is no session, and nothing real."""
    csrf.check_origin(connection, only_browsers=False)


def _say(
    number: str,
    body: str,
    quoted: str | None,
    payload: str | None = None,
    thing: str | None = None,
) -> None:
    """Keep a reply, which is delivered at once."""
    store.add(
        "reply", number, body, "new", sid=f"SM{uuid.uuid4().hex}", quoted=quoted, payload=payload,
        thing=thing, next_status="sending", next_at=clock.now(),
    )  # fmt: skip
    receipts.wake()


def _message_to(number: str, sid: str) -> Entry | None:
    entry = store.find(sid) if sid else None
    return entry if entry and (entry.kind, entry.number) == ("message", number) else None


def _show_wrong(request: AnyRequest, wrong: Wrong) -> Template:
    """The same page again, with the sentence beside the field."""
    sid = wrong.form.get("answered", "")
    answered = _message_to(wrong.number, sid) if wrong.number else None
    return _page(request, wrong.number, answered, (wrong.field, wrong.message), wrong.form)


def _page(
    request: AnyRequest,
    number: str | None,
    answered: Entry | None = None,
    wrong: tuple[str, str] | None = None,
    typed: FormData | None = None,
) -> Template:
    """The whole page, or only its board for HTMX; `number` is the phone that is open."""
    is_partial = request.headers.get("HX-Request") == "true"
    return Template(
        f"simulator/{'_board' if is_partial else 'page'}.html",
        context={
            **view.board(number, answered),
            "look": {},
            "wrong": wrong,
            "typed": {**_UNTYPED, **(typed or {})},
        },
        status_code=422 if wrong else 200,
        headers={"Vary": "HX-Request", "Cache-Control": "no-store"},
    )


def _to(number: str | None, fragment: str = "") -> Redirect:
    return Redirect(view.path_of(number) + fragment, status_code=303)


def _open_chat(form: FormData) -> str | None:
    return _number(form["open"].removeprefix("+")) if form.get("open") else None


def _target(form: FormData) -> str:
    target = form.get("target", store.EVERYONE)
    return target if target == store.EVERYONE else _number(target.removeprefix("+"))


def _number(digits: str) -> str:
    if not _DIGITS.fullmatch(digits):
        raise NotFoundException("There is no such phone")
    return f"+{digits}"


_forms = Router(
    path="/",
    route_handlers=[add_phone, reply, press, send_thing, set_fault, clear_fault],
    guards=[_only_from_this_page],
    dependencies={"form": Provide(_read_form)},
)
router = Router(
    path="/",
    route_handlers=[show_phones, show_chat, _forms],
    exception_handlers={Wrong: _show_wrong},
    include_in_schema=False,
)
