"""Customers over JSON.

Their id is made of that of their first booking, or of who was imported and has none, their own: a
person is known by their number alone, and no phone number is in an address.
"""

from functools import partial
from typing import Annotated, Literal, cast, get_args

from litestar import Response, Router, get, patch
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.orm import Session

from app import db
from app.api.fields import Email, Name, Notes, Phone
from app.bookings import by_customer, customer_changes, search
from app.bookings.by_customer import CustomerSummary
from app.bookings.customer_order import Sort
from app.customers import service as customers
from app.models.customer import Customer
from app.staff.guards import ApiRequest, actor_of
from app.web import decoding, etags
from app.web.bodies import Body, JsonBody, sent
from app.web.etags import IfMatch, IfNoneMatch
from app.web.problems import documented

Id = Annotated[
    str,
    PathParameter(pattern=r"^customer_[A-Za-z0-9]{1,32}$", description="A customer's id."),
]


# Spelled out for the description; a test holds it against `app.messages.languages`.
Language = Annotated[
    Literal["da", "de", "en", "es", "fr", "it", "nb", "nl", "pl", "pt", "sv", "tr"] | None,
    Meta(
        description="What they are written to in, ISO 639-1; null: the shop's language.",
        examples=["de"],
    ),
]


class CustomerAnswer(Struct, rename="camel", kw_only=True):
    """A person with a phone number. Their name and email are those of their latest booking, or of
    who has none, of the import."""

    id: Annotated[str, Meta(examples=["customer_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"])]
    name: Annotated[str, Meta(examples=["Ana Silva"])]
    phone: Annotated[str, Meta(description="E.164.", examples=["+442079460958"])]
    email: Annotated[str | None, Meta(examples=["ana@example.com"])]
    notes: Annotated[str | None, Meta(description="What staff want to remember of them.")]
    language: Language
    consent: Annotated[
        bool | None,
        Meta(description="What they said when asked about messages. null: they were not asked."),
    ]
    opted_out: Annotated[bool, Meta(description="They have said since that they want none.")]
    visits: Annotated[int, Meta(description="How often they came.", examples=[7])]
    no_shows: Annotated[int, Meta(description="How often they did not.", examples=[0])]

    @classmethod
    def of(cls, summary: CustomerSummary, known: Customer | None) -> "CustomerAnswer":
        return cls(
            id=by_customer.id_of(summary),
            name=summary.name,
            phone=summary.phone,
            email=summary.email,
            notes=known.notes if known else None,
            language=known.language if known else None,  # type: ignore[arg-type]
            consent=known.consent if known else None,
            opted_out=known is not None and known.opted_out_at is not None,
            visits=summary.visits,
            no_shows=summary.no_shows,
        )


class CustomerChanges(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change; fields that are left out stay as they are."""

    name: Name | UnsetType = UNSET
    phone: Phone | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    notes: Notes | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    consent: (
        Annotated[
            bool,
            Meta(description="What they said when asked about messages.", examples=[True]),
        ]
        | UnsetType
    ) = UNSET
    opted_out: (
        Annotated[
            bool,
            Meta(
                description="true: they want no messages any more. false: they do again.",
                examples=[False],
            ),
        ]
        | UnsetType
    ) = UNSET

    merge_with: (
        Annotated[
            str | None,
            Meta(
                description="Only with a `phone` that is another customer's: the id of that one. "
                "The two are one customer from then on, for good.",
                examples=["customer_01JDBV5W3NXJ0V4M0F4Z1T7Q8M"],
            ),
        ]
        | UnsetType
    ) = UNSET


class CustomerList(Struct, rename="camel"):
    """Customers in the order that was asked for; `nextCursor` is null on the last page."""

    items: list[CustomerAnswer]
    next_cursor: str | None


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403, 422), sync_to_thread=True)
def list_customers(
    q: Annotated[
        str | None, QueryParameter(description="A part of the name, a phone number, or an id.")
    ] = None,
    updated_since: Annotated[
        str | None,
        QueryParameter(
            name="updatedSince",
            description="Those of whom a booking was made or changed then or later, or what is "
            "known of them.",
            schema_extra={"format": "date-time"},
        ),
    ] = None,
    sort: Annotated[
        str,
        QueryParameter(
            description="By number, by last change, or by name; with `-` the last first.",
            schema_extra={"enum": list(get_args(Sort))},
        ),
    ] = "phone",
    limit: Annotated[int, QueryParameter(description=f"1 to {search.MAX_LIMIT}.")] = 50,
    cursor: Annotated[
        str | None, QueryParameter(description="`nextCursor` of the page before.")
    ] = None,
) -> CustomerList:
    """All customers, a page at a time."""
    [since] = decoding.times({"updatedSince": updated_since})
    with db.database().read() as session:
        found, next_cursor = by_customer.walk(session, q, limit, cursor, since, cast(Sort, sort))
        return CustomerList(answers(session, found), next_cursor)


@get(
    "/{customer_id:str}",
    opt={"access": "read"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 422) | {304: etags.KNOWN},
    sync_to_thread=True,
)
def get_customer(customer_id: Id, if_none_match: IfNoneMatch = None) -> Response[CustomerAnswer]:
    """One customer."""
    with db.database().read() as session:
        found = by_customer.by_id(session, customer_id)
        return etags.unless_known(_answer(session, found), if_none_match)


@patch(
    "/{customer_id:str}",
    dto=JsonBody[CustomerChanges],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 409, 412, 413, 415, 422),
    sync_to_thread=True,
)
def change_customer(
    customer_id: Id,
    data: JSONBody[Body[CustomerChanges]],
    request: ApiRequest,
    if_match: IfMatch = None,
) -> Response[CustomerAnswer]:
    """Change a customer, in all their bookings; the number of another is refused by 409
    `number_taken`, unless `mergeWith` is the id of that one: then the two are one."""
    with db.database().write() as session:
        changes = sent(data.checked(partial(customer_changes.wrong, session)))
        customer = by_customer.by_id(session, customer_id)
        customer_changes.lock(session, customer)
        etags.check(if_match, _answer(session, customer))
        person = customer_changes.change(session, customer, changes, actor_of(request))
        [now] = by_customer.of_people(session, [person])
        return etags.tagged(_answer(session, now))


def _answer(session: Session, customer: CustomerSummary) -> CustomerAnswer:
    return CustomerAnswer.of(customer, customers.find(session, customer.person))


def answers(session: Session, found: list[CustomerSummary]) -> list[CustomerAnswer]:
    """These customers, with what is known of them besides."""
    known = customers.find_all(session, [each.person for each in found])
    return [CustomerAnswer.of(each, known.get(each.person)) for each in found]


router = Router(
    "/api/customers",
    route_handlers=[list_customers, get_customer, change_customer],
    tags=["Customers"],
    security=[{"bearer": []}],
)
