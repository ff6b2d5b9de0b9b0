"""The environment, read once into one frozen Settings object.

Every variable is described in `.env.example`; whatever is wrong is said at start, a line each.
"""

import hashlib
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urlsplit
from zoneinfo import ZoneInfo

import phonenumbers

TWILIO_API = "https://api.twilio.com"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_ALL_ADDRESSES = {"0.0.0.0", "::"}  # noqa: S104
_HOST_NAME = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")
_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_SOCKET_PATH = 100  # sun_path holds 104 bytes on macOS, 108 on Linux

T = TypeVar("T")


class SettingsError(Exception):
    """What is wrong with the environment: `problems`, one sentence for each variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """Everything that can be set from outside; durations are seconds."""

    host: str
    port: int
    public_url: str
    trusted_proxies: tuple[str, ...]
    allowed_hosts: frozenset[str]
    production: bool
    secret_key: str = field(repr=False)
    state_dir: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    queue_name: str
    embedded_queue: bool
    simulator: bool
    whatsapp_account_sid: str = field(repr=False)
    whatsapp_auth_token: str = field(repr=False)
    whatsapp_from_number: str
    whatsapp_api_url: str
    whatsapp_reminder_content_sid: str | None
    whatsapp_cancellation_content_sid: str | None
    whatsapp_confirmation_content_sid: str | None
    whatsapp_moved_content_sid: str | None
    whatsapp_max_per_second: float
    reminder_every: float
    retry_delays: tuple[float, ...]
    send_timeout: float
    send_lease: float
    uncertain_quiet: float
    tick_every: float
    shop_timezone: str
    api_token: str | None = field(repr=False)
    owner_email: str | None
    owner_password: str | None = field(repr=False)

    def answers_to(self, name: str) -> bool:
        """Whether requests may call this install by this name: lower case, without a port.

        In development also by any address if it listens on all of them. A name of another site's
        could lead here and look like our own (DNS rebinding); an address leads where it says.
        """
        public = str(urlsplit(self.public_url).hostname)
        if name in {public, self.host, *self.allowed_hosts, *LOOPBACK}:
            return True
        return not self.production and self.host in _ALL_ADDRESSES and _is_address(name)

    @property
    def queue_socket(self) -> Path:
        """Where the embedded queue listens: in the state folder, unless its path is too long."""
        socket = (self.state_dir / "queue" / "queue.sock").absolute()
        if len(str(socket)) < _LONGEST_SOCKET_PATH:
            return socket
        digest = hashlib.sha256(str(socket).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"chairtime-{os.getuid()}-{digest}" / "queue.sock"

    @property
    def local_url(self) -> str:
        """The web app's address as this machine's own processes reach it."""
        host = "127.0.0.1" if self.host in _ALL_ADDRESSES else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def twilio_can_call_back(self) -> bool:
        """False when Twilio itself would have to reach a loopback address (Twilio error 21609)."""
        is_loopback = urlsplit(self.public_url).hostname in LOOPBACK
        return not (self.whatsapp_api_url == TWILIO_API and is_loopback)


@cache
def settings() -> Settings:
    """This process's settings. Raises SettingsError."""
    return read_settings(os.environ)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from `environment`. Raises SettingsError naming every variable that is wrong."""
    reader = _Reader(environment)
    production = reader.choice("APP_ENV", ("development", "production")) == "production"
    state_dir = Path(reader.text("STATE_DIR") or "var")
    host, port = reader.text("HOST") or "127.0.0.1", reader.port("PORT", 3000)
    secret = reader.secret_key(state_dir, production)
    redis_url = reader.redis_url()
    values: dict[str, Any] = {
        "host": host,
        "port": port,
        "public_url": reader.public_url(production) or f"http://127.0.0.1:{port}",
        "trusted_proxies": reader.networks("TRUSTED_PROXIES"),
        "allowed_hosts": reader.hosts("ALLOWED_HOSTS"),
        "production": production,
        "secret_key": secret,
        "state_dir": state_dir,
        "database_url": reader.database_url(state_dir),
        "queue_name": reader.queue_name("QUEUE_NAME"),
        "embedded_queue": not redis_url,
        **_durations(reader),
        **_whatsapp(reader, secret),
        "shop_timezone": reader.time_zone("SHOP_TIMEZONE"),
        "api_token": reader.api_token("CHAIRTIME_API_TOKEN"),
        "owner_email": reader.text("CHAIRTIME_OWNER_EMAIL"),
        "owner_password": reader.text("CHAIRTIME_OWNER_PASSWORD"),
    }
    if production:
        reader.require(
            "SECRET_KEY", "WHATSAPP_ACCOUNT_SID", "WHATSAPP_AUTH_TOKEN", "WHATSAPP_FROM_NUMBER"
        )
        reader.require("DATABASE_URL", "PUBLIC_URL")
        reader.check(bool(redis_url), "REDIS_URL is missing: production needs a Redis or Valkey")
        reader.check(
            not values["database_url"].startswith("sqlite"),
            "DATABASE_URL is SQLite: production needs postgresql://…",
        )
    if reader.problems:
        raise SettingsError(reader.problems)
    read = Settings(redis_url=redis_url, **values)
    return _with_local_services(read)


def _with_local_services(read: Settings) -> Settings:
    """Fill in the addresses of what this install serves itself: the queue and the simulator."""
    changes: dict[str, str] = {}
    if read.embedded_queue:
        changes["redis_url"] = f"unix://{quote(str(read.queue_socket))}?socket_timeout=15"
    if not read.whatsapp_api_url:
        url = f"{read.local_url}/simulator" if read.simulator else TWILIO_API
        changes["whatsapp_api_url"] = url
    return Settings(**{**read.__dict__, **changes})


def _durations(reader: "_Reader") -> dict[str, Any]:
    timeout = reader.number("SEND_TIMEOUT", 10.0, 0.1, 120)
    lease = reader.number("SEND_LEASE", 60.0, 0.5, 3600)
    reader.check(
        lease > 2 * timeout,
        f"SEND_LEASE is {lease:g} s: it must be more than twice SEND_TIMEOUT ({timeout:g} s), "
        "or a slow send would be taken for a dead one",
    )
    return {
        "send_timeout": timeout,
        "send_lease": lease,
        "uncertain_quiet": reader.number("UNCERTAIN_QUIET", 120.0, 0.1, 86400),
        "tick_every": reader.number("FEED_EVERY", 10.0, 0.1, 60),
        "reminder_every": reader.duration("REMINDER_EVERY", 7200.0),
        "retry_delays": reader.delays("RETRY_DELAYS", (5, 25, 125, 625, 3125)),
        "whatsapp_max_per_second": reader.number("WHATSAPP_MAX_PER_SECOND", 20.0, 0.1, 400),
    }


def _whatsapp(reader: "_Reader", secret: str) -> dict[str, Any]:
    """Twilio's credentials, or the simulator's own when none are set."""
    names = ("WHATSAPP_ACCOUNT_SID", "WHATSAPP_AUTH_TOKEN", "WHATSAPP_FROM_NUMBER")
    given = [name for name in names if reader.text(name)]
    if given:
        reader.require(*names)
    simulated = hashlib.sha256(f"simulator:{secret}".encode()).hexdigest()
    return {
        "simulator": not given,
        "whatsapp_account_sid": reader.text(names[0]) or "AC" + simulated[:32],
        "whatsapp_auth_token": reader.text(names[1]) or simulated[32:],
        "whatsapp_from_number": reader.phone(names[2]) or "+15550001111",
        "whatsapp_api_url": reader.api_url("WHATSAPP_API_URL"),
        **{
            f"whatsapp_{kind}_content_sid": reader.content_sid(
                f"WHATSAPP_{kind.upper()}_CONTENT_SID"
            )
            for kind in ("reminder", "cancellation", "confirmation", "moved")
        },
    }


class _Reader:
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

    def queue_name(self, name: str) -> str:
        def parse(text: str) -> str:
            if not re.fullmatch(r"[A-Za-z0-9_]{1,40}", text):
                raise ValueError
            return text

        return self.parsed(name, "", parse, "1 to 40 letters, digits and underscores")

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

    def content_sid(self, name: str) -> str | None:
        def parse(text: str) -> str | None:
            if not re.fullmatch(r"HX[0-9a-f]{32}", text):
                raise ValueError
            return text

        return self.parsed(name, None, parse, "HX and 32 hexadecimal digits")

    def api_token(self, name: str) -> str | None:
        token = self.text(name)
        self.check(token is None or len(token) >= 32, f"{name} is too short: 32 characters or more")
        return token

    def public_url(self, production: bool) -> str | None:
        def parse(text: str) -> str | None:
            url = _http_url(text)
            if "_" in str(url.hostname):
                raise ValueError
            if url.path not in {"", "/"} or url.query or url.fragment or url.username:
                raise ValueError
            if production and url.scheme == "http" and url.hostname not in LOOPBACK:
                raise ValueError
            return f"{url.scheme}://{url.netloc}"

        scheme = "https" if production else "http(s)"
        hint = f"{scheme}://host without path, and no underscore in the host"
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

    def redis_url(self) -> str:
        """The queue's URL, empty if none is set. A stall of 15 s loses nothing (default: 5 s)."""

        def parse(text: str) -> str:
            if urlsplit(text).scheme not in {"redis", "rediss", "unix"}:
                raise ValueError
            _check_port(text)
            separator = "&" if urlsplit(text).query else "?"
            return text if "socket_timeout" in text else f"{text}{separator}socket_timeout=15"

        port = self.port("REDIS_PORT", 6379)
        host = self.text("REDIS_HOST")
        default = f"redis://{host}:{port}/0?socket_timeout=15" if host else ""
        return self.parsed("REDIS_URL", default, parse, "redis://…, rediss://… or unix://…")

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


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _http_url(text: str) -> SplitResult:
    """Raises ValueError."""
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError
    _check_port(text)
    return url


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
