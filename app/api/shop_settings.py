"""The shop's settings over JSON: who it is, and when it reminds; by the rules of the forms."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from litestar import Response, Router, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.orm import Session

from app import db
from app.api.once import Key, once
from app.errors import FieldError, Invalid
from app.forms import as_typed
from app.models.shop import Shop
from app.reminders import replan
from app.reminders.changes import OWN, PolicyForm
from app.shop import changes, own_times
from app.shop import service as shop_service
from app.shop.changes import ShopForm
from app.shop.money import currency_of
from app.shop.policy import of_shop
from app.shop.service import COLUMNS
from app.staff.guards import ApiRequest, actor_of
from app.web import etags
from app.web.bodies import Body, JsonBody, sent
from app.web.etags import IfMatch, IfNoneMatch
from app.web.field_names import WrongFields, camel
from app.web.problems import documented

Name = Annotated[str, Meta(description="1 to 100 characters.", examples=["The Chair"])]
Locale = Annotated[
    str, Meta(description="In which language and order customers read times.", examples=["en_GB"])
]
Country = Annotated[
    str | None,
    Meta(
        description="ISO 3166: of phone numbers that have no country code. Null: each needs one.",
        examples=["GB"],
    ),
]
TimeZone = Annotated[
    str, Meta(description="Of the shop's clock, in the words of IANA.", examples=["Europe/London"])
]
Currency = Annotated[str, Meta(description="ISO 4217: of prices.", examples=["GBP"])]
Every = Annotated[
    int, Meta(description="Seconds between two reminders: up to 366 days.", examples=[7200])
]
CountFrom = Annotated[
    Literal["booking", "appointment"],
    Meta(description="On from the booking, or back from the appointment.", examples=["booking"]),
]
Within = Annotated[
    int | None,
    Meta(
        description="Only in so many seconds before the appointment; null: all along.",
        examples=[86400],
    ),
]
AtMost = Annotated[
    int | None,
    Meta(description="So many at most, the nearest to the appointment; null: all.", examples=[5]),
]
At = Annotated[
    list[int] | None,
    Meta(
        description="How many seconds before the appointment, whole minutes, ten at the most: times"
        " of the shop's own in the place of `remindEvery`. Null: by that.",
        examples=[[259200, 86400, 5400]],
    ),
]
QuietFrom = Annotated[
    str | None,
    Meta(description="From when on nothing is sent, on the shop's clock.", examples=["22:00"]),
]
QuietUntil = Annotated[
    str | None,
    Meta(description="Until when: null if and only if `quietFrom` is.", examples=["08:00"]),
]

Found = TypeVar("Found")

_SHOP = {"name": "name", "locale": "locale", "country": "country", "time_zone": "time_zone"}
_SHOP |= {"currency": "prices_in"}
_POLICY = {"remind_every": "every", "remind_count_from": "count_from", "remind_within": "within"}
_POLICY |= {"remind_at": "own_times"}
_POLICY |= {"remind_at_most": "at_most", "quiet_from": "quiet_from", "quiet_until": "quiet_until"}
_MORE_THAN_ANY = 10**9  # seconds: no float holds what a body may have
_HERE = {form: ours for ours, form in (_SHOP | _POLICY).items()}
"""What the fields of the forms are called here."""


def _in_seconds(times: Sequence[timedelta] | None) -> list[int] | None:
    return None if times is None else [round(each.total_seconds()) for each in times]


AlsoBooked = Annotated[
    bool,
    Meta(
        description="true: the rule for reminders holds also for all that is booked already, whose "
        "reminders to come are planned anew. Left out: for bookings made or moved from now on.",
        examples=[False],
    ),
]


class SettingsAnswer(Struct, rename="camel", kw_only=True):
    """The shop, as it is in force: where it says nothing itself, as the install says."""

    name: Name
    locale: Locale
    country: Country
    time_zone: TimeZone
    currency: Currency
    remind_every: Every
    remind_count_from: CountFrom
    remind_within: Within
    remind_at_most: AtMost
    remind_at: At
    quiet_from: QuietFrom
    quiet_until: QuietUntil

    @classmethod
    def of(cls, row: Shop) -> "SettingsAnswer":
        policy = of_shop(row)
        return cls(
            name=row.name,
            locale=row.locale,
            country=row.country,
            time_zone=policy.time_zone.key,
            currency=currency_of(row),
            remind_every=round(policy.every.total_seconds()),
            remind_count_from=policy.count_from,
            remind_within=row.within,
            remind_at_most=policy.at_most,
            remind_at=_in_seconds(policy.own_times),
            quiet_from=as_typed(policy.quiet_from) or None,
            quiet_until=as_typed(policy.quiet_until) or None,
        )


class SettingsChanges(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change; fields that are left out stay. `timeZone` and `currency` may be null: as the
    install and the country say."""

    name: Name | UnsetType = UNSET
    locale: Locale | UnsetType = UNSET
    country: Country | UnsetType = UNSET
    time_zone: TimeZone | UnsetType | None = UNSET
    currency: Currency | UnsetType | None = UNSET
    remind_every: Every | UnsetType = UNSET
    remind_count_from: CountFrom | UnsetType = UNSET
    remind_within: Within | UnsetType = UNSET
    remind_at_most: AtMost | UnsetType = UNSET
    remind_at: At | UnsetType = UNSET
    quiet_from: QuietFrom | UnsetType = UNSET
    quiet_until: QuietUntil | UnsetType = UNSET
    also_booked: AlsoBooked | UnsetType = UNSET


