"""Somebody at the dashboard: signed in without a password, with what htmx sends by itself.

sign_in(client, db, "staff")
assert client.post("/messages/…/retry").status_code == 303
assert "Failed" in client.get("/failed", headers=HTMX).text
"""

import uuid

from litestar import Litestar
from litestar.testing import TestClient

from app import clock
from app.db import Database
from app.models.staff import User
from app.staff import sessions

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def add_user(
    db: Database, role: str = "owner", name: str = "Ann Lee", password_hash: str = "-"
) -> User:
    """A member of staff; nobody can log in as them unless there is a hash."""
    user = _user(role, name, password_hash)
    with db.write() as session:
        session.add(user)
    return user


def _user(role: str, name: str, password_hash: str = "-") -> User:
    return User(
        id=f"user_{uuid.uuid4().hex[:26]}",
        email=f"{uuid.uuid4().hex[:12]}@example.com",
        name=name,
        role=role,
        password_hash=password_hash,
        created_at=clock.now(),
    )


def sign_in(
    client: TestClient[Litestar], db: Database, role: str = "owner", name: str = "Ann Lee"
) -> User:
    """Make `client` a browser of a new member of staff; redirects are not followed any more."""
    user = _user(role, name)
    with db.write() as session:
        session.add(user)
        session.flush()
        secret = sessions.start(session, user)
    client.follow_redirects = False
    client.cookies.clear()
    client.headers.pop("Authorization", None)
    client.headers["Sec-Fetch-Site"] = "same-origin"
    client.cookies.set("chairtime", secret, domain="testserver.local")
    return user
