"""The templates at Twilio that messages are sent by: which are wanted, and what is wrong with one.

WhatsApp delivers only approved templates to somebody who has not written for 24 hours (Twilio
error 63016). A variable without a value would show them the template's sample, so a template that
has an unknown variable is not sent at all.
"""

from collections.abc import Iterable
from datetime import datetime

from app import clock
from app.channel import Channel
from app.customers import service as customers
from app.messages.compose import VARIABLES, content_sids
from app.messages.languages import KINDS
from app.models.shop import Shop
from app.settings import settings

NO_TEMPLATE = "63016"
NO_SUCH_TEMPLATE = "21655"
UNKNOWN_VARIABLES = "template_variables"


class NotUsable(Exception):
    """Nothing can be sent by this template; `code` is what explains it to staff."""

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(problem)
        self.code = code


def kinds(row: Shop) -> list[str]:
    """The kinds of messages that this shop sends by themselves: two are off by default."""
    return [kind for kind in KINDS if getattr(row, f"{kind}_on", True)]


def ask(sender: Channel, sids: Iterable[str]) -> None:
    """Ask for the variables of these templates.

    Raises NotUsable, and LookupFailed if Twilio cannot be asked: that happens once in the life of
    a process, unless there is something wrong with a template.
    """
    for sid in sids:
        if (sender, sid) not in _known:
            _known[sender, sid] = _ask(sender, sid)


def variables(sender: Channel, sid: str | None) -> frozenset[str] | None:
    """The variables that a template has, none without one; None until Twilio was asked."""
    return frozenset() if sid is None else _known.get((sender, sid))


def is_missing(kind: str, written_at: datetime | None) -> bool:
    """Whether messages of this kind have no template, and somebody who last wrote then would get
    none without it.
    """
    if kind == "answer" or content_sids(kind) or settings().simulator:
        return False
    return written_at is None or written_at + customers.WINDOW <= clock.now()


_known: dict[tuple[Channel, str], frozenset[str]] = {}


def _ask(sender: Channel, sid: str) -> frozenset[str]:
    template = sender.template(sid)
    if template is None:
        raise NotUsable(NO_SUCH_TEMPLATE, f"Twilio has no {sid}")
    if unknown := template.variables - VARIABLES:
        names = ", ".join(f"{{{{{name}}}}}" for name in sorted(unknown))
        known = ", ".join(sorted(VARIABLES))
        problem = f"has {names}, for which there is no value; there are {known}"
        raise NotUsable(UNKNOWN_VARIABLES, problem)
    return template.variables
