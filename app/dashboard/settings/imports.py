"""Settings: customers and bookings out of another program's file, and both as CSV; for owners."""

from functools import partial
from typing import Annotated, Any

from litestar import Response, Router, get, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException
from litestar.params import PathParameter
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy.orm import Session

from app import db
from app.dashboard.forms import AS_IT_IS, FormState, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action
from app.errors import FieldError, Invalid
from app.imports import export, matching, service
from app.imports.matching import FIELDS, Kind, Matching
from app.imports.reading import CHARSETS, DELIMITERS, MOST_BYTES, MOST_ROWS
from app.imports.spelling import ORDERS
from app.models.imports import UNDER_WAY, Import
from app.models.shop import Barber, Service
from app.shop.catalogue import booked, listed
from app.web.csv_files import Download
from app.web.field_names import first_of_each

HERE = "/settings/import"

_AROUND = 20_000  # bytes of a form around its file
_ENDURED = 200_000_000  # bytes that are read to the end, so that a browser hears the answer
_SHOWN = 20  # rows that are wrong
_FOUND = ("wrong", "new", "changes", "same")

ImportId = Annotated[
    str, PathParameter(pattern=r"^import_[0-9A-Z]{26}$", description="An import's id.")
]


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show_imports(request: PageRequest) -> Response[str]:
    """Upload a file, or download one; the last imports."""
    return _imports(request)


@post(HERE, opt={"access": "owner"}, request_max_body_size=None)
async def upload(request: PageRequest) -> Response[str]:
    """Take a file in; a worker checks it."""
    try:
        sent = await request.form()
    except HTTPException as error:
        if error.status_code != HTTP_413_REQUEST_ENTITY_TOO_LARGE:
            raise
        return await sync_to_thread(_imports, request, FormState(422, {}, _too_large()))
    file, kind = sent.get("file"), sent.get("kind")
    name = file.filename if isinstance(file, UploadFile) else ""
    content = await file.read() if isinstance(file, UploadFile) else b""
    of_kind: Kind = "bookings" if kind == "bookings" else "customers"
    return await sync_to_thread(_upload, request, of_kind, name, content)


@get(f"{HERE}/{{import_id:str}}", opt={"access": "owner"}, sync_to_thread=True)
def show_import(request: PageRequest, import_id: ImportId) -> Response[str]:
    """How a file is read, what becomes of its rows, and how far it is."""
    with db.database().read() as session:
        row = service.get(session, import_id)
        context = _context(session, row)
    return page(
        request, "settings/import.html", partial="settings/_import.html", row=row, **context
    )


@get(f"{HERE}/{{import_id:str}}/rows.csv", opt={"access": "owner"}, sync_to_thread=True)
def show_rows(import_id: ImportId) -> Download:
    """What becomes of each row."""
    with db.database().read() as session:
        service.get(session, import_id)
    return Download("rows", partial(export.rows_csv, import_id=import_id))


@post(f"{HERE}/{{import_id:str}}/match", opt={"access": "owner"}, sync_to_thread=True)
def match(request: PageRequest, import_id: ImportId, form: FormData) -> Response[str]:
    """Read the file in another way, and check it again."""

    def act(session: Session) -> str:
        service.match(session, import_id, form)
        return "Checking again."

    return run_action(request, f"{HERE}/{import_id}", act)


@post(f"{HERE}/{{import_id:str}}/start", opt={"access": "owner"}, sync_to_thread=True)
def start(request: PageRequest, import_id: ImportId, form: FormData) -> Response[str]:
    """Import what was checked."""

    def act(session: Session) -> str:
        service.start(
            session,
            import_id,
            only_good=form.get("rows") != "all",
            messages=form.get("messages") != "no",
            actor=request.user.actor,
        )
        return "The import has begun."

    return run_action(request, f"{HERE}/{import_id}", act)


