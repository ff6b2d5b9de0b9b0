"""What can be asked by GET, and who may ask: messages, the account, templates."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from app.simulator.core import resources
from app.simulator.core.account import Account
from app.simulator.core.resources import API_VERSION
from app.simulator.core.rules import Refused


def check_access(account: Account, path: str, authorization: str) -> None:
    """HTTP Basic with the account's SID and token, and the same SID in the path. Raises Refused."""
    sid = account.account_sid
    expected = "Basic " + base64.b64encode(f"{sid}:{account.auth_token}".encode()).decode()
    parts = _parts(path)
    is_ours = parts[:2] != [API_VERSION, "Accounts"] or parts[2:3] == [sid]
    if not (is_ours and secrets.compare_digest(authorization.encode(), expected.encode())):
        raise Refused(20003, "Authenticate", 401)


def answer(account: Account, path: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The resource at `path`, whose account is ours. Raises Refused if there is none."""
    match _parts(path):
        case [version, "Accounts", _] if version == API_VERSION:
            return resources.account(account)
        case [version, "Accounts", _, "Messages"] if version == API_VERSION:
            return resources.message_page(account, query)
        case [version, "Accounts", _, "Messages", sid] if version == API_VERSION:
            if message := account.find(sid):
                return resources.message(account.account_sid, message)
        case ["v1", "Content", sid]:
            if content := account.content(sid):
                return content
    raise Refused(20404, f"The requested resource {path} was not found", 404)


def is_list(path: str) -> bool:
    """Whether it is the path of the messages, where they are posted and listed."""
    parts = _parts(path)
    return [parts[:2], parts[3:]] == [[API_VERSION, "Accounts"], ["Messages"]]


def _parts(path: str) -> list[str]:
    return path.strip("/").removesuffix(".json").split("/")
