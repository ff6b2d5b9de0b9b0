"""The web app, as Granian imports it: `app.asgi:app`."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from granian.utils.proxies import wrap_asgi_with_proxy_headers
from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from app import db, telemetry
from app.api import (
    availability,
    bookings,
    calendars,
    catalogue,
    conversation,
    customer_export,
    customers,
    hours,
    metrics,
    metrics_port,
    openapi,
    queue,
    shop_settings,
    time_off,
    tokens,
    twilio,
    waiting,
    webhooks,
)
from app.api import messages as all_messages
from app.api import reminders as messages
from app.dashboard import error_pages, live
from app.dashboard.bookings import form as booking_forms
from app.dashboard.bookings import notes as booking_notes
from app.dashboard.bookings import pages as booking_pages
from app.dashboard.bookings import replies as conversation_pages
from app.dashboard.bookings import series as series_pages
from app.dashboard.bookings import walk_in
from app.dashboard.customers import pages as customer_pages
from app.dashboard.failed import page as message_pages
from app.dashboard.numbers import page as number_pages
from app.dashboard.queue import page as queue_pages
from app.dashboard.settings import calendars as calendar_pages
from app.dashboard.settings import costs as cost_forms
from app.dashboard.settings import hours as hour_forms
from app.dashboard.settings import imports as import_pages
from app.dashboard.settings import shop as shop_pages
from app.dashboard.settings import strays as stray_forms
from app.dashboard.settings import texts as text_forms
from app.dashboard.settings import time_off as time_off_forms
from app.dashboard.settings import tokens as token_pages
from app.dashboard.settings import webhooks as webhook_pages
from app.dashboard.settings import words as word_forms
from app.dashboard.shell import read_form
from app.dashboard.staff import members as staff_forms
from app.dashboard.staff import pages as staff_pages
from app.dashboard.staff import second_factor, second_step
from app.dashboard.templating import environment
from app.dashboard.today import moves, page
from app.dashboard.waiting import page as waiting_pages
from app.dashboard.welcome import pages as welcome_pages
from app.messages.watch import Watch
from app.run import ready
from app.settings import Settings, settings
from app.staff import guards
from app.web import base_path, cors, incoming, measured, parameters, rate_limits, static, threads
from app.web.bodies import MAX_BODY
from app.web.compression import compression_config
from app.web.headers import security_headers
from app.web.request_ids import identified
from app.web.traced import traced


def create_app() -> Litestar:
    """The web app for this process's settings. Raises SettingsError."""
    env = settings()
    app = Litestar(
        route_handlers=_routes(env),
        guards=[_let_in],
        exception_handlers=error_pages.HANDLERS,
        middleware=[threads.by_method],
        compression_config=compression_config(),
        dependencies={"form": Provide(read_form)},
        before_send=[
            security_headers(is_https=env.public_url.startswith("https:")),
            rate_limits.add_headers,
        ],
        cors_config=cors.config(env.cors_origins),
        request_max_body_size=MAX_BODY,
        openapi_config=openapi.description("read" if env.production else "public"),
        template_config=TemplateConfig(
            instance=JinjaTemplateEngine.from_environment(environment())
        ),
        on_startup=[_limit_threads, _watch_connections, rate_limits.prepare, ready.note],
        on_shutdown=[rate_limits.close],
        lifespan=[live.lifespan, _watching, metrics_port.lifespan],
        logging_config=None,
        debug=False,
    )
    guarded = incoming.guarded(app.asgi_handler, error_pages.HANDLERS, env.answers_to)
    seen = identified(traced(measured.measured(guarded), telemetry.tracer()))
    app.asgi_handler = base_path.below(seen, env.base_path)
    return app


def _routes(env: Settings) -> list[Router]:
    routes = [
        bookings.router,
        availability.router,
        *catalogue.routers,
        customers.router,
        waiting.router,
        customer_export.router,
        hours.router,
        time_off.router,
        messages.router,
        all_messages.router,
        conversation.router,
        shop_settings.router,
        tokens.router,
        webhooks.router,
        queue.router,
        metrics.router,
        calendars.router,
        twilio.router,
        static.router(),
    ]
    # Two have a handler for /bookings, which Litestar merges within a router alone.
    pages = (booking_pages, booking_forms, booking_notes, walk_in, conversation_pages, series_pages)
    of_bookings = Router("/", route_handlers=[each.router for each in pages])
    routes += [staff_pages.router, live.router, page.router, moves.router, of_bookings]
    routes += [message_pages.router, queue_pages.router, number_pages.router]
    routes += [waiting_pages.router]
    routes += [second_step.router, second_factor.router]
    routes += [stray_forms.router]
    routes += [staff_forms.router, shop_pages.router, hour_forms.router]
    routes += [time_off_forms.router, import_pages.router, webhook_pages.router]
    routes += [welcome_pages.router, calendar_pages.router]
    routes += [token_pages.router]
    routes += [text_forms.router, word_forms.router, cost_forms.router, customer_pages.router]
    if not env.production:
        from app.dashboard import styleguide

        routes.append(styleguide.router)
    if env.simulator and not env.production:
        from app import simulator  # production never even loads them
        from app.demo import pages as demo_pages

        routes += [simulator.router, demo_pages.router]
    return routes


async def _let_in(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """All that is asked of each request whose route is known; raises what its parts raise.

    One, and asynchronous: Litestar copies the handler for each guard, and takes one that is not
    asynchronous into a thread.
    """
    incoming.one_address(connection, handler)
    await guards.guard(connection, handler)
    parameters.only_known(connection)


async def _limit_threads() -> None:
    """The loop ends its default threads itself when it closes."""
    asyncio.get_running_loop().set_default_executor(threads.Threads())


@asynccontextmanager
async def _watching(_: Litestar) -> AsyncIterator[None]:
    watch = Watch(is_web=True)
    watch.start()
    yield
    watch.stop()


async def _watch_connections() -> None:
    measured.watch_connections(db.database().engine)


telemetry.start("web")

# A login's address is the customer's own, not the proxy's; nobody else may say whose it is.
app = wrap_asgi_with_proxy_headers(create_app(), list(settings().trusted_proxies))

# What is loaded by now stays: the collector need not look through it at each of its turns and at
# the end, which took a tenth of a second.
gc.freeze()