@post(f"{HERE}/{{import_id:str}}/undo", opt={"access": "owner"}, sync_to_thread=True)
def undo(request: PageRequest, import_id: ImportId) -> Response[str]:
    """Take back what it made."""

    def act(session: Session) -> str:
        service.undo(session, import_id, request.user.actor)
        return "The import is being undone."

    return run_action(request, f"{HERE}/{import_id}", act)


@post(f"{HERE}/{{import_id:str}}/discard", opt={"access": "owner"}, sync_to_thread=True)
def discard(request: PageRequest, import_id: ImportId) -> Response[str]:
    """Forget a file of which nothing was imported."""

    def act(session: Session) -> str:
        service.discard(session, import_id)
        return "The file is forgotten. Nothing was imported."

    return run_action(request, HERE, act)


@get("/settings/export/customers.csv", opt={"access": "owner"}, sync_to_thread=True)
def export_customers() -> Download:
    """All customers."""
    return Download("customers", export.customers_csv)


@get("/settings/export/bookings.csv", opt={"access": "owner"}, sync_to_thread=True)
def export_bookings() -> Download:
    """All bookings."""
    return Download("bookings", export.bookings_csv)


def _imports(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        rows = service.recent(session)
    return page(
        request,
        "settings/imports.html",
        imports=rows,
        most_rows=MOST_ROWS,
        most_megabytes=MOST_BYTES // 1_000_000,
        **state.context({"kind": "customers"}),
    )


def _upload(request: PageRequest, kind: Kind, name: str, content: bytes) -> Response[str]:
    def act(session: Session) -> Response[str]:
        if not name:
            raise Invalid([FieldError("file", "Choose a CSV file.")])
        row = service.upload(session, kind, name, content, request.user.actor)
        return redirect(request, f"{HERE}/{row.id}")

    return submit({"kind": kind}, act, partial(_imports, request))


def _context(session: Session, row: Import) -> dict[str, Any]:
    kind: Kind = "customers" if row.kind == "customers" else "bookings"
    how = Matching.of_json(row.matching)
    found = service.counts(session, row.id)
    return {
        "how": how,
        "fields": FIELDS[kind],
        "missing": matching.wrong(how, kind) if row.state == "checked" else {},
        "is_under_way": row.state in UNDER_WAY,
        "found": {fate: found.get(fate, 0) for fate in (*_FOUND, "made", "kept", "undone")},
        "wrong": service.rows(session, row.id, "wrong", most=_SHOWN),
        "can_be_undone": service.can_be_undone(row),
        "undo_days": service.UNDO_FOR.days,
        "charsets": list(CHARSETS.items()),
        "delimiters": list(DELIMITERS.items()),
        "orders": list(ORDERS.items()),
        "items": {"service": booked(session, Service), "barber": listed(session, Barber)},
    }


def _too_large() -> dict[str, str]:
    most = MOST_BYTES // 1_000_000
    says = f"This file is larger than {most} MB. Split it, and upload the parts."
    return first_of_each(Invalid([FieldError("file", says)]))


class _TooLarge(HTTPException):
    status_code = HTTP_413_REQUEST_ENTITY_TOO_LARGE


def patient(app: ASGIApp) -> ASGIApp:
    """A middleware: a body that is too large is read to its end, and kept nowhere, before it is
    refused. Who is answered in the middle of sending sees an error of the network instead.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def counted() -> Any:
            nonlocal size
            message = await receive()
            size += _size(message)
            if size <= MOST_BYTES + _AROUND:
                return message
            while message.get("more_body") and size < _ENDURED:
                message = await receive()
                size += _size(message)
            raise _TooLarge

        await app(scope, counted, send)

    return handle


def _size(message: Any) -> int:
    return len(message.get("body", b""))


router = Router(
    "/",
    route_handlers=[
        *(show_imports, upload, show_import, show_rows, match, start, undo, discard),
        *(export_customers, export_bookings),
    ],
    middleware=[patient],
    include_in_schema=False,
)
