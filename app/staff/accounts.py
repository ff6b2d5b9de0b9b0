"""Staff accounts: who may be added, and what a password must be (OWASP ASVS 5.0 §6.2)."""

import re
import unicodedata

from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock, forms
from app.errors import FieldError, Invalid
from app.forms import Form, field
from app.models.staff import User
from app.staff import audit

ROLES = ("owner", "staff", "viewer")
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200
_LONGEST_NAME = 100
_FEWEST_LETTERS = 5  # different ones; "aaaabbbbcccc" has three

# Words that the commonest long passwords are made of, alone or repeated, with digits around them.
_COMMON = (
    "abc|abcd|admin|administrator|barber|barbershop|changeme|chairtime|charlie|computer|dragon|"
    "football|hello|iloveyou|letmein|liverpool|login|manchester|master|michael|monkey|owner|"
    "pass|passwd|password|princess|qwert|qwerty|qwertz|qwertyuiop|secret|shadow|starwars|"
    "sunshine|superman|temp|test|trustno|user|welcome|whatsapp|administration|internet|baseball"
)
_MADE_OF_COMMON = re.compile(rf"((the|my|is|i|a)?({_COMMON})[\W\d_]*)+")
_AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_RUNS = ("0123456789" * 21, "abcdefghijklmnopqrstuvwxyz" * 8)
_LEET = str.maketrans({"@": "a", "4": "a", "3": "e", "1": "i", "!": "i", "0": "o", "$": "s"})


class UserForm(Form):
    """What can be changed of somebody who signs in."""

    @field
    def name(self, typed: str) -> str:
        return clean_name(typed)

    @field
    def role(self, typed: str) -> str:
        return clean_role(typed)


class NewUserForm(UserForm):
    """Somebody who is to sign in."""

    @field
    def email(self, typed: str) -> str:
        """Lower case throughout, so that one person cannot be added twice."""
        return forms.email(typed).lower()

    @field
    def password(self, typed: str) -> str:
        return clean_password(typed, self.given.get("email", ""))


def add(
    session: Session, email: str, name: str, role: str, password: str, actor: str = "system"
) -> User:
    """Add a user. Raises Invalid naming each field that is wrong."""
    form = NewUserForm({"email": email, "name": name, "role": role, "password": password})
    form.checked()
    user = User(
        id=f"user_{ULID()}",
        email=form.email,
        name=form.name,
        role=role,
        password_hash=hash_of(password),
        created_at=clock.now(),
    )
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise Invalid([FieldError("email", "This belongs to a user already.")]) from None
    audit.record(session, actor, "user.added", user.id, role=role)
    return user


def add_first_owner(session: Session, email: str, password: str) -> User | None:
    """Add the owner that the environment names, unless there is an owner. Raises Invalid."""
    if session.scalar(select(User.id).where(User.role == "owner").limit(1)):
        return None
    return add(session, email, "Owner", "owner", password)


def hash_of(password: str) -> str:
    """What is kept of a password: argon2id, with a salt of its own."""
    return PasswordHasher().hash(password)


def clean_name(name: str) -> str:
    """The name on one line, in NFC. Raises ValueError."""
    text = unicodedata.normalize("NFC", " ".join(name.split()))
    if not text or not text.isprintable():
        raise ValueError("This must have letters, and no control characters.")
    if len(text) > _LONGEST_NAME:
        raise ValueError(f"This has {len(text)} characters: {_LONGEST_NAME} at the most.")
    return text


def clean_role(role: str) -> str:
    """The role, if it is one. Raises ValueError."""
    if role not in ROLES:
        raise ValueError(f"This must be one of {', '.join(ROLES)}.")
    return role


def clean_password(password: str, email: str) -> str:
    """The password, if it may be that of the user with this email. Raises ValueError.

    No rules on what it is made of: only its length, and that it is not easily guessed.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        right = f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD}"
        raise ValueError(f"This has {len(password)} characters: it needs {right}.")
    if any(unicodedata.category(letter) == "Cs" for letter in password):
        raise ValueError("This has a character that cannot be stored.")
    if _is_easily_guessed(password.lower(), email.lower()):
        raise ValueError("This is easily guessed: take several words that do not belong together.")
    return password


def _is_easily_guessed(password: str, email: str) -> bool:
    mailbox = email.partition("@")[0]
    core = _AROUND.sub("", password)
    return (
        len(set(password)) < _FEWEST_LETTERS
        or any(password in run or password[::-1] in run for run in _RUNS)
        or any(_MADE_OF_COMMON.fullmatch(form) for form in (core, core.translate(_LEET)))
        or core in {email, mailbox}
    )
