"""One POST to an endpoint: to an address of the internet alone, within a hard limit.

Names are resolved here and nowhere else: what is connected to is the address that was looked at,
so a name that leads elsewhere a moment later (DNS rebinding) leads nowhere. Redirects are not
followed.
"""

import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from urllib3 import PoolManager
from urllib3.exceptions import (
    ConnectTimeoutError,
    NewConnectionError,
    ReadTimeoutError,
)

from app.connections import Bounded, BoundedTls, Exchange, current, pool_manager
from app.environment import LOOPBACK
from app.settings import settings

TIMEOUT = 10.0
"""Seconds for connecting, and for each read; twice that for all of it."""
LONGEST_ANSWER = 65_536  # bytes that are read
SHOWN = 1_000
"""Characters of an answer that are kept."""

_EMBEDDING = tuple(
    ip_network(each) for each in ("2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48")
)
"""Addresses of IPv6 that stand for one of IPv4, maybe a private one: nobody has a server there."""


@dataclass(frozen=True)
class Answer:
    """What came of a POST: a status and the beginning of the answer, or the `problem` in words."""

    took: int  # milliseconds
    status_code: int | None = None
    text: str = ""
    problem: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the endpoint has it: any 2xx."""
        return self.status_code is not None and 200 <= self.status_code < 300


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet, which everybody may reach."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip.is_site_local or any(ip in network for network in _EMBEDDING):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def may_connect(address: str) -> bool:
    """The same, or in development this machine itself."""
    ip = ip_address(address.partition("%")[0])
    return is_public(address) or (ip.is_loopback and not settings().production)


def may_be_named(host: str) -> bool:
    """Whether an endpoint may have this host: a name is looked up when it is connected to."""
    if host in LOOPBACK or host.endswith(".localhost"):
        return not settings().production
    try:
        return may_connect(host)
    except ValueError:  # a name
        return "." in host.strip(".")


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Post it; raises nothing that the other side can bring about."""
    begun = time.monotonic()
    current.set(Exchange(TIMEOUT))
    try:
        answer = _pools().urlopen(
            "POST", url, body=body, headers=dict(headers), redirect=False, preload_content=False
        )
        content = answer.read(LONGEST_ANSWER)
        if len(content) == LONGEST_ANSWER:
            answer.close()
        answer.release_conn()
    except Exception as error:  # whatever it is, the others' deliveries go on
        return Answer(_since(begun), problem=_problem(error))
    text = content.decode("utf-8", "replace").replace("\x00", "")
    status = answer.status
    problem = _UNWANTED.get(status // 100) if not 200 <= status < 300 else None
    return Answer(_since(begun), status, text[:SHOWN], problem)


_UNWANTED = {
    3: "It answers with a redirect, which is not followed: enter the address that it leads to.",
    4: "It refuses what is sent.",
    5: "It has a problem of its own.",
}


class _Checked(Bounded):
    def addresses(self) -> list[str]:
        found = super().addresses()
        if not all(may_connect(each) for each in found):
            raise _NotPublic(self, f"{self.host} leads to a private address")
        return found


class _CheckedTls(_Checked, BoundedTls):
    pass


class _NotPublic(NewConnectionError):
    pass


_PROBLEMS: tuple[tuple[type[BaseException], str], ...] = (
    (_NotPublic, "Its name leads to a private address, which is never connected to."),
    (ssl.SSLError, "Its certificate is not valid, or it does not speak TLS."),
    (NewConnectionError, "It cannot be reached: no such name, or nobody listens there."),
    (ConnectTimeoutError, "It cannot be reached: no connection within 10 seconds."),
    (TimeoutError, "It gives no answer within 10 seconds."),
    (ReadTimeoutError, "It gives no answer within 10 seconds."),
)


_making = threading.Lock()


def _pools() -> PoolManager:
    """Made when they are first needed, and once: the certificates take a while to read."""
    with _making:
        return _made()


@cache
def _made() -> PoolManager:
    return pool_manager(_Checked, _CheckedTls, TIMEOUT, is_tls=True, size=64)


def _problem(error: Exception) -> str:
    """What went wrong, for people; urllib3 wraps it in errors of its own."""
    known: BaseException | None = error
    while known is not None:
        for kind, words in _PROBLEMS:
            if isinstance(known, kind):
                return words
        reason = getattr(known, "reason", None)
        known = reason if isinstance(reason, BaseException) else known.__cause__
    return f"There is no answer: {type(error).__name__}."


def _since(begun: float) -> int:
    return round(1000 * (time.monotonic() - begun))
