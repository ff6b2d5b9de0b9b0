"""The page of failed sends: why, and what to do; a retry of one, of some, or of all of a reason."""

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from litestar import Response, Router, get, post
from litestar.params import FromQuery
from sqlalchemy.orm import Session

from app import db
from app.bookings import phone_corrections
from app.bookings.phone_corrections import Scope
from app.dashboard.shell import FormData, PageRequest, is_partial, live_page, page, redirect, toast
from app.errors import Conflict, Invalid
from app.messages import failures, service
from app.messages.failures import Failure, Group, Retried
from app.web.addresses import ours, with_query
from app.web.field_names import typed_in
from app.web.parameters import JOB_ID, JobId

SHOWN = 8
"""Messages of a reason that are shown beside the other reasons."""

MOST_SHOWN = 100
"""Those of a reason that is looked at alone."""


@get("/failed", opt={"access": "viewer"}, sync_to_thread=True)
def show(
    request: PageRequest, code: FromQuery[str] = "", message: FromQuery[str] = ""
) -> Response[str]:
    """What failed, by reason; with `code`, of this reason alone, but all of it.

    The one whose job id is `message` is shown among however many, ready to be corrected.
    """
    return live_page(
        request, "failed/page.html", "failed/_failed.html", lambda: _context(code, message)
    )


@post("/failed/retry", opt={"access": "staff"}, sync_to_thread=True)
def retry_many(request: PageRequest, form: FormData) -> Response[str]:
    """Retry the messages in `id`, or all that failed for the reason `code`."""
    code = form.get("code", "")
    job_ids = [each for each in form.getall("id", []) if re.fullmatch(JOB_ID, each)]
    if not job_ids and not code:
        return _back(request, form, "Select the messages to retry first.", bad=True)
    with db.database().write() as session:
        chosen = failures.job_ids_of(session, code) if code else job_ids
        retried = failures.retry_many(session, chosen, request.user.actor)
    return _back(request, form, in_words(retried), bad=not retried.done)


@post("/failed/dismiss", opt={"access": "staff"}, sync_to_thread=True)
def dismiss_past(request: PageRequest, form: FormData) -> Response[str]:
    """Dismiss what no retry would help any more."""
    with db.database().write() as session:
        number = failures.dismiss_past(session, request.user.actor)
    said = f"{number} dismissed." if number else "There was nothing left to dismiss."
    return _back(request, form, said)


@post("/messages/{job_id:str}/dismiss", opt={"access": "staff"}, sync_to_thread=True)
def dismiss(request: PageRequest, job_id: JobId, form: FormData) -> Response[str]:
    """Nobody needs to see it as failed any more; it stays in its booking's timeline."""
    with db.database().write() as session:
        is_done = failures.dismiss(session, [job_id], request.user.actor)
    if not is_done:
        return _back(
            request, form, "It is not failed any more, or was dismissed already.", bad=True
        )
    return _back(request, form, "Dismissed.", undo=f"/messages/{job_id}/restore")


@post("/messages/{job_id:str}/restore", opt={"access": "staff"}, sync_to_thread=True)
def restore(request: PageRequest, job_id: JobId, form: FormData) -> Response[str]:
    """Take a dismissal back."""
    with db.database().write() as session:
        is_done = failures.restore(session, job_id, request.user.actor)
    said = "Back among the failed sends." if is_done else "It was not dismissed."
    return _back(request, form, said, bad=not is_done)


@post("/messages/{job_id:str}/retry", opt={"access": "staff"}, sync_to_thread=True)
def retry(request: PageRequest, job_id: JobId, form: FormData) -> Response[str]:
    """Try one again, now, and go back to the page in `next`."""

    def act(session: Session) -> str:
        service.retry(session, job_id, request.user.actor)
        return "Retrying now."

    return _act(request, form, act)


