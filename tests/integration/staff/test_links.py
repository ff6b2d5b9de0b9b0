"""A link by which somebody chooses their password: given by the owner, used once."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from app.db import Database
from app.errors import Conflict, Invalid, NotFound
from app.mail import postman
from app.models.staff import PasswordLink, User
from app.staff import links, login, members, sessions
from tests.conftest import Configure
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.mailbox import Mailbox
from tests.support.staff import add_user

PASSWORD = "four quiet green barbers"
OWNER = "user:owner"


def made(db: Database, user: User) -> str:
    with db.write() as session:
        return links.make(session, user.id, OWNER)


def use(db: Database, secret: str, password: str = PASSWORD) -> User:
    with db.write() as session:
        return links.use(session, secret, password)


def can_log_in(db: Database, user: User, password: str = PASSWORD) -> bool:
    return login.log_in(db, user.email, password, "192.0.2.1", None) is not None


def test_a_link_sets_a_password_once_and_ends_what_was_open(shop: Database) -> None:
    user = add_user(shop, "staff")
    with shop.write() as session:
        sessions.start(session, user)
    secret = made(shop, user)
    assert use(shop, secret).id == user.id
    assert can_log_in(shop, user)
    with shop.read() as session:
        assert len(sessions.of_user(session, user.id)) == 1  # of this login
    with pytest.raises(NotFound, match="does not work any more"):
        use(shop, secret)


def test_a_new_link_takes_the_place_of_the_one_before(shop: Database) -> None:
    user = add_user(shop, "staff")
    first, second = made(shop, user), made(shop, user)
    with pytest.raises(NotFound):
        use(shop, first)
    use(shop, second)


def test_a_link_ends_by_itself_and_with_its_user(sqlite_shop: Database, clock: FrozenClock) -> None:
    user, other = add_user(sqlite_shop, "staff"), add_user(sqlite_shop, "staff")
    late, gone = made(sqlite_shop, user), made(sqlite_shop, other)
    with sqlite_shop.write() as session:
        members.disable(session, other.id, OWNER)
    for secret in (gone, "strange"):
        with pytest.raises(NotFound):
            use(sqlite_shop, secret)
    with sqlite_shop.write() as session, pytest.raises(Conflict, match="enable them first"):
        links.make(session, other.id, OWNER)
    clock.move(days=3)
    with pytest.raises(NotFound):
        use(sqlite_shop, late)


def test_a_bad_password_leaves_the_link_as_it_is(sqlite_shop: Database) -> None:
    user = add_user(sqlite_shop, "staff")
    secret = made(sqlite_shop, user)
    with pytest.raises(Invalid):
        use(sqlite_shop, secret, "short")
    use(sqlite_shop, secret)


def test_an_owner_invites_somebody_who_then_signs_in(owner: Client, sqlite_db: Database) -> None:
    form = {"name": "Cy", "email": "cy@example.com", "role": "staff", "password": ""}
    answer = owner.post("/staff", data=form)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    [path] = re.findall(r"<code[^>]*>https?://[^/<]+(/join/[\w-]+)</code>", answer.text)
    with sqlite_db.read() as session:
        cy = session.scalars(select(User).where(User.email == "cy@example.com")).one()
        kept = session.scalars(select(PasswordLink.id)).all()
    assert path.rpartition("/")[2] not in kept
    assert "/join/" not in owner.get(f"/staff?member={cy.id}").text

    owner.cookies.clear()
    assert "Hello Cy" in owner.get(path).text
    refused = owner.post(path, data={"password": "short"})
    assert refused.status_code == 422
    assert "it needs 12 to 200" in refused.text
    joined = owner.post(path, data={"password": PASSWORD})
    assert (joined.status_code, joined.headers["Location"]) == (303, "/")
    with sqlite_db.read() as session:
        signed_in = sessions.find(session, owner.cookies["chairtime"])
    assert signed_in is not None
    assert signed_in.id == cy.id
    assert owner.get(path).status_code == 404


def test_an_owner_makes_a_link_for_who_forgot_and_none_for_themselves(
    owner: Client, sqlite_db: Database
) -> None:
    user = add_user(sqlite_db, "staff", "Sam")
    assert "Mail is not set up" in owner.get("/staff").text
    assert "Give this link to Sam" in owner.post(f"/staff/{user.id}/link").text
    with sqlite_db.read() as session:
        me = session.scalars(select(User.id).where(User.role == "owner")).one()
    assert owner.post(f"/staff/{me}/link").status_code == 303


# --- by mail ---


@pytest.fixture
def mailbox(owner: Client, configure: Configure) -> Iterator[Mailbox]:
    with Mailbox() as listening:
        configure(SMTP_URL=listening.url, MAIL_FROM="shop@example.com")
        yield listening


def mailed(mailbox: Mailbox) -> str:
    """The path of the link in the newest mail."""
    while postman.send_next():
        pass
    return re.findall(r"https?://[^/\s]+(/join/[\w-]+)", mailbox.mails[-1].get_content())[-1]


def test_where_mail_is_set_up_an_invitation_and_a_link_are_mailed(
    owner: Client, sqlite_db: Database, mailbox: Mailbox
) -> None:
    form = {"name": "Cy", "email": "cy@example.com", "role": "staff", "password": ""}
    answer = owner.post("/staff", data=form)
    assert answer.status_code == 303
    assert "/join/" not in answer.text
    path = mailed(mailbox)
    assert mailbox.mails[-1]["To"] == "cy@example.com"
    with sqlite_db.read() as session:
        cy = session.scalars(select(User).where(User.email == "cy@example.com")).one()
    owner.post(f"/staff/{cy.id}/link", data={"mail": "1"})
    second = mailed(mailbox)
    assert "are mailed, from shop@example.com" in owner.get("/staff").text
    assert "Give this link to Cy" in owner.post(f"/staff/{cy.id}/link").text
    owner.cookies.clear()
    assert [owner.get(each).status_code for each in (path, second)] == [404, 404]


def test_who_forgot_is_mailed_a_link_and_nobody_learns_who_is_there(
    owner: Client, sqlite_db: Database, mailbox: Mailbox
) -> None:
    sam = add_user(sqlite_db, "staff", "Sam")
    owner.cookies.clear()

    def forget(email: str) -> str:
        answer = owner.post("/login/forgotten", data={"email": email})
        assert answer.status_code == 200
        return answer.text.replace(email, "…")

    assert forget("nobody@example.com") == forget(sam.email.upper())
    use(sqlite_db, mailed(mailbox).rpartition("/")[2])
    assert len(mailbox.mails) == 1
    assert can_log_in(sqlite_db, sam)
    for _ in range(9):
        forget(sam.email)
    assert owner.post("/login/forgotten", data={"email": sam.email}).status_code == 429


def test_where_it_is_not_the_owner_is_asked_for_a_link(owner: Client) -> None:
    for ask in (owner.get, owner.post):
        assert "Ask the shop’s owner" in ask("/login/forgotten").text