class SettingsPreview(Struct, rename="camel", kw_only=True):
    """What these settings would mean for those who are booked already, with `alsoBooked`."""

    bookings: Annotated[int, Meta(description="Bookings to come.", examples=[12])]
    reminders: Annotated[int, Meta(description="They still get so many.", examples=[130])]
    reminders_then: Annotated[
        int | None,
        Meta(
            description="So many it would be. Null: of more than "
            f"{replan.COUNTED_AT_MOST} bookings that is not counted.",
            examples=[36],
        ),
    ]


@get(
    "/",
    opt={"access": "read"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 422) | {304: etags.KNOWN},
    sync_to_thread=True,
)
def get_settings(if_none_match: IfNoneMatch = None) -> Response[SettingsAnswer]:
    """The shop's name, language, country, time zone and currency, and its rule for reminders."""
    with db.database().read() as session:
        answer = SettingsAnswer.of(shop_service.shop(session))
    return etags.unless_known(answer, if_none_match)


@patch(
    "/",
    dto=JsonBody[SettingsChanges],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 412, 413, 415, 422),
    sync_to_thread=True,
)
def change_settings(
    data: JSONBody[Body[SettingsChanges]], request: ApiRequest, if_match: IfMatch = None
) -> Response[SettingsAnswer]:
    """Change them; another rule for reminders holds for bookings made or moved from now on, and
    with `alsoBooked` for all others to come."""
    actor = actor_of(request)
    with db.database().write() as session:
        row = changes.locked(session)
        etags.check(if_match, SettingsAnswer.of(row))
        columns, is_also = _asked(row, data)
        changes.save(session, columns, actor)
        session.flush()
        if is_also:
            _by_our_names(lambda: replan.apply(session, of_shop(row), actor))
        return etags.tagged(SettingsAnswer.of(row))


@post(
    "/preview",
    dto=JsonBody[SettingsChanges],
    status_code=200,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 413, 415, 422),
    sync_to_thread=True,
)
def preview_settings(
    data: JSONBody[Body[SettingsChanges]], request: ApiRequest, idempotency_key: Key = None
) -> Response[SettingsPreview]:
    """What a change with `alsoBooked` would do; nothing is changed."""

    def look(session: Session) -> SettingsPreview:
        row = shop_service.shop(session)
        columns, _ = _asked(row, data)
        would_be = Shop(**{column.key: getattr(row, column.key) for column in COLUMNS} | columns)
        outlook = _by_our_names(lambda: replan.outlook(session, of_shop(would_be)))
        return SettingsPreview(
            bookings=outlook.bookings, reminders=outlook.now, reminders_then=outlook.then
        )

    return once(request, idempotency_key, data, look)


def _asked(row: Shop, data: Body[SettingsChanges]) -> tuple[dict[str, Any], bool]:
    """The columns that are to change, and whether also for those already booked."""
    given = sent(data.checked(lambda given: _wrong(row, given)))
    columns, errors = _columns(row, given)
    if errors:
        raise WrongFields([FieldError(camel(each.field), each.message) for each in errors])
    return columns, given.get("also_booked", False)


def _by_our_names(act: Callable[[], Found]) -> Found:
    """What `act` returns. Raises WrongFields for a rule of which a booking gets too many."""
    try:
        return act()
    except Invalid as invalid:
        raise WrongFields(
            [FieldError("alsoBooked", each.message) for each in invalid.errors]
        ) from None


def _wrong(row: Shop, given: Mapping[str, Any]) -> list[FieldError]:
    return _columns(row, given)[1]


def _columns(row: Shop, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """The columns of the shop's row that these fields mean, and what is wrong with them."""
    columns: dict[str, Any] = {}
    errors: list[FieldError] = []
    for read in (_shop, _policy):
        try:
            columns |= read(row, given)
        except Invalid as invalid:
            errors += [FieldError(_HERE[each.field], each.message) for each in invalid.errors]
    return columns, errors


def _shop(row: Shop, given: Mapping[str, Any]) -> dict[str, Any]:
    asked = {form: given[ours] for ours, form in _SHOP.items() if ours in given}
    empty = [form for form, value in asked.items() if value == "" and form != "name"]
    if empty:  # the form's word for null, which here is null alone
        raise Invalid([FieldError(form, "This must not be empty.") for form in empty])
    typed = {form: value or "" for form, value in asked.items()}
    return ShopForm(typed, row).checked(typed.keys())


def _policy(row: Shop, given: Mapping[str, Any]) -> dict[str, Any]:
    typed = {form: given[ours] for ours, form in _POLICY.items() if ours in given}
    if not typed:
        return {}
    if "every" in typed:
        typed["unit"] = "seconds"
    if typed.get("within") is not None:
        seconds = max(-1, min(typed["within"], _MORE_THAN_ANY))
        typed["within"] = f"{seconds / 3600:.4f}"  # of hours, which the form rounds back
    shown = PolicyForm.shown(row)
    count_from = typed.get("count_from", row.count_from)
    if typed.get("own_times") is not None:
        typed |= {"own_times": own_times.of_seconds(typed["own_times"]), "count_from": OWN}
    elif "own_times" in typed:
        typed["count_from"] = count_from
    typed = {name: as_typed(each) for name, each in typed.items()}
    return PolicyForm(shown | typed, row).columns() | {"count_from": count_from}


router = Router(
    "/api/settings",
    route_handlers=[get_settings, change_settings, preview_settings],
    tags=["Settings"],
    security=[{"bearer": []}],
)