@post("/messages/{job_id:str}/correct", opt={"access": "staff"}, sync_to_thread=True)
def correct(request: PageRequest, job_id: JobId, form: FormData) -> Response[str]:
    """Put the customer's number right, and retry; what is wrong with `phone` stands beside it."""
    phone = form.get("phone", "")

    def act(session: Session) -> str:
        scope: Scope = "name" if "others" in form else "one"
        refusal = phone_corrections.correct_and_retry(
            session, job_id, phone, request.user.actor, scope
        )
        onwards = f"Not retried: {_within(refusal)}." if refusal else "Retrying now."
        return f"Number corrected. {onwards}"

    try:
        return _act(request, form, act)
    except Invalid as invalid:
        return _again(request, job_id, form, invalid.errors[0].message)


def in_words(retried: Retried) -> str:
    """What came of it: `2 retried · 1 not: the appointment has begun`."""
    parts = [f"{count} not: {_within(why)}" for why, count in retried.refused.items()]
    if retried.done:
        parts.insert(0, f"{retried.done} retried")
    return " · ".join(parts) or "Nothing is left to retry."


def _act(request: PageRequest, form: FormData, act: Callable[[Session], str]) -> Response[str]:
    try:
        with db.database().write() as session:
            done = act(session)
    except Conflict as conflict:
        return _back(request, form, f"Not retried: {_within(conflict.detail)}.", bad=True)
    return _back(request, form, done)


def _back(
    request: PageRequest, form: FormData, text: str, undo: str | None = None, *, bad: bool = False
) -> Response[str]:
    """The page that the form was on, with what was done."""
    onwards = form.get("next", "")
    if is_partial(request) and not onwards:
        return toast(_page(request, form.get("shown", "")), text, undo, bad=bad)
    return toast(redirect(request, ours(onwards) or "/failed"), text, undo, bad=bad)


def _page(request: PageRequest, code: str) -> Response[str]:
    shown = _context(code, "")
    return page(request, "failed/page.html", partial="failed/_failed.html", **shown)


def _again(request: PageRequest, job_id: str, form: FormData, problem: str) -> Response[str]:
    """The form of a number that was wrong, with what was typed."""
    typed = {"job_id": job_id, "problem": problem, **typed_in(form, "phone", "others")}
    shown = _context("", job_id, typed)
    retryable = [each for group in shown["groups"] for each in group.failures]
    failures_shown = [*retryable, *shown["past"]]
    failure = next((each for each in failures_shown if each.message.id == job_id), None)
    if failure is None:
        return toast(redirect(request, "/failed"), "Somebody else has just retried it.", bad=True)
    answer = page(
        request,
        "failed/page.html",
        partial="failed/_correct.html",
        status=422,
        failure=failure,
        **shown,
    )
    answer.headers.update({"HX-Retarget": f"#correct-{job_id}", "HX-Reswap": "outerHTML"})
    return answer


def _context(code: str, wanted: str, typed: dict[str, str] | None = None) -> dict[str, Any]:
    """What the page shows: all reasons, or the one with this `code` while there is something."""
    with db.database().read() as session:
        groups = failures.groups(session)
        past = failures.past(session)
    alone = [group for group in groups if group.advice.code == code]
    code = code if alone else ""
    return {
        "groups": alone or groups,
        "past": past,
        "past_why": Counter(service.REASONS[str(each.skip_reason)] for each in past),
        "past_days": failures.SHOWN_FOR.days,
        "advice_of": service.advice_of,
        "code": code,
        "wanted": wanted,
        "address": with_query("/failed", {"code": code, "message": wanted}),
        "shown_of": partial(_shown, MOST_SHOWN if alone else SHOWN, wanted),
        "most_shown": MOST_SHOWN,
        "at_most": failures.AT_MOST,
        "is_cut": sum(len(group.failures) for group in groups) == failures.AT_MOST,
        "reasons": service.REASONS,
        "typed": typed or typed_in({}, "job_id", "problem", "phone", "others"),
    }


def _shown(most: int, always: str, group: Group) -> list[Failure]:
    first, rest = group.failures[:most], group.failures[most:]
    return first + [each for each in rest if each.message.id == always]


def _within(sentence: str) -> str:
    """A sentence as a part of another."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


router = Router(
    "/",
    route_handlers=[show, retry_many, dismiss_past, retry, correct, dismiss, restore],
    include_in_schema=False,
)
