"""Adding staff, and what a password must be."""

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select

from app.db import Database
from app.errors import Invalid
from app.models.staff import ApiToken, AuditEvent, User
from app.settings import read_settings
from app.staff import accounts, first_run, tokens
from tests.support.frozen import FrozenClock

PASSWORD = "correct horse battery"


def add(db: Database, **values: str) -> User:
    given = {"email": "ann@example.com", "name": "Ann", "role": "staff", "password": PASSWORD}
    with db.write() as session:
        return accounts.add(session, **(given | values))


def errors(db: Database, **values: str) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        add(db, **values)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0
    return {error.field: error.message for error in caught.value.errors}


def test_a_user_is_stored_with_a_hash_of_the_password_and_an_event(
    db: Database, clock: FrozenClock
) -> None:
    added = add(db, email=" Ann@Example.COM ", name="  Ann   Lee ", role="owner")

    with db.read() as session:
        user = session.get_one(User, added.id)
        event = session.scalars(select(AuditEvent)).one()
    assert (user.email, user.name, user.role) == ("ann@example.com", "Ann Lee", "owner")
    assert user.created_at == clock.now()
    assert user.password_hash.startswith("$argon2id$")
    assert PasswordHasher().verify(user.password_hash, PASSWORD)
    assert (event.action, event.subject, event.details) == (
        "user.added",
        user.id,
        {"role": "owner"},
    )


def test_an_email_can_be_used_once_whatever_its_case(db: Database) -> None:
    add(db)

    with pytest.raises(Invalid, match="email: This belongs to a user already"):
        add(db, email="ANN@example.com")


def test_all_that_is_wrong_is_said_at_once(sqlite_db: Database) -> None:
    wrong = errors(sqlite_db, email="ann", name=" ", role="boss", password="short")

    assert wrong.keys() == {"email", "name", "role", "password"}
    assert wrong["role"] == "This must be one of owner, staff, viewer."
    assert wrong["password"] == "This has 5 characters: it needs 12 to 200."


@pytest.mark.parametrize("name", ["", "a\nb\x00", "x" * 101, "\u202eevil"])
def test_a_name_must_be_visible_and_short(sqlite_db: Database, name: str) -> None:
    assert errors(sqlite_db, name=name).keys() == {"name"}


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "PASSWORD!!!!",
        "P@ssw0rd2026",
        "passwordpassword",
        "iloveyou1234",
        "123456789012",
        "210987654321",
        "abcdefghijklm",
        "aaaaaaaaaaaaaa",
        "abababababab",
        "qwertyuiop123",
        "admin-admin-1",
        "chairtime2026",
        "mybarbershop1",
        "ann.lee@example.com",
        "ann.lee123456",
    ],
)
def test_a_very_common_password_is_refused(sqlite_db: Database, password: str) -> None:
    wrong = errors(sqlite_db, email="ann.lee@example.com", password=password)

    assert wrong["password"].startswith("This is easily guessed")


@pytest.mark.parametrize("password", ["x" * 11, "a1!" * 67, "", "\udcff bad letters"])
def test_a_password_of_the_wrong_length_or_letters_is_refused(
    sqlite_db: Database, password: str
) -> None:
    assert errors(sqlite_db, password=password).keys() == {"password"}


@pytest.mark.parametrize(
    "password",
    [" Leading and trailing ", "пароль из слов", "84920375610283", "ab12!" * 40, "✂️ barbe à papa"],
)
def test_any_other_password_is_taken_letter_for_letter(sqlite_db: Database, password: str) -> None:
    user = add(sqlite_db, password=password)

    assert PasswordHasher().verify(user.password_hash, password)


def test_the_first_owner_and_token_of_the_environment_are_made_once(db: Database) -> None:
    env = read_settings(
        {
            "SECRET_KEY": "s" * 32,
            "CHAIRTIME_API_TOKEN": "t" * 32,
            "CHAIRTIME_OWNER_EMAIL": "owner@example.com",
            "CHAIRTIME_OWNER_PASSWORD": PASSWORD,
        }
    )
    for _ in range(2):
        with db.write() as session:
            first_run.ensure(session, env)

    with db.read() as session:
        assert session.scalars(select(User.role)).all() == ["owner"]
        assert session.scalar(select(func.count()).select_from(ApiToken)) == 1
        assert tokens.authenticate(session, "t" * 32) is not None


def test_an_owner_who_is_there_already_is_left_alone(sqlite_db: Database) -> None:
    add(sqlite_db, role="owner")

    with sqlite_db.write() as session:
        assert accounts.add_first_owner(session, "other@example.com", PASSWORD) is None


@pytest.mark.parametrize(
    ("environment", "field"),
    [
        ({"CHAIRTIME_OWNER_EMAIL": "owner@example.com"}, "CHAIRTIME_OWNER_PASSWORD"),
        ({"CHAIRTIME_OWNER_PASSWORD": PASSWORD}, "CHAIRTIME_OWNER_EMAIL"),
        (
            {"CHAIRTIME_OWNER_EMAIL": "owner@example.com", "CHAIRTIME_OWNER_PASSWORD": "short"},
            "CHAIRTIME_OWNER_PASSWORD",
        ),
    ],
)
def test_a_first_owner_that_cannot_be_made_is_refused_by_the_name_of_the_variable(
    sqlite_db: Database, environment: dict[str, str], field: str
) -> None:
    env = read_settings({"SECRET_KEY": "s" * 32, **environment})

    with pytest.raises(Invalid) as caught, sqlite_db.write() as session:
        first_run.ensure(session, env)
    assert [error.field for error in caught.value.errors] == [field]
