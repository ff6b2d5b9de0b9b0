"""The environment, read once into one frozen Settings object.

Every variable is described in `.env.example`; whatever is wrong is said at start, a line each.
"""

import hashlib
import ipaddress
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from app import files
from app.environment import LOOPBACK, Reader, SmtpServer

TWILIO_API = "https://api.twilio.com"

_ALL_ADDRESSES = {"0.0.0.0", "::"}  # noqa: S104
_WEB_WORKERS = 4
"""As many web processes as are started where nobody says how many."""
_LONGEST_SOCKET_PATH = 100  # sun_path holds 104 bytes on macOS, 108 on Linux


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
    metrics_port: int | None
    public_url: str
    trusted_proxies: tuple[str, ...]
    allowed_hosts: frozenset[str]
    cors_origins: tuple[str, ...]
    api_rate_limit: str
    production: bool
    secret_key: str = field(repr=False)
    state_dir: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    queue_name: str
    embedded_queue: bool
    simulator: bool
    web_workers: int
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
    smtp_server: SmtpServer | None = field(repr=False)
    mail_from: str
    heartbeat_url: str = field(repr=False)
    log_format: str
    sentry_dsn: str = field(repr=False)
    traces: bool
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
    def public_origin(self) -> str:
        """PUBLIC_URL without its path: what browsers send as Origin."""
        return self.public_url.removesuffix(self.base_path)

    @property
    def base_path(self) -> str:
        """The path of PUBLIC_URL, such as `/chairtime`; empty without one."""
        return urlsplit(self.public_url).path

    @property
    def mail_domain(self) -> str:
        """The part of MAIL_FROM after the @."""
        return parseaddr(self.mail_from)[1].partition("@")[2]

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
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}{self.base_path}"

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
    reader = Reader(environment)
    production = reader.choice("APP_ENV", ("development", "production")) == "production"
    state_dir = Path(reader.text("STATE_DIR") or files.state_dir())
    host, port = reader.text("HOST") or "127.0.0.1", reader.port("PORT", 3000)
    secret = reader.secret_key(state_dir, production)
    redis_url = reader.redis_url()
    database_url = reader.database_url(state_dir)
    values: dict[str, Any] = {
        "host": host,
        "port": port,
        "metrics_port": reader.port("METRICS_PORT", 0) or None,
        "public_url": reader.public_url(production) or f"http://127.0.0.1:{port}",
        "trusted_proxies": reader.networks("TRUSTED_PROXIES"),
        "allowed_hosts": reader.hosts("ALLOWED_HOSTS"),
        "cors_origins": reader.origins("CORS_ORIGINS"),
        "api_rate_limit": reader.matching(
            "API_RATE_LIMIT",
            "off|[1-9][0-9]{0,6}/(second|minute|hour|day)",
            "calls a token may make, such as 1200/minute, or off",
        )
        or "1200/minute",
        "production": production,
        "secret_key": secret,
        "state_dir": state_dir,
        "database_url": database_url,
        "web_workers": reader.count("WEB_WORKERS", _web_workers(database_url), 64),
        "queue_name": reader.matching(
            "QUEUE_NAME", "[A-Za-z0-9_]{1,40}", "1 to 40 letters, digits and underscores"
        )
        or "",
        "embedded_queue": not redis_url,
        **_durations(reader),
        **_whatsapp(reader, secret),
        "log_format": reader.choice("LOG_FORMAT", ("text", "json")),
        **_telemetry(reader),
        **_mail(reader),
        "heartbeat_url": reader.api_url("HEARTBEAT_URL"),
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


def _web_workers(database_url: str) -> int:
    """A process for each core, but SQLite has one writer, who may as well be in one process."""
    return 1 if database_url.startswith("sqlite") else min(os.cpu_count() or 1, _WEB_WORKERS)


def _with_local_services(read: Settings) -> Settings:
    """Fill in the addresses of what this install serves itself: the queue and the simulator."""
    changes: dict[str, str] = {}
    if read.embedded_queue:
        changes["redis_url"] = f"unix://{quote(str(read.queue_socket))}?socket_timeout=15"
    if not read.whatsapp_api_url:
        url = f"{read.local_url}/simulator" if read.simulator else TWILIO_API
        changes["whatsapp_api_url"] = url
    return Settings(**{**read.__dict__, **changes})


def _durations(reader: Reader) -> dict[str, Any]:
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


def _whatsapp(reader: Reader, secret: str) -> dict[str, Any]:
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
            f"whatsapp_{kind}_content_sid": reader.matching(
                f"WHATSAPP_{kind.upper()}_CONTENT_SID",
                "HX[0-9a-f]{32}( [a-z]{2}:HX[0-9a-f]{32})*",
                "HX and 32 hexadecimal digits, for more languages followed by ` de:HX…`",
            )
            for kind in ("reminder", "cancellation", "confirmation", "moved")
        },
    }


def _telemetry(reader: Reader) -> dict[str, Any]:
    dsn = reader.api_url("SENTRY_DSN")
    prefix = "OTEL_EXPORTER_OTLP"
    endpoints = [reader.api_url(f"{prefix}{each}_ENDPOINT") for each in ("", "_TRACES")]
    is_off = (reader.text("OTEL_SDK_DISABLED") or "").lower() == "true"
    traces = any(endpoints) and not is_off
    for is_wanted, name, module, extra in (
        (dsn, "SENTRY_DSN", "sentry_sdk", "sentry"),
        (traces, f"{prefix}_ENDPOINT", "opentelemetry", "otel"),
    ):
        is_there = not is_wanted or find_spec(module) is not None
        reader.check(is_there, f"{name} needs an extra: pip install 'chairtime[{extra}]'")
    return {"sentry_dsn": dsn, "traces": traces}


def _mail(reader: Reader) -> dict[str, Any]:
    server, sender = reader.smtp_server("SMTP_URL"), reader.mail_from("MAIL_FROM")
    is_whole = server is None or reader.text("MAIL_FROM") is not None
    reader.check(is_whole, "MAIL_FROM is missing: with SMTP_URL, it is who mail comes from")
    return {"smtp_server": server, "mail_from": sender or ""}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
