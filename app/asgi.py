"""The web app, as Granian imports it: `app.asgi:app`."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from litestar import Litestar, Router
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig

from app.bookings import api as bookings
from app.messages import api as messages
from app.queue import api as queue
from app.settings import Settings, settings
from app.web import access, openapi, problems
from app.web.bodies import MAX_BODY
from app.web.headers import security_headers
from app.whatsapp import webhooks

ROOT = Path(__file__).parent.parent

THREADS = 4
"""Threads of the sync handlers: more of them fight for the interpreter and answer fewer."""


def create_app() -> Litestar:
    """The web app for this process's settings. Raises SettingsError."""
    found = settings()
    return Litestar(
        route_handlers=_routes(found),
        guards=[access.guard],
        exception_handlers=problems.HANDLERS,
        before_send=[security_headers(is_https=found.public_url.startswith("https:"))],
        request_max_body_size=MAX_BODY,
        openapi_config=openapi.description("read" if found.production else "public"),
        template_config=TemplateConfig(directory=ROOT / "templates", engine=JinjaTemplateEngine),
        on_startup=[_limit_threads],
        logging_config=None,
        debug=False,
    )


def _routes(found: Settings) -> list[Router]:
    static = create_static_files_router("/static", [ROOT / "static"], opt={"access": "public"})
    routes = [bookings.router, messages.router, queue.router, webhooks.router, static]
    if found.simulator and not found.production:
        from app.whatsapp import simulator  # production never even loads it

        routes.append(simulator.router)
    return routes


async def _limit_threads() -> None:
    """The loop ends its default threads itself when it closes."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "handler"))


app = create_app()
