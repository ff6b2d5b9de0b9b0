"""The receiver in JavaScript of docs/webhooks.md, run word for word: only its port is another."""

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx
from standardwebhooks import Webhook

from tests.clients.test_generated_clients import TOOLS
from tests.support.ports import free_port
from tests.support.processes import ROOT, wait_until

DOCUMENT = (ROOT / "docs" / "webhooks.md").read_text()
[EXAMPLE] = re.findall(r"^```js\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
[SECRET] = re.findall('new Webhook\\("(.*?)"\\)', EXAMPLE)
BODY = {"type": "booking.created", "data": {"booking": {"customerName": "Ana Silva"}}}


def signed(secret: str) -> dict[str, str]:
    at = datetime.now(UTC)
    signature = Webhook(secret).sign("event_1", at, json.dumps(BODY))
    return {
        "Content-Type": "application/json",
        "webhook-id": "event_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def test_it_takes_what_is_signed_once_and_refuses_what_is_not(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    (tmp_path / "receiver.mjs").write_text(EXAMPLE.replace("8000", str(port)))
    address = f"http://127.0.0.1:{port}/chairtime"

    def post(secret: str) -> int:
        body = json.dumps(BODY)
        return httpx.post(address, content=body, headers=signed(secret)).status_code

    def answers() -> bool:
        try:
            return httpx.get(address).status_code == 404
        except httpx.TransportError:
            return False

    with subprocess.Popen(
        ["node", "receiver.mjs"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as receiver:
        try:
            wait_until(answers, what="the receiver")
            assert [post(SECRET), post(SECRET)] == [204, 204]
            assert post("whsec_" + "A" * 32) == 400
        finally:
            receiver.terminate()
        assert receiver.stdout is not None
        assert receiver.stdout.read() == "booking.created Ana Silva\n", "it is told once"
