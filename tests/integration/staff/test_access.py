"""Default deny: every route says who may call it, and is closed to everybody else."""

import json
import re

import httpx
import pytest
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler
from litestar.testing import TestClient
from litestar.utils.sync import AsyncCallable

from app.db import Database
from app.staff import guards
from app.web import problems
from tests.conftest import Configure
from tests.integration.conftest import Client
from tests.support.staff import HTMX, add_user, sign_in
from tests.support.web import shared_app

PUBLIC = {"/health", "/livez", "/readyz", "/static/{file_path:path}", "/login", "/setup"}
PUBLIC |= {"/join/{secret:str}", "/login/second", "/login/second/passkey"}
PUBLIC |= {"/login/forgotten"}
PUBLIC |= {"/calendar/{file:str}"}  # whoever has the link
ONLY_IN_DEVELOPMENT = {"/styleguide"}
ROLES = ("viewer", "staff", "owner")
SCHEMA = {"/schema", "/schema/{path:str}", "/schema/openapi.json", "/schema/openapi.yaml"}
SCHEMA |= {"/schema/openapi.yml"}

PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": "k" * 32,
    "PUBLIC_URL": "https://shop.example.com",
    "WHATSAPP_ACCOUNT_SID": "AC" + "0" * 32,
    "WHATSAPP_AUTH_TOKEN": "0" * 32,
    "WHATSAPP_FROM_NUMBER": "+15550001111",
}


def routes(app: Litestar) -> list[tuple[str, HTTPRouteHandler]]:
    """Every path and handler, but those for OPTIONS, which Litestar adds."""
    return [
        (route.path, handler)
        for route in app.routes
        for handler in route.route_handlers  # type: ignore[union-attr]
        if handler.http_methods != {"OPTIONS"}
    ]


@pytest.fixture
def production(configure: Configure) -> Litestar:
    """The app as production makes it; it only looks at its settings."""
    configure(**PRODUCTION, DATABASE_URL="postgresql://127.0.0.1:1/none")
    return shared_app()


def test_every_route_states_who_may_call_it(sqlite_api: Client) -> None:
    stated = routes(sqlite_api.app)
    assert len(stated) > 10
    for path, handler in stated:
        assert handler.opt.get("access") in guards.OPEN | guards.SCOPES | guards.ROLES, path


def test_no_guard_costs_a_request_a_thread(sqlite_api: Client) -> None:
    for path, handler in routes(sqlite_api.app):
        assert not [each for each in handler.resolve_guards() if isinstance(each, AsyncCallable)], (
            path
        )


def test_only_what_must_be_is_public(sqlite_api: Client, production: Litestar) -> None:
    in_development = {
        path for path, each in routes(sqlite_api.app) if each.opt["access"] == "public"
    }
    assert in_development == PUBLIC | SCHEMA | ONLY_IN_DEVELOPMENT
    in_production = {path for path, each in routes(production) if each.opt["access"] == "public"}
    assert in_production == PUBLIC


def test_what_changes_something_needs_a_token_that_may_write(sqlite_api: Client) -> None:
    for path, handler in routes(sqlite_api.app):
        if path.startswith("/api"):
            reads = handler.http_methods <= {"GET", "HEAD"}
            usual = "read" if reads else "write"
            assert handler.opt["access"] == ("manage" if "/tokens" in path else usual), path


def test_each_route_of_the_api_is_a_401_without_a_token(sqlite_api: Client) -> None:
    del sqlite_api.headers["Authorization"]
    checked = 0
    for path, handler in routes(sqlite_api.app):
        if path.startswith("/api") or path == "/metrics":
            address = path.replace("{booking_id:str}", "booking_1")
            address = re.sub("{[a-z_]+:int}", "1", address)
            address = address.replace("{barber_id:str}", "barber_1")
            address = re.sub("{[a-z_]+:str}", "absence_1", address)
            for method in handler.http_methods:
                answer = sqlite_api.request(method, address, json={})
                assert answer.status_code == 401, (method, path)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                checked += 1
    assert checked > 40


def pages(app: Litestar) -> list[tuple[str, str, str]]:
    """Of each route for people: method, an address, and the lowest role that may call it."""
    return [
        (
            method,
            re.sub(r"\{[^}]*\}", "x", re.sub(r"\{\w+:int\}", "1", path)),
            handler.opt["access"],
        )
        for path, handler in routes(app)
        for method in sorted(handler.http_methods - {"HEAD"})
        if handler.opt["access"] in ROLES
    ]


