"""An SMTP server that keeps what it takes.

with Mailbox() as mailbox:
    configure(SMTP_URL=mailbox.url, MAIL_FROM="shop@example.com")
    ...
    assert mailbox.mails[0]["Subject"] == "…"
"""

import email
import email.policy
import ssl
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.support.ports import free_port

USER, PASSWORD = "shop", "p@ss/word"


class Mailbox:
    """It listens on 127.0.0.1. `answer` is what it says to each mail, `refused` to an address.

    With a `context` it demands STARTTLS and a login; `logins` are those that were right.
    """

    def __init__(self, context: ssl.SSLContext | None = None, *, port: int | None = None) -> None:
        self.mails: list[EmailMessage] = []
        self.logins: list[str] = []
        self.over_tls: list[bool] = []
        self.answer = "250 taken"
        self.refused: dict[str, str] = {}
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=port or free_port(),
            tls_context=context,
            require_starttls=context is not None,
            auth_required=context is not None,
            authenticator=self._authenticate,
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        return int(self._controller.port)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def _authenticate(
        self, _server: Any, session: Any, _envelope: Any, _how: str, given: Any
    ) -> Any:
        is_right = given == LoginPassword(USER.encode(), PASSWORD.encode())
        if is_right:
            self.logins.append(USER)
        return AuthResult(success=is_right, handled=False)

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.over_tls.append(session.ssl is not None)
        return self.answer
