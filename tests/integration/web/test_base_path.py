"""PUBLIC_URL with a path: no address leads out of it, and what comes in is as without one."""

import json
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from argon2 import PasswordHasher
from litestar.testing import TestClient

from app.db import Database
from app.settings import settings
from app.whatsapp.client import WEBHOOKS
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio.callbacks import signature
from tests.integration.conftest import SECRET, Client
from tests.support.staff import HTMX, add_user
from tests.support.valkey import Valkey
from tests.support.web import shared_app

BASE = "/book/chairs"
URL = f"https://shop.example.com{BASE}"
PASSWORD = "seven small green combs"
_LEADS_TO = re.compile(
    r'\s(?:href|src|action|formaction|data-base|hx-(?:get|post|put|patch|delete))="([^"]*)"'
)
_NOT_OURS = ("#", "-", "tel:", "mailto:", "data:", "https://")  # - is filled in by a script
_PLACES = re.compile(r"(booking|customer|import)_[0-9a-z]+|[0-9a-f]{16,}|barber_\d")


@pytest.fixture
def client(sqlite_shop: Database, valkey: Valkey, configure: Configure) -> Iterator[Client]:
    """The browser of an owner who has logged in by the form."""
    configure(PUBLIC_URL=URL)
    with sqlite_shop.write() as session:
        booking = factories.booking(session)
        factories.message(session, booking, "failed", error_code="63003")
    user = add_user(sqlite_shop, password_hash=PasswordHasher(1, 8, 1).hash(PASSWORD))
    with TestClient(shared_app(), base_url="https://shop.example.com") as browser:
        browser.follow_redirects = False
        browser.headers["Origin"] = "https://shop.example.com"
        form = {"email": user.email, "password": PASSWORD, "next": "/queue"}
        answer = browser.post(f"{BASE}/login", data=form)
        assert answer.headers["Location"] == f"{BASE}/queue"
        yield browser


def test_no_page_has_an_address_that_leaves_the_path(client: Client) -> None:
    """Each kind of page that a link leads to, from Today on."""
    waiting, seen = [f"{BASE}/", f"{BASE}/schema", f"{BASE}/simulator"], set[str]()
    while waiting:
        address = waiting.pop()
        if (kind := _PLACES.sub("…", urlsplit(address).path)) in seen:
            continue
        seen.add(kind)
        answer = client.get(address, follow_redirects=False)
        assert answer.status_code in {200, 303, 405}, address  # a form may be posted only
        found = [unescape(each) for each in _LEADS_TO.findall(answer.text)]
        found += filter(None, [answer.headers.get("Location")])
        led = [urljoin(address, each) for each in found if each and not each.startswith(_NOT_OURS)]
        assert [each for each in led if not each.startswith(f"{BASE}/")] == [], address
        waiting += [each.partition("#")[0] for each in led if f"{BASE}/static/" not in each]
    assert {f"{BASE}/{each}" for each in ("bookings/…/edit", "failed", "settings/texts")} <= seen


def test_htmx_is_led_below_the_path_as_well(client: Client) -> None:
    here = {**HTMX, "HX-Current-URL": f"{URL}/queue"}
    answer = client.post(f"{BASE}/queue/pause", headers=here)
    assert answer.headers["HX-Location"] == f"{BASE}/queue"
    there = {**HTMX, "HX-Current-URL": f"{URL}/today"}
    answer = client.post(f"{BASE}/queue/resume", headers=there)
    assert answer.headers["HX-Redirect"] == f"{BASE}/queue"
    searched = client.get(f"{BASE}/bookings?q=x", headers=here)
    assert searched.headers["HX-Push-Url"].startswith(f"{BASE}/bookings?")


def test_cookies_are_of_the_path_alone(client: Client) -> None:
    assert {each.path for each in client.cookies.jar} == {BASE}
    assert "__Secure-chairtime" in client.cookies
    client.post(f"{BASE}/look", data={"theme": "dark", "next": "/today"})
    assert 'data-theme="dark"' in client.get(f"{BASE}/styleguide").text
    client.post(f"{BASE}/logout")
    assert client.get(f"{BASE}/today").headers["Location"] == f"{BASE}/login?next=%2Ftoday"


def test_who_is_logged_out_comes_back_to_the_page_they_were_on(client: Client) -> None:
    client.cookies.clear()
    htmx = {**HTMX, "HX-Current-URL": f"{URL}/bookings?q=x"}
    toast = json.loads(client.post(f"{BASE}/queue/pause", headers=htmx).headers["HX-Trigger"])
    assert toast["toast"]["login"] == "/login?next=%2Fbookings%3Fq%3Dx"
    form = client.post(f"{BASE}/queue/pause", headers={"Referer": f"{URL}/queue"})
    assert f'href="{BASE}/login?next=%2Fqueue"' in form.text


def test_the_api_names_its_places_below_the_path(client: Client) -> None:
    client.cookies.clear()
    token = {"Authorization": f"Bearer {SECRET}"}
    made = client.post(f"{BASE}/api/services", json={"name": "Fade", "minutes": 20}, headers=token)
    assert made.headers["Location"] == f"{BASE}/api/services/{made.json()['id']}"
    document = client.get(f"{BASE}/schema/openapi.json").json()
    assert document["servers"] == [{"url": BASE}]


def test_twilio_signs_over_the_whole_address(client: Client) -> None:
    env, path = settings(), f"{WEBHOOKS}/status/{'6f' * 16}"
    form = {"AccountSid": env.whatsapp_account_sid, "MessageSid": "SM1", "MessageStatus": "sent"}
    for url, status in ((URL + path, 204), (f"https://shop.example.com{path}", 403)):
        signed = {"X-Twilio-Signature": signature(env.whatsapp_auth_token, url, form)}
        assert client.post(BASE + path, data=form, headers=signed).status_code == status


def test_a_proxy_may_take_the_path_off_and_probes_may_leave_it_out(client: Client) -> None:
    assert client.get("/livez", headers={"Host": "10.0.0.7:3000"}).status_code == 200
    client.cookies.clear()
    assert f'action="{BASE}/login"' in client.get("/login").text
    assert client.get(f"{BASE}x/livez").status_code == 404


@pytest.mark.parametrize("path", [BASE, f"{BASE}/", f"{BASE}//"])
def test_the_path_itself_leads_to_today(client: Client, path: str) -> None:
    answer = client.get(path)
    while answer.headers["Location"] != f"{BASE}/today":
        assert answer.headers["Location"].startswith(BASE)
        answer = client.get(answer.headers["Location"])