def test_each_page_leads_to_the_login_without_a_session_and_what_was_typed_stays(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    sign_in(sqlite_api, sqlite_db)
    sqlite_api.cookies.delete("chairtime")
    for method, address, _ in pages(sqlite_api.app):
        answer = sqlite_api.request(method, address)
        if method == "GET":
            assert answer.status_code == 303, address
            assert answer.headers["Location"].partition("?")[0] == "/login"
        else:
            assert answer.status_code == 401, address
            assert "<h1>You are logged out</h1>" in answer.text
        htmx = {**HTMX, "HX-Current-URL": "/queue?a=b"}
        answer = sqlite_api.request(method, address, headers=htmx)
        assert (answer.status_code, answer.text) == (401, ""), (method, address)
        said = json.loads(answer.headers["HX-Trigger"])["toast"]
        assert said["login"] == "/login?next=%2Fqueue%3Fa%3Db", (method, address)


def test_the_stream_of_an_open_page_is_told_so_and_led_nowhere(sqlite_api: Client) -> None:
    stream = {"Accept": "text/event-stream"}
    assert sqlite_api.get("/live", headers=stream).status_code == 401


@pytest.mark.parametrize("role", ROLES)
def test_each_page_is_refused_to_those_below_its_role(
    sqlite_api: Client, sqlite_db: Database, role: str
) -> None:
    sign_in(sqlite_api, sqlite_db, role)
    addresses = pages(sqlite_api.app)
    above = [page for page in addresses if ROLES.index(page[2]) > ROLES.index(role)]
    for method, address, _ in above:
        answer = sqlite_api.request(method, address, headers={"Accept": "text/html"})
        assert answer.status_code == 403, (method, address)
        assert f"yours is “{role}”" in answer.text


def test_no_page_can_be_changed_by_a_get_or_by_a_browser_that_does_not_say_from_where(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    sign_in(sqlite_api, sqlite_db)
    del sqlite_api.headers["Sec-Fetch-Site"]
    posts = [page for page in pages(sqlite_api.app) if page[0] != "GET"]
    assert posts
    for method, address, role in posts:
        assert sqlite_api.request(method, address).status_code == 403, address
        assert method == "POST", (address, role)


def test_a_session_is_no_token_and_a_token_no_session(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    secret = sqlite_api.headers["Authorization"]
    sign_in(sqlite_api, sqlite_db)
    assert sqlite_api.get("/api/bookings").status_code == 401
    sqlite_api.cookies.delete("chairtime")
    assert sqlite_api.post("/logout", headers={"Authorization": secret}).status_code == 401


def test_each_signed_route_is_a_403_without_a_signature(sqlite_api: Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    attempt = "6f6f6f6f-6f6f-4f6f-8f6f-6f6f6f6f6f6f"
    for path, handler in routes(sqlite_api.app):
        if handler.opt["access"] == "signed":
            address = path.replace("{attempt_id:uuid}", attempt)
            assert sqlite_api.post(address, content=b"a=b", headers=form).status_code == 403, path


def test_a_route_that_forgets_to_say_who_may_call_it_is_closed() -> None:
    @get("/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "secret"

    app = Litestar(
        [forgotten],
        guards=[guards.guard],
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    with TestClient(app) as client:
        assert client.get("/forgotten").status_code == 403


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("/login/", "/login"),
        ("//login", "/login"),
        ("/%6Cogin?next=%2Fa", "/login?next=%2Fa"),
        ("///static//css/base.css/", "/static/css/base.css"),
        ("/api/bookings/?q=a%26b", "/api/bookings?q=a%26b"),
        ("//evil.example/", "/evil.example"),
        ("/%C3%A9%e2%82%ac", "/%C3%A9%E2%82%AC"),
    ],
)
def test_another_spelling_of_an_address_leads_to_the_one(
    sqlite_api: Client, spelling: str, address: str
) -> None:
    url = httpx.URL("http://testserver.local").copy_with(raw_path=spelling.encode())
    answer = sqlite_api.get(url, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, address)
    assert sqlite_api.post(url).status_code == 404


@pytest.mark.parametrize(
    "spelling",
    [
        "/LOGIN",
        "/api%2Fbookings",
        "/login%5C",
        "/api/bookings/booking_1/reminders/01/retry",
        "/api/bookings/booking_1/reminders/%D9%A3/retry",
    ],
)
def test_other_spellings_are_no_address(sqlite_api: Client, spelling: str) -> None:
    url = httpx.URL("http://testserver.local").copy_with(raw_path=spelling.encode())
    for method in ("GET", "POST"):
        assert sqlite_api.request(method, url).status_code in {404, 405}, spelling
    assert sqlite_api.post(url).status_code == 404


def test_production_describes_its_api_only_to_those_with_a_token(production: Litestar) -> None:
    with TestClient(production, base_url="https://shop.example.com") as client:
        for path in ("/schema", "/schema/openapi.json", "/schema/openapi.yaml", "/schema/x"):
            assert client.get(path).status_code == 401, path


def test_production_does_not_serve_the_simulator(production: Litestar) -> None:
    assert not [path for path, _ in routes(production) if path.startswith("/simulator")]
    with TestClient(production, base_url="https://shop.example.com") as client:
        assert client.get("/simulator").status_code == 404


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("shop.example.com", "/nothing", 404),
        ("SHOP.example.com:8443", "/nothing", 404),
        ("10.0.0.5", "/nothing", 404),  # of ALLOWED_HOSTS
        ("127.0.0.1:3000", "/nothing", 404),
        ("[::1]:3000", "/nothing", 404),
        ("evil.example", "/nothing", 400),
        ("shop.example.com.evil.example", "/nothing", 400),
        ("evil.example", "/login", 400),
        ("172.17.0.4:3000", "/health", 503),  # a probe; there is no database here
        ("evil.example/health", "/health", 400),
    ],
)
def test_production_answers_only_to_its_own_names(
    configure: Configure, host: str, path: str, status: int
) -> None:
    database = "postgresql://127.0.0.1:1/none"
    configure(**PRODUCTION, DATABASE_URL=database, ALLOWED_HOSTS="10.0.0.5")
    with TestClient(shared_app(), raise_server_exceptions=False) as client:
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == status
        assert status != 400 or "Host" in answer.text or "ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize(
    ("host", "called", "status"),
    [
        ("127.0.0.1", "localhost:3000", 200),
        ("127.0.0.1", "127.0.0.1:3000", 200),
        ("127.0.0.1", "[::1]:3000", 200),
        ("127.0.0.1", "shop.example.com", 200),  # of PUBLIC_URL
        ("127.0.0.1", "bookings.internal", 200),  # of ALLOWED_HOSTS
        ("127.0.0.1", "evil.example:3000", 400),
        ("127.0.0.1", "192.168.1.5:3000", 400),
        ("192.168.1.5", "192.168.1.5:3000", 200),
        ("0.0.0.0", "192.168.1.5:3000", 200),
        ("0.0.0.0", "evil.example:3000", 400),
        ("::", "[fe80::1]:3000", 200),
    ],
)
def test_in_development_another_sites_name_that_leads_here_is_refused(
    sqlite_db: Database, configure: Configure, host: str, called: str, status: int
) -> None:
    configure(HOST=host, PUBLIC_URL="http://shop.example.com", ALLOWED_HOSTS="bookings.internal")
    add_user(sqlite_db)
    with TestClient(shared_app()) as client:
        answer = client.get("/login", headers={"Host": called})
        assert answer.status_code == status
        assert status == 200 or "ALLOWED_HOSTS" in answer.text
        sent = {"Host": called, "Origin": f"http://{called}"}
        answer = client.post("/login", headers=sent, data={"email": "x"})
        assert (answer.status_code == 400) == (status == 400)


def test_production_asks_browsers_for_https(production: Litestar) -> None:
    with TestClient(production, base_url="https://shop.example.com") as client:
        header = client.get("/nothing").headers["Strict-Transport-Security"]
    assert header == "max-age=31536000; includeSubDomains"


def test_only_static_files_may_be_kept_by_a_browser(sqlite_api: Client) -> None:
    answer = sqlite_api.get("/static/vendor/swagger-ui/start.js")
    assert answer.headers.get_list("Cache-Control") == ["max-age=600, public"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/static/../app/asgi.py", "/static/%2e%2e/app/asgi.py", "/static/", "/static"):
        assert sqlite_api.get(path).status_code == 404, path


def test_a_static_file_that_a_browser_has_is_a_304_without_its_bytes(sqlite_api: Client) -> None:
    path = "/static/css/base.css"
    first = sqlite_api.get(path)
    etag, changed = first.headers["ETag"], first.headers["Last-Modified"]
    for known in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"x", W/{etag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": changed},
        {"If-None-Match": etag, "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ):
        answer = sqlite_api.get(path, headers=known)
        assert (answer.status_code, answer.content) == (304, b""), known
        assert answer.headers["ETag"] == etag
        assert answer.headers.get_list("Cache-Control") == ["max-age=600, public"]
        assert not {"Content-Length", "Content-Type"} & answer.headers.keys()
    for other in (
        {"If-None-Match": '"x"'},
        {"If-None-Match": "no tag"},
        {"If-None-Match": '"x"', "If-Modified-Since": changed},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert sqlite_api.get(path, headers=other).content == first.content, other


@pytest.mark.parametrize("path", ["/api/bookings", "/health", "/nothing", "/schema"])
def test_every_answer_says_what_a_browser_may_do_with_it(sqlite_api: Client, path: str) -> None:
    headers = sqlite_api.get(path, headers={"Origin": "https://evil.example"}).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    assert "Strict-Transport-Security" not in headers
