"""A fake of Twilio's Messages API over real HTTP, in this process, on a free port.

It refuses what Twilio refuses, keeps a ledger of what it accepted, sends signed status callbacks,
and goes wrong on demand:

    with FakeTwilio() as twilio:
        twilio.script("+15550002222", [Fault("lost_answer"), Fault.error(429, 20429, 2)])
        ...                                    # the app, pointed at twilio.url
        [message] = twilio.wait_for(1, to="+15550002222")
        twilio.call_back(message, "delivered")
        twilio.receive("+15550002222", "Cancel")  # what a customer writes

A shop's four templates are there, and `environment` names them. Free text reaches only a customer
who wrote in the last 24 hours; else the message fails a moment after Twilio has accepted it.

Numbers are E.164; `whatsapp:` before one is allowed where one is asked for, and is never in what is
returned, save in the raw `form` of a Post.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self
from urllib.parse import parse_qsl

import httpx

from app.simulator.core.routes import check_access, is_list
from app.simulator.core.rules import Refused, check_message, require

from . import answers, callbacks, inbound, routes, rules, templates
from .callbacks import Callback, Later
from .channels import MessagingService
from .faults import Fault, Faults, Kind
from .ledger import Accepted, Ledger, Post
from .server import Reply, Request, Server
from .templates import Template

__all__ = [
    "SANDBOX", "TEMPLATES", "Accepted", "Callback", "FakeTwilio", "Fault", "Kind",
    "MessagingService", "Post", "Template",
]  # fmt: skip

SANDBOX = "+14155238886"
TEMPLATES = {kind: f"HX{place:032x}" for place, kind in enumerate(templates.of_a_shop(), start=1)}
"""The ContentSid of each kind of message."""

PATIENCE = 120.0
"""Seconds that a test waits for what takes a moment on a machine that is not busy."""

_WINDOW = timedelta(hours=24)


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
        self.templates: dict[str, Template | str] = {
            TEMPLATES[kind]: template for kind, template in templates.of_a_shop().items()
        }  # by ContentSid (HX…); a text alone is one without a button: "Hello {{1}}"
        self.spelled: dict[str, str] = {}  # numbers, and how its list has them: WhatsApp's way
        self.opted_out: set[str] = set()  # numbers that Twilio sends to no more
        self.joined: set[str] = set()  # numbers that have joined the sandbox
        self.inbound_url: str | None = None  # what the sender calls when a customer writes
        self.sender_status = "ONLINE"
        self.services: list[MessagingService] = []  # with our sender in them
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
        self._server = Server(self._port, self.respond)
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
        return {"WHATSAPP_API_URL": self.url, **self.credentials}

    @property
    def credentials(self) -> dict[str, str]:
        """The same without the address."""
        return {
            "WHATSAPP_ACCOUNT_SID": self.account_sid,
            "WHATSAPP_AUTH_TOKEN": self.auth_token,
            "WHATSAPP_FROM_NUMBER": self.sender,
            **{f"WHATSAPP_{kind.upper()}_CONTENT_SID": sid for kind, sid in TEMPLATES.items()},
        }

    @property
    def is_sandbox(self) -> bool:
        """Twilio's own number, which only those who joined get messages from."""
        return self.sender == SANDBOX

    # --- the ledger ---

    def messages(self, to: str | None = None) -> list[Accepted]:
        """What was accepted, oldest first."""
        return self._ledger.messages(to and _number(to))

    def message(self, sid: str) -> Accepted:
        """The message as it is now. Raises KeyError."""
        if (message := self.find(sid)) is None:
            raise KeyError(sid)
        return message

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

    def wait_for(
        self, count: int, to: str | None = None, timeout: float = PATIENCE
    ) -> list[Accepted]:
        """The accepted messages once there are `count`, maybe more. Raises TimeoutError."""
        return self._ledger.wait(lambda: self.messages(to), count, timeout, f"messages to {to}")

    def wait_for_posts(
        self, count: int, to: str | None = None, timeout: float = PATIENCE
    ) -> list[Post]:
        """The POSTs once there are `count`, maybe more. Raises TimeoutError."""
        return self._ledger.wait(lambda: self.posts(to), count, timeout, f"POSTs to {to}")

    def wait_for_callbacks(self, count: int, timeout: float = PATIENCE) -> list[Callback]:
        """The callbacks sent once there are `count`, maybe more. Raises TimeoutError."""
        return self._ledger.wait(self.callbacks, count, timeout, "callbacks")

    # --- what the core asks ---

    def find(self, sid: str) -> Accepted | None:
        """The message with this SID, ours or a customer's."""
        return self._ledger.find(sid)

    def listed(
        self, to: str | None, sender: str | None, after: str | None, most: int
    ) -> list[Accepted]:
        """What these numbers leave, newest first, older than the message `after`."""
        return self._ledger.listed(to, sender, after, most, self.list_lag)

    def content(self, sid: str) -> dict[str, Any] | None:
        """A template as the Content API shows it."""
        template = self.template(sid)
        return templates.content(sid, template) if template else None

    def template(self, sid: str) -> Template | None:
        """The template with this SID; a text alone is one without a button."""
        template = self.templates.get(sid)
        return Template(template) if isinstance(template, str) else template

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

    def wait_held(self, count: int, timeout: float = PATIENCE) -> list[Post]:
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
            response = callbacks.send(self, changed)
            http_status = response.status_code
            return response
        finally:
            with self._lock:
                self._callbacks.append(Callback(changed.sid, status, http_status))
                self._lock.notify_all()

    def receive(self, sender: str, body: str, **fields: str) -> httpx.Response | None:
        """A customer writes: it stands in the list from now on, opens their 24 hours, and is
        POSTed to `inbound_url` if there is one (see inbound.py for `fields`); returns its answer.
        Raises httpx.TransportError if nobody answers.
        """
        form = inbound.message(self, sender, body, **fields)
        message = Accepted(
            form["MessageSid"], self.sender, _number(form["From"]), form["Body"], None, self.now(),
            monotonic=time.monotonic(), status="received", direction="inbound",
        )  # fmt: skip
        self._ledger.add_inbound(message)
        return inbound.deliver(self, self.inbound_url, form) if self.inbound_url else None

    def signature(self, url: str, params: dict[str, str]) -> str:
        """The X-Twilio-Signature of a form POST of `params` to `url`."""
        return callbacks.signature(self.auth_token, url, params)

    # --- answering ---

    def respond(self, request: Request) -> Reply:
        """What a request is answered, and what goes wrong with that: for a server of any kind."""
        with self._lock:  # one at a time: what is decided and what is written down agree
            if request.method == "POST" and is_list(request.path):
                return self._post(request)
            try:
                return Reply(answers.as_json(self._get(request)))
            except Refused as refused:
                return Reply(answers.refusal(refused))

    def _get(self, request: Request) -> dict[str, Any]:
        self._lookups += is_list(request.path)
        self._fetches += "/Messages/" in request.path
        self._check_access(request)
        if request.method != "GET":
            raise Refused(20004, "Method not allowed", 405)
        pairs = parse_qsl(request.query, keep_blank_values=True)
        if is_list(request.path):
            if self.lists_down:
                raise answers.unavailable()
            rules.checked(pairs, rules.FILTERS)
        return routes.answer(self, request.path, dict(pairs))

    def _post(self, request: Request) -> Reply:
        is_form = request.content_type == "application/x-www-form-urlencoded"
        text = request.body.decode("utf-8", "replace") if is_form else ""
        pairs = parse_qsl(text, keep_blank_values=True)
        fault, to = None, _number(dict(pairs).get("To", ""))
        try:
            self._check_access(request)
            fault = self._faults.next(to)
            form = rules.checked(pairs, rules.PARAMETERS)
            check_message(form, self.sender, rules.is_callback_url)
            require(to not in self.opted_out, 21610, "Attempt to send to unsubscribed recipient")
            text, values = rules.rendered(form, self.template(form.get("ContentSid", "")))
        except Refused as refused:
            self._record(to, dict(pairs), fault, code=refused.code)
            return Reply(answers.refusal(refused))
        message = self._accepted(form, text, values) if fault is None or fault.accepts else None
        code = fault.code if fault and fault.kind == "error" else None
        post = self._record(to, form, fault, message, code)
        answer = answers.to_post(fault, self.account_sid, message)
        return Reply(answer, fault, self._gate_of(post), self.hang_timeout)

    def _check_access(self, request: Request) -> None:
        if self.down:
            raise answers.unavailable()
        check_access(self, request.path, request.authorization)

    def _accepted(self, form: Mapping[str, str], text: str, values: Mapping[str, str]) -> Accepted:
        template = self.template(form.get("ContentSid", ""))
        return Accepted(
            sid=f"SM{uuid.uuid4().hex}",
            to=self.spelled.get(_number(form["To"]), _number(form["To"])),
            sender=_number(form["From"]),
            body=text,
            status_callback=form.get("StatusCallback"),
            at=self.now(),
            monotonic=time.monotonic(),
            content_sid=form.get("ContentSid"),
            content_variables=values,
            payload=template.payload(values) if template else None,
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
        if message:
            self._go_on_later(message, self._undeliverable(message))
        return post

    def _undeliverable(self, message: Accepted) -> int | None:
        wrote_at = self._ledger.last_inbound(message.to)
        return rules.undeliverable(
            message.content_variables,
            self.template(message.content_sid or ""),
            is_window_open=wrote_at is not None and wrote_at > message.at - _WINDOW,
            has_joined=not self.is_sandbox or message.to in self.joined,
        )

    def _go_on_later(self, message: Accepted, code: int | None) -> None:
        """What becomes of a message by itself: its failure, or the callbacks switched on."""
        statuses = self.auto_callbacks if code is None else ["failed"]
        go_on = self.call_back if message.status_callback else self.set_status
        if not message.status_callback and code is None:
            return
        for turn, status in enumerate(statuses, start=1):
            if self._later:
                do = partial(go_on, message.sid, status, code)
                self._later.call(turn * self.callback_delay, do)

    def _gate_of(self, post: Post) -> threading.Event | None:
        is_held = self._is_holding and post.sid is not None
        if not is_held and post.fault not in {"hang", "hang_before"}:
            return None
        self._held.append(post)
        self._lock.notify_all()
        return self._gate


def _number(address: str) -> str:
    return address.removeprefix("whatsapp:")
