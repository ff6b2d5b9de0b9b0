"""Which column of a file holds which field, and whom and what its names of barbers and services
mean: guessed, and then as somebody chose it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from app.imports import spelling
from app.imports.reading import CHARSETS, DELIMITERS, Table
from app.imports.spelling import ORDERS, Order
from app.models.folding import fold

Kind = Literal["customers", "bookings"]

MOST_NAMES = 60
"""Of barbers or services in a file, which one can say the meaning of."""


@dataclass(frozen=True)
class Field:
    """What a column may hold: its `label` on the page, and how other programs call it, folded."""

    label: str
    words: Sequence[str]


_PERSON = {
    "name": Field("Name", ("name", "customer", "client", "full name", "customer name",
                           "client name", "kunde", "cliente", "nombre", "nom", "nome")),
    "first_name": Field("First name", ("first name", "firstname", "given name", "forename",
                                       "vorname", "prenom", "primer nombre")),
    "last_name": Field("Last name", ("last name", "lastname", "surname", "family name",
                                     "nachname", "apellido", "apellidos", "nom de famille")),
    "phone": Field("Phone", ("phone", "mobile", "cell", "telephone", "whatsapp", "phone number",
                             "mobile number", "telefon", "handy", "mobil", "telefono", "movil",
                             "telephone mobile", "portable", "celular")),
    "email": Field("Email", ("email", "e-mail", "mail", "email address", "correo")),
}  # fmt: skip
_NOTES = Field("Notes", ("notes", "note", "comment", "comments", "remarks", "notizen", "notiz",
                         "bemerkung", "notas", "remarques"))  # fmt: skip

FIELDS: Mapping[Kind, Mapping[str, Field]] = {
    "customers": {
        **_PERSON,
        "notes": _NOTES,
        "consent": Field(
            "Wants messages: yes or no",
            ("wants messages", "consent", "marketing", "accepts marketing", "sms consent",
             "accepts messages", "einwilligung"),
        ),
    },
    "bookings": {
        "date": Field(
            "Day, or day and time",
            ("date", "appointment date", "booking date", "start date", "scheduled date",
             "date and time", "start", "starts", "starts at", "datum", "beginn", "fecha",
             "appointment", "termin",
             "day", "start time"),
        ),
        "time": Field("Time", ("time", "start time", "uhrzeit", "zeit", "hora", "heure",
                               "appointment time")),
        "ends": Field("End", ("end", "ends", "ends at", "end time", "ende", "fin")),
        "minutes": Field("Length", ("duration", "minutes", "length", "dauer", "duracion", "duree",
                                    "duration (min)", "duration minutes")),
        "service": Field("Service", ("service", "services", "treatment", "service name",
                                     "dienstleistung", "leistung", "servicio", "prestation")),
        "barber": Field("Barber", ("barber", "staff", "employee", "stylist", "team member",
                                   "provider", "mitarbeiter", "friseur", "resource", "empleado",
                                   "barbero", "staff member", "with", "calendar")),
        **_PERSON,
        "notes": _NOTES,
        "price": Field("Price", ("price", "amount", "total", "cost", "preis", "betrag", "precio",
                                 "prix", "net sales", "gross sales")),
        "status": Field("Status", ("status", "state", "appointment status", "estado", "statut")),
    },
}  # fmt: skip
"""What can be read out of a file of each kind, in the order of the page."""

NAMED = ("service", "barber")
"""The fields whose texts mean something of the shop's."""


