"""Single variables of the environment: how each kind is read, and what is wrong with it.

Which variables there are, and what they mean together, is in `app.settings`.
"""

import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo

import phonenumbers

Tls = Literal["implicit", "starttls", "off"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_HOST_NAME = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

T = TypeVar("T")


class SmtpServer(NamedTuple):
    """Where mail is handed over; `implicit` TLS begins with the first byte."""

    host: str
    port: int
    user: str
    password: str
    tls: Tls


class SentinelUrl(NamedTuple):
    """A Redis whose primary some Sentinels know; `as_redis` is the URL without them."""

    hosts: tuple[tuple[str, int], ...]
    primary: str
    as_redis: str
    is_tls: bool


class Reader:
    """Reads single variables and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[str] = []

    def check(self, is_right: bool, problem: str) -> None:
        if not is_right:
            self.problems.append(problem)

    def text(self, name: str) -> str | None:
        return self.environment.get(name, "").strip() or None

    def require(self, *names: str) -> None:
        for name in names:
            self.check(bool(self.text(name)), f"{name} is missing")

    def parsed(self, name: str, default: T, parse: Callable[[str], T], hint: str) -> T:
        text = self.text(name)
        if text is None:
            return default
        try:
            return parse(text)
        except (ValueError, ArithmeticError, LookupError, OSError):
            self.problems.append(f"{name} is {text!r}: it must be {hint}")
            return default

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        return self.parsed(
            name, choices[0], lambda text: choices[choices.index(text)], " or ".join(choices)
        )

    def number(self, name: str, default: float, low: float, high: float) -> float:
        def parse(text: str) -> float:
            value = float(text)
            if not low <= value <= high:
                raise ValueError
            return value

        return self.parsed(name, default, parse, f"a number from {low:g} to {high:g}")

    def count(self, name: str, default: int, most: int) -> int:
        def parse(text: str) -> int:
            if not 1 <= (value := int(text)) <= most:
                raise ValueError
            return value

        return self.parsed(name, default, parse, f"a number from 1 to {most}")

    def port(self, name: str, default: int) -> int:
        def parse(text: str) -> int:
            port = int(text)
            if not 1 <= port <= 65535:
                raise ValueError
            return port

        return self.parsed(name, default, parse, "a port from 1 to 65535")

    def duration(self, name: str, default: float) -> float:
        def parse(text: str) -> float:
            match = _DURATION.fullmatch(text)
            if (
                match is None
                or not 1 <= (value := float(match[1]) * _UNIT[match[2]]) <= 366 * 86400
            ):
                raise ValueError
            return value

        return self.parsed(
            name, default, parse, "a duration of at least 1s, such as 90s, 30m or 2h"
        )

    def delays(self, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        def parse(text: str) -> tuple[float, ...]:
            delays = tuple(float(part) for part in text.split(","))
            if not all(0 < delay <= 86400 for delay in delays):
                raise ValueError
            return delays

        return self.parsed(name, default, parse, "seconds between tries, such as 5,25,125")

    def networks(self, name: str) -> tuple[str, ...]:
        def parse(text: str) -> tuple[str, ...]:
            given = tuple(part.strip() for part in text.split(","))
            for network in given:
                ipaddress.ip_network(network)
            return given

        return self.parsed(name, (), parse, "addresses or networks, such as 127.0.0.1,10.1.0.0/16")

    def hosts(self, name: str) -> frozenset[str]:
        def parse(text: str) -> frozenset[str]:
            given = [part.strip().lower() for part in text.split(",")]
            if not all(_HOST_NAME.fullmatch(each) for each in given):
                raise ValueError
            return frozenset(given)

        hint = "names of hosts without a port, such as bookings.example.com,10.0.0.5"
        return self.parsed(name, frozenset(), parse, hint)

    def origins(self, name: str) -> tuple[str, ...]:
        def parse(text: str) -> tuple[str, ...]:
            given = [part.strip().lower().rstrip("/") for part in text.split(",")]
            if not all(_ORIGIN.fullmatch(each) for each in given):
                raise ValueError
            return tuple(given)

        hint = "origins with their scheme, such as https://www.example.com,https://example.com"
        return self.parsed(name, (), parse, hint)

    def matching(self, name: str, pattern: str, hint: str) -> str | None:
        def parse(text: str) -> str:
            if not re.fullmatch(pattern, text):
                raise ValueError
            return text

        return self.parsed(name, None, parse, hint)

    def time_zone(self, name: str) -> str:
        return self.parsed(
            name, "UTC", lambda text: ZoneInfo(text).key, "a time zone such as Europe/London"
        )

    def phone(self, name: str) -> str | None:
        def parse(text: str) -> str | None:
            try:
                number = phonenumbers.parse(text.removeprefix("whatsapp:"))
            except phonenumbers.NumberParseException as error:
                raise ValueError from error
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

        return self.parsed(name, None, parse, "a number with country code, such as +14155238886")

    def api_token(self, name: str) -> str | None:
        token = self.text(name)
        self.check(token is None or len(token) >= 32, f"{name} is too short: 32 characters or more")
        return token

    def public_url(self, production: bool) -> str | None:
        def parse(text: str) -> str | None:
            url = _http_url(text)
            if "_" in str(url.hostname):
                raise ValueError
            path = url.path.rstrip("/")
            if not _PATH.fullmatch(path) or url.query or url.fragment or url.username:
                raise ValueError
            if production and url.scheme == "http" and url.hostname not in LOOPBACK:
                raise ValueError
            return f"{url.scheme}://{url.netloc}{path}"

        scheme = "https" if production else "http(s)"
        hint = f"{scheme}://host or {scheme}://host/path, and no underscore in the host"
        return self.parsed("PUBLIC_URL", None, parse, hint)

    def api_url(self, name: str) -> str:
        def parse(text: str) -> str:
            return _http_url(text).geturl().rstrip("/")

        return self.parsed(name, "", parse, "http(s)://host, with a path if need be")

    def database_url(self, state_dir: Path) -> str:
        def parse(text: str) -> str:
            scheme, separator, rest = text.partition("://")
            # In memory each connection would have a database of its own.
            if scheme == "sqlite" and rest.strip("/") not in {"", ":memory:"}:
                return text
            if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
                raise ValueError
            _check_port(text)
            return f"postgresql+psycopg://{rest}"

        default = f"sqlite:///{(state_dir / 'chairtime.db').absolute()}"
        return self.parsed("DATABASE_URL", default, parse, "postgresql://… or sqlite:///path")

    def smtp_server(self, name: str) -> SmtpServer | None:
        hint = "smtp://user:password@host:587 or smtps://user:password@host:465"
        return self.parsed(name, None, _smtp_server, hint)

    def mail_from(self, name: str) -> str | None:
        def parse(text: str) -> str:
            from email_validator import validate_email  # takes a tenth of a second

            shown, address = parseaddr(text)
            validate_email(address, check_deliverability=False)
            return formataddr((shown, address))

        return self.parsed(name, None, parse, "bookings@example.com or The Shop <…@…>")

    def redis_url(self) -> str:
        """The queue's URL, empty if none is set. A stall of 15 s loses nothing (default: 5 s)."""

        def parse(text: str) -> str:
            if sentinel_url(text) is None:
                if urlsplit(text).scheme not in {"redis", "rediss", "unix"}:
                    raise ValueError
                _check_port(text)
            separator = "&" if urlsplit(text).query else "?"
            return text if "socket_timeout" in text else f"{text}{separator}socket_timeout=15"

        port = self.port("REDIS_PORT", 6379)
        host = self.text("REDIS_HOST")
        default = f"redis://{host}:{port}/0?socket_timeout=15" if host else ""
        return self.parsed(
            "REDIS_URL",
            default,
            parse,
            "redis://…, rediss://… or unix://…, or redis+sentinel://host,host/primary",
        )

    def secret_key(self, state_dir: Path, production: bool) -> str:
        """SECRET_KEY, or in development one kept in the state folder."""
        given = self.text("SECRET_KEY")
        if given or production:
            weak = given is not None and len(given) < 32
            self.check(not weak, "SECRET_KEY is too short: 32 characters or more")
            return given or ""
        try:
            return kept_secret(state_dir / "secret-key", lambda: secrets.token_hex(32))
        except OSError as error:
            self.problems.append(f"STATE_DIR {state_dir} cannot be written: {error.strerror}")
            return ""


def sentinel_url(text: str) -> SentinelUrl | None:
    """What it says if it is a URL of Sentinels, else None. Raises ValueError for a wrong one."""
    url = urlsplit(text)
    if url.scheme not in {"redis+sentinel", "rediss+sentinel"}:
        return None
    credentials, at, listed = url.netloc.rpartition("@")
    hosts = [urlsplit(f"//{each}") for each in listed.split(",")]
    primary, _, number = url.path.strip("/").partition("/")
    if not primary or not all(host.hostname for host in hosts):
        raise ValueError
    scheme = url.scheme.removesuffix("+sentinel")
    query = f"?{url.query}" if url.query else ""
    return SentinelUrl(
        hosts=tuple((str(host.hostname), host.port or 26379) for host in hosts),
        primary=primary,
        as_redis=f"{scheme}://{credentials}{at}primary/{int(number or 0)}{query}",
        is_tls=scheme == "rediss",
    )


def _http_url(text: str) -> SplitResult:
    """Raises ValueError."""
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError
    _check_port(text)
    return url


def _smtp_server(text: str) -> SmtpServer:
    """Raises ValueError. What is sent over the network is never sent openly unless one says so."""
    url = urlsplit(text)
    host = url.hostname
    if not host or url.path not in {"", "/"}:
        raise ValueError
    _check_port(text)
    usual: Tls = "off" if host in LOOPBACK else "starttls"
    asked: dict[tuple[str, str], Tls] = {
        ("smtps", ""): "implicit",
        ("smtp", ""): usual,
        ("smtp", "tls=off"): "off",
        ("smtp", "tls=starttls"): "starttls",
    }
    tls = asked[url.scheme, url.query]
    port = url.port or {"implicit": 465, "starttls": 587, "off": 25}[tls]
    return SmtpServer(host, port, unquote(url.username or ""), unquote(url.password or ""), tls)


def _check_port(text: str) -> None:
    """Raises ValueError for a port that cannot be."""
    if urlsplit(text).port == 0:
        raise ValueError


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`, made and kept there (mode 0600) the first time. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w") as file:
        file.write(make())
    try:
        os.link(draft, path)  # unlike a write, a link is whole at once and never replaces
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
    return path.read_text().strip()
