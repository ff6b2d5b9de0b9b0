"""What "Twilio" does by itself: status receipts and customers' replies, signed, to our webhooks.

One daemon thread of each web process; what is due is claimed in the store, so that several
processes do not do it twice, and a restart only delays it. Receipts get lost like Twilio's: a
webhook that does not answer is tried a few times and then given up.
"""

import logging
import threading
import uuid
from dataclasses import replace
from datetime import timedelta
from urllib.parse import SplitResult, urlencode, urlsplit
from xml.etree import ElementTree

import urllib3

from app import clock
from app.settings import settings
from app.simulator import store
from app.simulator.account import SimulatedAccount
from app.simulator.attachments import THINGS
from app.simulator.core import webhooks
from app.simulator.faults import catalog
from app.simulator.store import Entry

DELAY = 0.4
"""Seconds from one status to the next."""
INBOUND = "/webhooks/twilio/inbound"

_LONGEST_REST = 30.0  # seconds; other processes' entries are found at the latest then
_log = logging.getLogger(__name__)
# As often as our StatusCallback URLs ask of Twilio (#rc=3&rp=ct,rt,5xx).
_RETRIES = urllib3.Retry(
    3,
    allowed_methods=None,
    status_forcelist=[500, 502, 503, 504],
    backoff_factor=0.2,
    raise_on_status=False,
    respect_retry_after_header=False,
)
_http = urllib3.PoolManager(timeout=5, retries=_RETRIES)
_news = threading.Event()
_starting = threading.Lock()
_thread: threading.Thread | None = None


def wake() -> None:
    """There is something to do, now or soon."""
    start()
    _news.set()


def start() -> None:
    """Start the thread of this process if it does not run yet; what is due is then done."""
    global _thread
    with _starting:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="simulator-receipts", daemon=True)
            _thread.start()


def _run() -> None:
    while True:
        _news.clear()
        try:
            while entry := store.claim_due():
                _follow(entry)
            rest = _rest()
        except Exception:  # a full disk, say: whoever looks at the page must still get receipts
            _log.exception("the simulator could not go on; it tries again")
            rest = 1.0
        _news.wait(rest)


def _rest() -> float:
    """Seconds until there is something to do."""
    due = store.next_due()
    if due is None:
        return _LONGEST_REST
    return min(max((due - clock.now()).total_seconds(), 0.01), _LONGEST_REST)


def _follow(entry: Entry) -> None:
    """Tell the app of an entry's new status, and plan the next."""
    if entry.kind == "reply":
        _deliver_reply(entry)
        return
    fault = catalog().get(entry.fault or "")
    if entry.status == "undelivered" and fault:
        entry = replace(entry, error_code=fault.code)
        store.settle(entry.id, entry.status, entry.error_code)
    if entry.status == "sent" and not (fault and fault.kind == "phone_off"):
        following = "undelivered" if fault and fault.kind == "undelivered" else "delivered"
        store.plan(entry.id, following, clock.now() + timedelta(seconds=DELAY))
    if entry.callback:
        account = SimulatedAccount()
        _post(urlsplit(entry.callback), webhooks.receipt(account, account.accepted(entry)))


def _deliver_reply(entry: Entry) -> None:
    """POST a customer's reply, note what came of it, and show what the app answers at once."""
    answer = _post(urlsplit(INBOUND), _inbound(entry))
    if answer is None:
        store.settle(entry.id, "unreached")
    elif answer.status >= 300:
        store.settle(entry.id, "refused", answer.status)
    else:
        store.settle(entry.id, "received")
        for text in _spoken(answer.data):
            store.add("message", entry.number, text, "delivered", sid=f"SM{uuid.uuid4().hex}")


def _spoken(twiml: bytes) -> list[str]:
    """The messages in a TwiML answer: <Response><Message>text</Message></Response>."""
    try:
        messages = ElementTree.fromstring(twiml).iter("Message")  # noqa: S314 - our own app's answer
    except ElementTree.ParseError:
        return []
    return [text for message in messages if (text := "".join(message.itertext()).strip())]


def _post(url: SplitResult, fields: dict[str, str]) -> urllib3.BaseHTTPResponse | None:
    """POST a form to this address of our own app, signed as for PUBLIC_URL; None if nobody answers.

    Whatever host the URL names, the request goes to LOCAL_URL: it never leaves this machine.
    """
    path = url.path.removeprefix(settings().base_path) + (f"?{url.query}" if url.query else "")
    signed_url = settings().public_url + path
    headers = {
        "X-Twilio-Signature": webhooks.signature(
            settings().whatsapp_auth_token, signed_url, fields
        ),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    try:
        return _http.request(
            "POST",
            settings().local_url + path,
            body=urlencode(fields),
            headers=headers,
            redirect=False,
        )
    except urllib3.exceptions.HTTPError as error:
        _log.warning("a webhook of this app does not answer: %s", type(error).__name__)
        return None


def _inbound(entry: Entry) -> dict[str, str]:
    account = SimulatedAccount()
    fields: dict[str, str] = {}
    if entry.quoted:
        ours = f"whatsapp:{account.sender}"
        fields |= {"OriginalRepliedMessageSid": entry.quoted, "OriginalRepliedMessageSender": ours}
    if entry.payload:
        fields |= {
            "MessageType": "button",
            "ButtonText": entry.body,
            "ButtonPayload": entry.payload,
        }
    if entry.thing in THINGS:
        fields |= THINGS[entry.thing].fields
    return webhooks.inbound(account, entry.sid or "", entry.number, entry.body, **fields)