@dataclass(frozen=True)
class Matching:
    """How a file is read. `columns` has the column of each field that is in it, `names` what the
    texts of NAMED mean (empty: the one whose column is empty, or not there). With `overlap`, a
    booking may be where its barber has another. The `order` of days is not sure where nobody has
    said it, and each day of the file could be read in another one too.
    """

    charset: str = ""
    delimiter: str = ""
    order: Order | Literal[""] = ""
    is_order_sure: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    overlap: bool = False

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(**kept)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_form(cls, sent: Mapping[str, str], kind: Kind, texts: Mapping[str, list[str]]) -> Self:
        """What a form sent: `column-phone`, `service-3` for the third of `texts`.

        What is not in a list that the page has is taken for not said.
        """
        columns = {name: sent.get(f"column-{name}", "") for name in FIELDS[kind]}
        names = {
            of: {text: sent.get(f"{of}-{place}", "") for place, text in enumerate(of_file)}
            for of, of_file in texts.items()
        }
        order = sent.get("order", "")
        return cls(
            charset=sent.get("charset", "") if sent.get("charset") in CHARSETS else "",
            delimiter=sent.get("delimiter", "") if sent.get("delimiter") in DELIMITERS else "",
            order=next((each for each in get_args(Order) if each == order), ""),
            columns={name: column for name, column in columns.items() if column},
            names={of: {t: id for t, id in chosen.items() if id} for of, chosen in names.items()},
            overlap=sent.get("overlap") == "1",
        )


def guess(table: Table, kind: Kind, said: Matching, locale: str) -> Matching:
    """The matching, with what was not said told by the file; what it does not have is left out."""
    known = {name: column for name, column in said.columns.items() if column in table.columns}
    columns = known or _guess_columns(table.columns, kind)
    days = texts_of(table, columns.get("date", ""))
    order, is_order_sure = spelling.order_of(days, locale)
    return Matching(
        charset=table.charset,
        delimiter=table.delimiter,
        order=said.order or order,
        is_order_sure=said.is_order_sure if said.order else is_order_sure,
        columns=columns,
        names=said.names,
        overlap=said.overlap,
    )


def texts_of(table: Table, column: str) -> list[str]:
    """The different texts of a column, in the order of the file; one empty one without it."""
    if column not in table.columns:
        return [""]
    place = table.columns.index(column)
    return list(dict.fromkeys(row.cells[place] for row in table.rows))


def meaning(texts: Iterable[str], named: Mapping[str, str]) -> dict[str, str]:
    """Which id each text means: the one whose name it is, or is a part of it, or the other way
    round; the only one there is. `named` are names by id.
    """
    folded = {id: fold(name) for id, name in named.items()}
    return {text: found for text in texts if (found := _meant(fold(text), folded))}


def _meant(text: str, named: Mapping[str, str]) -> str:
    if len(named) == 1:
        return next(iter(named))
    tests = (
        lambda name: name == text,
        lambda name: bool(text) and name in text,
        lambda name: bool(text) and text in name,
    )
    for fits in tests:
        found = [id for id, name in named.items() if fits(name)]
        if len(found) == 1:
            return found[0]
    return ""


def _guess_columns(columns: Sequence[str], kind: Kind) -> dict[str, str]:
    """Each column for one field: first those that are called so, then those that contain it."""
    free = {column: " ".join(fold(column).replace("_", " ").split()) for column in columns}
    found: dict[str, str] = {}
    for is_called in (str.__eq__, str.__contains__):
        for name, of_field in FIELDS[kind].items():
            fitting = (
                column
                for word in of_field.words
                for column, text in free.items()
                if is_called(text, word)
            )
            if name not in found and (column := next(fitting, "")):
                found[name] = column
                del free[column]
    return _without_doubles(found)


def _without_doubles(found: dict[str, str]) -> dict[str, str]:
    """A first and a last name are the name; `Name` beside them may be something else."""
    if "first_name" in found:
        found.pop("name", None)
    return {name: column for name, column in found.items() if column}


def wrong(matching: Matching, kind: Kind) -> dict[str, str]:
    """What a file of that kind must have and no column is chosen for: sentences by field."""
    has = matching.columns.keys()
    problems = {}
    if not has & {"name", "first_name", "last_name"}:
        problems["name"] = "Choose the column with the name."
    if "phone" not in has:
        problems["phone"] = "Choose the column with the phone number."
    if kind == "bookings" and "date" not in has:
        problems["date"] = "Choose the column with the day."
    if matching.order not in ORDERS:
        problems["order"] = "Choose how days are written."
    return problems
