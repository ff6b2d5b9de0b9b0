"""The web app, as Granian imports it: `app.asgi:app`."""

import asyncio

from granian.utils.proxies import wrap_asgi_with_proxy_headers
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from app.bookings import api as bookings
from app.bookings import board
from app.bookings import forms as booking_forms
from app.bookings import pages as booking_pages
from app.conversations import pages as conversation_pages
from app.customers import forms as cost_forms
from app.customers import pages as customer_pages
from app.messages import api as messages
from app.messages import forms as text_forms
from app.messages import pages as message_pages
from app.queue import api as queue
from app.queue import live
from app.queue import pages as queue_pages
from app.settings import Settings, settings
from app.shop import pages as shop_pages
from app.staff import forms as staff_forms
from app.staff import pages as staff_pages
from app.web import access, csrf, error_pages, incoming, openapi, static, threads
from app.web.bodies import MAX_BODY
from app.web.compression import compression_config
from app.web.headers import security_headers
from app.web.pages import read_form
from app.web.templating import environment
from app.whatsapp import webhooks


def create_app() -> Litestar:
    """The web app for this process's settings. Raises SettingsError."""
    found = settings()
    app = Litestar(
        route_handlers=_routes(found),
        guards=[incoming.one_address, access.guard],
        exception_handlers=error_pages.HANDLERS,
        middleware=[threads.by_method, csrf.middleware()],
        compression_config=compression_config(),
        dependencies={"form": Provide(read_form)},
        before_send=[security_headers(is_https=found.public_url.startswith("https:"))],
        request_max_body_size=MAX_BODY,
        openapi_config=openapi.description("read" if found.production else "public"),
        template_config=TemplateConfig(
            instance=JinjaTemplateEngine.from_environment(environment())
        ),
        on_startup=[_limit_threads],
        lifespan=[live.lifespan],
        logging_config=None,
        debug=False,
    )
    app.asgi_handler = incoming.guarded(app.asgi_handler, found.answers_to)
    return app


def _routes(found: Settings) -> list[Router]:
    routes = [bookings.router, messages.router, queue.router, webhooks.router, static.router()]
    # Both have a handler for /bookings, which Litestar merges within a router alone.
    of_bookings = Router(
        "/", route_handlers=[booking_pages.router, booking_forms.router, conversation_pages.router]
    )
    routes += [staff_pages.router, live.router, board.router, of_bookings]
    routes += [message_pages.router, queue_pages.router]
    routes += [staff_forms.router, shop_pages.router]
    routes += [text_forms.router, cost_forms.router, customer_pages.router]
    if not found.production:
        from app.web import styleguide

        routes.append(styleguide.router)
    if found.simulator and not found.production:
        from app.whatsapp import simulator  # production never even loads it

        routes.append(simulator.router)
    return routes


async def _limit_threads() -> None:
    """The loop ends its default threads itself when it closes."""
    asyncio.get_running_loop().set_default_executor(threads.Threads())


# A login's address is the customer's own, not the proxy's; nobody else may say whose it is.
app = wrap_asgi_with_proxy_headers(create_app(), list(settings().trusted_proxies))
