"""A fake of Twilio's Messages API over real HTTP, in this process, on a free port.

It refuses what Twilio refuses, keeps a ledger of what it accepted, sends signed status callbacks,
and goes wrong on demand:

    with FakeTwilio() as twilio:
        twilio.script("+15550002222", [Fault("lost_answer"), Fault.error(429, 20429, 2)])
        ...                                    # the app, pointed at twilio.url
        [message] = twilio.wait_for(1, to="+15550002222")
        twilio.call_back(message, "delivered")

Numbers are E.164; `whatsapp:` before one is allowed where one is asked for, and is never in what is
returned, save in the raw `form` of a Post.
"""

import base64
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self
from urllib.parse import parse_qsl

import httpx

from . import callbacks, resources, rules
from .callbacks import Callback, Later
from .faults import Fault, Faults, Kind
from .ledger import Accepted, Ledger, Post
from .resources import API_VERSION, Answer
from .rules import Refused
from .server import Reply, Request, Server

__all__ = ["Accepted", "Callback", "FakeTwilio", "Fault", "Kind", "Post"]


class FakeTwilio:
    """One Twilio account with one WhatsApp sender. All of it may be used by many threads.

    The attributes set in `__init__` are switches: a test may change them at any time. `now` is the
    clock of the dates Twilio gives; delays, lags and `monotonic` are always real time.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.account_sid = "AC" + "0" * 31 + "1"
        self.auth_token = "fake-token-" + "0" * 21
        self.sender = "+15550001111"
        self.account_status = "active"
        self.templates: dict[str, str] = {}  # by ContentSid (HX…): "Hello {{1}}"
        self.down = False  # 503 with code 20503 for everything
        self.lists_down = False  # 503 with code 20503 for the message list
        self.list_lag = 0.0  # seconds until an accepted message shows in the list
        self.hang_timeout = 60.0  # seconds until what hangs or is held is closed unanswered
        self.auto_callbacks: Sequence[str] = ()  # statuses each message goes through by itself
        self.callback_delay = 0.05  # seconds before each of them
        self._ledger = Ledger()
        self._lock = self._ledger.changed
        self._faults = Faults()
        self._callbacks: list[Callback] = []
        self._lookups = self._fetches = self._port = 0
        self._held: list[Post] = []
        self._gate = threading.Event()
        self._is_holding = False
        self._server: Server | None = None
        self._later: Later | None = None

    # --- running it ---

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after a `stop`, on the same port as before and with the same ledger."""
        self._server = Server(self._port, self._respond)
        self._port = self._server.server_address[1]
        self._later = Later()

    def stop(self) -> None:
        """Refuse connections and close those there are. Stopping twice is harmless."""
        if self._server and self._later:
            self._server.stop()
            self._later.close()
            self._server = self._later = None
            self.release()

    @property
    def url(self) -> str:
        assert self._port, "not started"
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that point an app in another process here."""
        return {
            "WHATSAPP_API_URL": self.url,
            "WHATSAPP_ACCOUNT_SID": self.account_sid,
            "WHATSAPP_AUTH_TOKEN": self.auth_token,
            "WHATSAPP_FROM_NUMBER": self.sender,
        }

    # --- the ledger ---

    def messages(self, to: str | None = None) -> list[Accepted]:
        """What was accepted, oldest first."""
        return self._ledger.messages(to and _number(to))

    def message(self, sid: str) -> Accepted:
        """The message as it is now. Raises KeyError."""
        found = self._ledger.find(sid)
        if found is None:
            raise KeyError(sid)
        return found

    def posts(self, to: str | None = None) -> list[Post]:
        """Every POST of a message that arrived whole, the refused ones included, oldest first."""
        return self._ledger.posts(to and _number(to))

    def callbacks(self) -> list[Callback]:
        """Every status callback sent, oldest first."""
        with self._lock:
            return list(self._callbacks)

    @property
    def lookups(self) -> int:
        """How often a page of the message list was asked for, in vain or not."""
        return self._lookups

    @property
    def fetches(self) -> int:
        """How often a single message was asked for, in vain or not."""
        return self._fetches

    def wait_for(self, count: int, to: str | None = None, timeout: float = 10) -> list[Accepted]:
        """The accepted messages once there are `count`, maybe more. Raises TimeoutError."""
        return self._ledger.wait(lambda: self.messages(to), count, timeout, f"messages to {to}")

    def wait_for_posts(self, count: int, to: str | None = None, timeout: float = 10) -> list[Post]:
        """The POSTs once there are `count`, maybe more. Raises TimeoutError."""
        return self._ledger.wait(lambda: self.posts(to), count, timeout, f"POSTs to {to}")

    def wait_for_callbacks(self, count: int, timeout: float = 10) -> list[Callback]:
        """The callbacks sent once there are `count`, maybe more. Raises TimeoutError."""
        return self._ledger.wait(self.callbacks, count, timeout, "callbacks")

    # --- making it go wrong ---

    def script(self, to: str, faults: Iterable[Fault | None]) -> None:
        """The next POSTs to this number get these, one each, in order; None is an ordinary
        answer, and so is what follows. A POST that Twilio would refuse uses its fault up.
        """
        with self._lock:
            self._faults.script(_number(to), faults)

    def chaos(self, seed: int, odds: Mapping[Fault | Kind, float]) -> None:
        """From now on each POST without a script gets a fault with these probabilities, drawn
        from the seed, the number and how many POSTs it had. No odds: no chaos.
        """
        with self._lock:
            self._faults.chaos(seed, odds)

    def hold_after_accept(self) -> None:
        """From now on POSTs are accepted, and answered only at the `release`."""
        with self._lock:
            self._is_holding = True

    def wait_held(self, count: int, timeout: float = 10) -> list[Post]:
        """The POSTs that wait for an answer (held or hanging) once there are `count`. They stay
        in the list until the `release`, even if their client is dead. Raises TimeoutError.
        """
        return self._ledger.wait(lambda: list(self._held), count, timeout, "held")

    def release(self) -> None:
        """Answer whatever is held or hangs, and hold no more."""
        with self._lock:
            self._gate.set()
            self._gate = threading.Event()
            self._is_holding = False
            self._held.clear()

    # --- what happens after acceptance ---

    def set_status(
        self, message: Accepted | str, status: str, error_code: int | None = None
    ) -> Accepted:
        """Change a message (or the one with this SID) without telling anybody. Raises KeyError."""
        sid = message if isinstance(message, str) else message.sid
        return self._ledger.update(sid, status, error_code, self.now())

    def call_back(
        self, message: Accepted | str, status: str, error_code: int | None = None
    ) -> httpx.Response:
        """Change a message's status and POST it, signed, to its StatusCallback, once: the retries
        that a URL's fragment asks for are not played. Raises httpx.HTTPError, KeyError.
        """
        changed = self.set_status(message, status, error_code)
        http_status = None
        try:
            response = callbacks.send(changed, self.account_sid, self.auth_token)
            http_status = response.status_code
            return response
        finally:
            with self._lock:
                self._callbacks.append(Callback(changed.sid, status, http_status))
                self._lock.notify_all()

    def signature(self, url: str, params: dict[str, str]) -> str:
        """The X-Twilio-Signature of a form POST of `params` to `url`."""
        return callbacks.signature(self.auth_token, url, params)

    # --- answering ---

    def _respond(self, request: Request) -> Reply:
        with self._lock:  # one at a time: what is decided and what is written down agree
            if (request.method, request.path) == ("POST", f"{self._account}/Messages.json"):
                return self._post(request)
            try:
                return Reply(self._get(request))
            except Refused as refused:
                return Reply(resources.refusal(refused))

    @property
    def _account(self) -> str:
        return f"/{API_VERSION}/Accounts/{self.account_sid}"

    def _get(self, request: Request) -> Answer:
        is_list = request.path == f"{self._account}/Messages.json"
        is_message = request.path.startswith(f"{self._account}/Messages/")
        self._lookups += is_list
        self._fetches += is_message
        self._check_access(request)
        if request.method != "GET":
            raise Refused(20004, "Method not allowed", 405)
        if is_list:
            return self._list(request)
        return resources.as_json(self._resource(request.path))

    def _resource(self, path: str) -> dict[str, Any]:
        name = path.rpartition("/")[2].removesuffix(".json")
        if path == f"{self._account}.json":
            return resources.account(self.account_sid, self.account_status)
        if path == f"/v1/Content/{name}" and name in self.templates:
            return resources.content(self.account_sid, name, self.templates[name])
        if path == f"{self._account}/Messages/{name}.json" and (found := self._ledger.find(name)):
            return resources.message(self.account_sid, found)
        raise Refused(20404, f"The requested resource {path} was not found", 404)

    def _list(self, request: Request) -> Answer:
        if self.lists_down:
            raise _unavailable()
        pairs = parse_qsl(request.query, keep_blank_values=True)
        query = rules.only_known(pairs, rules.FILTERS)
        rules.check_filters(query)
        to, sender = (_number(query[name]) if name in query else None for name in ("To", "From"))
        found = self._ledger.listed(to, sender, self.list_lag)
        return resources.as_json(resources.message_page(self.account_sid, found, query))

    def _post(self, request: Request) -> Reply:
        pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        fault, to = None, _number(dict(pairs).get("To", ""))
        try:
            self._check_access(request)
            fault = self._faults.next(to)
            form = rules.only_known(pairs, rules.PARAMETERS)
            rules.check_message(form, self.sender)
            text = rules.rendered(form, self.templates)
        except Refused as refused:
            self._record(to, dict(pairs), fault, code=refused.code)
            return Reply(resources.refusal(refused))
        message = self._accepted(form, text) if fault is None or fault.accepts else None
        code = fault.code if fault and fault.kind == "error" else None
        post = self._record(to, form, fault, message, code)
        return Reply(self._answer(fault, message), fault, self._gate_of(post), self.hang_timeout)

    def _check_access(self, request: Request) -> None:
        if self.down:
            raise _unavailable()
        expected = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if request.authorization != f"Basic {expected}":
            raise Refused(20003, "Authenticate", 401)

    def _accepted(self, form: Mapping[str, str], text: str) -> Accepted:
        return Accepted(
            sid=f"SM{uuid.uuid4().hex}",
            to=_number(form["To"]),
            sender=_number(form["From"]),
            body=text,
            status_callback=form.get("StatusCallback"),
            at=self.now(),
            monotonic=time.monotonic(),
            content_sid=form.get("ContentSid"),
            content_variables=rules.content_variables(form),
        )

    def _record(
        self,
        to: str,
        form: Mapping[str, str],
        fault: Fault | None,
        message: Accepted | None = None,
        code: int | None = None,
    ) -> Post:
        kind = fault.kind if fault else None
        sid = message.sid if message else None
        post = Post(to, form, self.now(), time.monotonic(), sid, code, kind)
        self._ledger.add(post, message)
        if message and message.status_callback:
            self._call_back_later(message.sid)
        return post

    def _call_back_later(self, sid: str) -> None:
        for turn, status in enumerate(self.auto_callbacks, start=1):
            if self._later:
                self._later.call(turn * self.callback_delay, partial(self.call_back, sid, status))

    def _gate_of(self, post: Post) -> threading.Event | None:
        is_held = self._is_holding and post.sid is not None
        if not is_held and post.fault not in {"hang", "hang_before"}:
            return None
        self._held.append(post)
        self._lock.notify_all()
        return self._gate

    def _answer(self, fault: Fault | None, message: Accepted | None) -> Answer:
        kind = fault.kind if fault else None
        if fault and kind == "error":
            told = {} if fault.retry_after is None else {"Retry_After": str(fault.retry_after)}
            return resources.error(fault.http_status, fault.code, "A scripted error", **told)
        if fault and kind == "html_503":
            page = b"<html><body><h1>Service Unavailable</h1></body></html>"
            return Answer(fault.http_status, page, content_type="text/html")
        if kind == "garbage_201":
            return Answer(201, b"<?xml version='1.0'?><TwilioResponse/>")
        shown = resources.message(self.account_sid, message) if message else {}
        return resources.as_json(shown | ({"sid": None} if kind == "null_sid" else {}), 201)


def _number(address: str) -> str:
    return address.removeprefix("whatsapp:")


def _unavailable() -> Refused:
    return Refused(20503, "Service unavailable", 503)
