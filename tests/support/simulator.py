"""The simulator alone: the app in `app()`, and the Granian that serves it in `Simulator`.

The app's webhooks only note what came in and whether it was signed.
"""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from litestar import Litestar, Request, Response, Router, get, post
from litestar.params import FromPath
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig
from twilio.twiml.messaging_response import MessagingResponse

from app.settings import Settings, read_settings, settings
from app.simulator import router
from app.web.headers import CONTENT_SECURITY_POLICY
from app.whatsapp.client import WhatsAppClient, WhatsAppConfig
from app.whatsapp.signature import is_signed, parse_form
from tests.support.ports import free_port
from tests.support.processes import ROOT, Process, wait_until


class Simulator:
    """The process. `environment` is added to ours; a second `start` keeps port and memory."""

    def __init__(self, folder: Path, workers: int = 1, **environment: str) -> None:
        self.port = free_port()
        self._folder, self._workers = folder, workers
        self._environment = {
            "PORT": str(self.port),
            "STATE_DIR": str(folder / "state"),
            "SEND_TIMEOUT": "0.6",
            "SEND_LEASE": "5",
            **environment,
        }
        self.settings: Settings = read_settings(self._environment)
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory"]
        command += ["--port", str(self.port), "--workers", str(self._workers)]
        command += ["--workers-kill-timeout", "2", "tests.support.simulator:app"]
        self._process = Process(command, self._environment, self._folder, "simulator")
        wait_until(self._answers, what="the simulator")

    def stop(self) -> None:
        if self._process is not None:
            with self._process:
                self._process = None

    def forget(self) -> None:
        """Nothing was ever written to anybody, and nothing goes wrong."""
        path = self._folder / "state" / "simulator.db"
        if path.exists():
            with closing(sqlite3.connect(path, timeout=10)) as memory, memory:
                for table in ("entry", "phone", "fault"):
                    memory.execute(f"DELETE FROM {table}")

    def client(self, **changes: Any) -> WhatsAppClient:
        """The real client, on this simulator's own settings."""
        config = {
            "account_sid": self.settings.whatsapp_account_sid,
            "auth_token": self.settings.whatsapp_auth_token,
            "sender": self.settings.whatsapp_from_number,
            "api_url": self.settings.whatsapp_api_url,
            "timeout": self.settings.send_timeout,
        }
        return WhatsAppClient(WhatsAppConfig(**{**config, **changes}))

    def received(self, path: str = "") -> list[dict[str, Any]]:
        """What the webhooks got, oldest first: `{path, signed, form}`."""
        answers = httpx.get(f"{self.url}/received", timeout=5).json()
        return [call for call in answers if call["path"].startswith(path)]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.is_running, self._process.output()
        try:
            return httpx.get(f"{self.url}/received", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


def app() -> Litestar:
    """The app that is served."""
    pages = TemplateConfig(directory=ROOT / "templates", engine=JinjaTemplateEngine)
    static = create_static_files_router(path="/static", directories=[ROOT / "static"])
    return Litestar(
        [router, static, Router(path="/", route_handlers=[status_hook, inbound_hook, received])],
        template_config=pages,
        after_request=_protect,
        openapi_config=None,
    )


@post("/webhooks/twilio/status/{attempt_id:str}", status_code=204)
async def status_hook(request: Request[Any, Any, Any], attempt_id: FromPath[str]) -> None:
    """Note a receipt."""
    await _note(request)


@post("/webhooks/twilio/inbound")
async def inbound_hook(request: Request[Any, Any, Any]) -> Response[str]:
    """Note a reply, and answer it by TwiML as it asks: "Say: Hello", or "HTTP: 503"."""
    await _note(request)
    kind, _, answer = parse_form(await request.body()).get("Body", "").partition(": ")
    twiml = MessagingResponse()
    if kind == "HTTP":
        return Response("", status_code=int(answer))
    if kind == "Say":
        twiml.message(answer)
    return Response(str(twiml), status_code=200, media_type="text/xml")


@get("/received")
async def received() -> list[dict[str, Any]]:
    """What was noted, by all processes."""
    path = _notes()
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _notes() -> Path:
    return settings().state_dir / "received.jsonl"


async def _note(request: Request[Any, Any, Any]) -> None:
    body = await request.body()
    signed = is_signed(
        tokens=[settings().whatsapp_auth_token],
        public_url=settings().public_url,
        raw_path=request.scope["raw_path"],
        raw_query=request.scope["query_string"],
        form=parse_form(body),
        body=body,
        headers=request.headers,
    )
    form = dict(parse_form(body).multi_items())
    line = {"path": urlsplit(str(request.url)).path, "signed": signed, "form": form}
    with _notes().open("a") as file:
        file.write(json.dumps(line) + "\n")


async def _protect(response: Response[Any]) -> Response[Any]:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
