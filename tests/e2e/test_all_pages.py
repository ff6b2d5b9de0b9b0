"""What is true of every page: the list of them is taken from the app's own routes.

The shop is that of `chairtime demo`, below a path of its host (docs/adr/0064). What a
single page does is tested beside it. Each page is opened once, and then looked at by
all tests.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.asgi import create_app
from app.staff import guards
from app.web.rendered_once import SNAPSHOT
from tests.fake_twilio import FakeTwilio
from tests.support.accessibility import serious_problems
from tests.support.dashboard import PHONE, assert_fits, problems_of
from tests.support.demo import DemoShop
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

NO_PAGES = {
    "/",
    "/welcome",
    "/health",
    "/livez",
    "/readyz",
    "/live",
    "/navigation",
    "/login/second",
    "/static/{file_path:path}",
}
FILES = (".csv",)
"""Asked for by GET, but a redirect, JSON, a stream, a part of others and files."""
OTHERS = ("/schema", "/simulator", "/calendar/")
"""Have tests of their own."""

WIDE: ViewportSize = {"width": 1280, "height": 720}
FIRST_LOAD = 150_000  # bytes, as sent
NEXT_PAGE = 30_000


def paths(app: Litestar) -> list[str]:
    """The paths of all pages, as the routes have them."""
    addresses = {
        route.path
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if "GET" in handler.http_methods and handler.opt.get("access") in guards.ROLES | {"public"}
    }
    shown = (path for path in addresses - NO_PAGES if not path.endswith(FILES))
    return sorted(path for path in shown if not path.startswith(OTHERS))


PATHS = paths(create_app())
PUBLIC = {"/setup", "/login", "/login/forgotten", "/join/{secret:str}"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoShop]:
    with DemoShop(tmp_path_factory.mktemp("demo"), base="/chairs") as running:
        yield running


@pytest.fixture(scope="module")
def owner(shop: DemoShop, browser: Browser) -> Iterator[Page]:
    """The tab of the owner, for all of their pages: each in a new one would take longer."""
    page = new_tab(browser)
    shop.log_in(page)
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def nobody(browser: Browser) -> Iterator[Page]:
    """The tab of somebody who is not logged in."""
    page = new_tab(browser)
    yield page
    page.context.close()


def new_tab(browser: Browser) -> Page:
    return browser.new_context(viewport=WIDE, reduced_motion="reduce").new_page()


@pytest.fixture(scope="module")
def booking_id(shop: DemoShop, owner: Page) -> str:
    """One that does not begin while the tests run, for then it can no longer be changed."""
    later = f"/bookings?from={datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    return shop.booking(owner, later).removeprefix("/bookings/")


@pytest.fixture(scope="module")
def join_address(shop: DemoShop, owner: Page) -> str:
    """A link by which somebody chooses their password."""
    owner.goto(f"{shop.url}/staff")
    owner.get_by_role("link", name="Theo Lang").click()
    owner.get_by_role("button", name="Make a link").click()
    return owner.locator("code", has_text="/join/").inner_text()


@pytest.fixture(scope="module")
def import_address(shop: DemoShop, owner: Page) -> str:
    """A file of bookings that was checked, some of them wrong."""
    owner.goto(f"{shop.url}/settings/import")
    owner.get_by_label("Bookings, those").check()
    rows = [
        "Date,Time,Service,Staff,Client,Phone",
        "2024-05-04,10:00,Haircut,Sam,Ana,+447700900001",
    ]
    rows += [f"soon,10:00,Fade,Nobody,Client {number},12" for number in range(30)]
    file = {"name": "diary.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    owner.locator("#file").set_input_files(file)
    owner.get_by_role("button", name="Look at the file").click()
    expect(owner.get_by_role("heading", name="30 wrong rows")).to_be_visible()
    return owner.url


@pytest.fixture(scope="module")
def delivery(shop: DemoShop, owner: Page) -> tuple[str, str]:
    """A webhook that nobody listens at, and what it was sent."""
    owner.goto(f"{shop.url}/settings/webhooks")
    owner.get_by_label("Address").fill("http://127.0.0.1:9/nobody")
    owner.get_by_role("button", name="Add webhook").click()
    expect(owner.get_by_text("whsec_")).to_be_visible()
    owner.get_by_role("button", name="Send an example").click()
    expect(owner.get_by_role("heading", name="What was sent")).to_be_visible()
    expect(owner.get_by_text("It cannot be reached")).to_be_visible()
    webhook, _, sent = owner.url.partition("/settings/webhooks/")[2].partition("/deliveries/")
    return webhook, sent


@pytest.fixture(scope="module")
def calendar_link(shop: DemoShop, owner: Page) -> None:
    """The shop's calendar has a link."""
    owner.goto(f"{shop.url}/settings/calendars")
    owner.get_by_role("button", name="Make a link for The whole shop").click()
    expect(owner.get_by_role("img", name="QR code of the link for The whole shop")).to_be_visible()


@pytest.fixture(scope="module")
def ownerless(
    tmp_path_factory: pytest.TempPathFactory, _valkey_server: Valkey
) -> Iterator[RunningShop]:
    """A shop that nobody has set up."""
    _valkey_server.start()
    folder = tmp_path_factory.mktemp("ownerless")
    with (
        FakeTwilio() as twilio,
        RunningShop(folder, twilio, _valkey_server, with_worker=False) as running,
    ):
        yield running


class Transfers:
    """What a page's tab gets by address, its cache empty at first: bytes as sent, and headers."""

    def __init__(self, page: Page) -> None:
        self.sizes: dict[str, int] = {}
        self.initiators: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._wire = wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.send("Network.clearBrowserCache")
        wire.on("Network.requestWillBeSent", self._begin)
        wire.on("Network.loadingFinished", self._end)

    def end(self) -> None:
        self._wire.detach()

    def _begin(self, event: Any) -> None:
        address = event["request"]["url"]
        self._addresses[event["requestId"]] = address
        if SNAPSHOT not in event["request"]["headers"]:  # else a change was told as the page came
            self.initiators[address] = event["initiator"].get("url", event["initiator"]["type"])

    def _end(self, event: Any) -> None:
        address = self._addresses.get(event["requestId"], "")
        if not address.startswith("data:"):
            self.sizes[address] = int(event["encodedDataLength"])

    @property
    def total(self) -> int:
        return sum(self.sizes.values())

    def __str__(self) -> str:
        largest = sorted(self.sizes.items(), key=lambda each: -each[1])
        return "\n".join(f"{size / 1000:8.1f} kB  {address}" for address, size in largest)


@dataclass(frozen=True)
class Visit:
    """A page that is open and still: what came for it, and what the browser complains about."""

    path: str
    address: str
    page: Page
    transfers: Transfers
    first_load: int
    problems: list[str]


@pytest.fixture(scope="module", params=PATHS)
def visit(
    request: pytest.FixtureRequest, shop: DemoShop, owner: Page, nobody: Page
) -> Iterator[Visit]:
    """Each page, seen by the owner, or by nobody if it is from before the login."""
    path: str = request.param
    address = _address(path, shop, request)
    page = nobody if path in PUBLIC else owner
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    problems, transfers = problems_of(page), Transfers(page)
    open_until_still(page, address)
    yield Visit(path, address, page, transfers, transfers.total, problems)
    transfers.end()
    page.evaluate("sessionStorage.clear()")


def _address(path: str, shop: DemoShop, request: pytest.FixtureRequest) -> str:
    """The page's address. A new kind of parameter in a path has to be filled in here."""
    if path == "/setup":
        running: RunningShop = request.getfixturevalue("ownerless")
        return running.environment["PUBLIC_URL"] + path
    if "{booking_id:str}" in path:
        path = path.replace("{booking_id:str}", request.getfixturevalue("booking_id"))
    if "{secret:str}" in path:
        return str(request.getfixturevalue("join_address"))
    if "{import_id:str}" in path:
        return str(request.getfixturevalue("import_address"))
    if path == "/settings/calendars":
        request.getfixturevalue("calendar_link")
    if "{webhook_id:str}" in path:
        webhook_id, delivery_id = request.getfixturevalue("delivery")
        path = path.replace("{webhook_id:str}", webhook_id)
        path = path.replace("{delivery_id:int}", delivery_id)
    path = path.replace("{kind:str}", "moved").replace("{barber_id:str}", "barber_1")
    path = path.replace("{step:str}", "reminders")
    assert "{" not in path, f"{path}: what is its parameter?"
    return shop.url + path


def open_until_still(page: Page, address: str) -> None:
    answer = page.goto(address)
    assert answer is not None
    assert (answer.status, answer.url) == (200, address)
    page.evaluate("document.fonts.ready.then(() => {})")
    if page.locator("#live").count():
        expect(page.locator("#live")).to_have_text("live")


def test_the_list_of_pages_is_what_the_dashboard_has() -> None:
    assert {"/today", "/bookings", "/bookings/{booking_id:str}", "/failed", "/queue"} < set(PATHS)


def test_the_first_load_is_small_and_nothing_in_it_waits_for_something_else(visit: Visit) -> None:
    transfers = visit.transfers
    assert visit.first_load < FIRST_LOAD, str(transfers)
    asked_by_others = {
        each: by
        for each, by in transfers.initiators.items()
        if by not in {visit.address, "other", "parser"} and not re.search(r"/live\?|^data:", each)
    }
    assert asked_by_others == {}


def test_no_address_leaves_the_path_of_the_shop(visit: Visit, shop: DemoShop) -> None:
    has_no_path = visit.path == "/setup"  # of another shop
    base, url = ("", visit.address.removesuffix("/setup")) if has_no_path else (shop.base, shop.url)
    assert visit.page.evaluate(_LEAVING, base) == []
    assert [each for each in visit.transfers.initiators if not _is_below(each, url)] == []


def _is_below(address: str, url: str) -> bool:
    return address.startswith((f"{url}/", "data:"))


_LEAVING = """base => {
  const names = ["href", "src", "action", "formaction", "hx-get", "hx-post"];
  return [...document.querySelectorAll(names.map((name) => `[${name}]`))]
    .flatMap((each) => names.map((name) => each.getAttribute(name)))
    .filter((address) => address?.startsWith("/") && !address.startsWith(`${base}/`));
}"""


def test_the_skip_link_comes_first_and_leads_to_the_content(visit: Visit) -> None:
    page = visit.page
    page.evaluate(_FROM_THE_TOP)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_everything_is_reached_by_tab_and_shows_its_focus(visit: Visit) -> None:
    page = visit.page
    page.evaluate(_FROM_THE_TOP)
    wanted = page.evaluate(_MARK_INTERACTIVE)
    parts = 3 * page.locator("input[type=time]").count()  # hour, minute, half and picker
    page.evaluate(_LOOK_BEFORE_EACH_KEY)
    for _ in range(0, wanted + parts + 40, _AT_A_TIME):
        for _ in range(_AT_A_TIME):
            page.keyboard.press("Tab")
        if not page.evaluate(_MISSED):
            break
    assert page.evaluate("window.unseen") == []
    assert page.evaluate(_MISSED) == []


_AT_A_TIME = 16
"""Keys between two looks at the page: to look takes as long as to press."""

# A field with autofocus would else be where Tab goes on from.
_FROM_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""

# What a person can use: the radio buttons of a group are one stop, and what is hidden is none.
_MARK_INTERACTIVE = """() => {
  const isShown = (each) => each.checkVisibility({ visibilityProperty: true })
    && !each.closest("[inert]");
  const found = [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
    .filter((each) => isShown(each) && !each.disabled && each.tabIndex >= 0)
    .filter((each) => {
      if (each.type !== "radio") return true;
      const group = [...document.getElementsByName(each.name)];
      const stop = group.find((one) => one.checked) ?? group[0];
      return each === stop;
    });
  window.marked = found;  // not an attribute: a live update would take it away
  return found.length;
}"""

_LOOK_BEFORE_EACH_KEY = """() => {
  window.met = new Set();
  window.unseen = [];
  const isMarked = (each) => {
    const style = getComputedStyle(each);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
      || style.boxShadow !== "none";
  };
  const isSeen = (here) => {
    const around = [here, here.closest("label"), here.parentElement].filter(Boolean);
    const box = here.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight && box.width > 0 && around.some(isMarked);
  };
  window.addEventListener("keydown", () => {
    const here = document.activeElement;
    if (!here || here === document.body) return;
    window.met.add(here);
    if (!isSeen(here)) window.unseen.push(here.outerHTML.slice(0, 160));
  }, true);
}"""

# A list that is live may have lost some on the way.
_MISSED = """() => window.marked.filter((each) => each.isConnected && !window.met.has(each))
  .map((each) => each.outerHTML.slice(0, 160))"""


def test_axe_finds_nothing_and_nothing_is_cut_off_in_any_look(visit: Visit) -> None:
    looks: Any = (("light", WIDE), ("dark", WIDE), ("dark", PHONE))
    for scheme, size in looks:
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.set_viewport_size(size)
        colours_alone = (scheme, size) == ("dark", WIDE)  # the page is the same in all else
        assert serious_problems(visit.page, colours_alone=colours_alone) == []
        assert_fits(visit.page)


def test_the_next_load_is_smaller_still(visit: Visit) -> None:
    page, transfers = visit.page, visit.transfers
    transfers.sizes.clear()
    open_until_still(page, visit.address)
    assert transfers.total < NEXT_PAGE, str(transfers)
    print(f"\n{visit.path}: {visit.first_load / 1000:.1f} kB, then {transfers.total / 1000:.1f} kB")


WRONG_NUMBERS = ["/bookings/new", "/bookings/{booking_id:str}/edit", "/failed", "/simulator"]
"""Where a number is typed."""


@pytest.mark.parametrize("path", WRONG_NUMBERS)
def test_a_number_that_is_wrong_is_told_within_our_policy(
    shop: DemoShop, owner: Page, booking_id: str, path: str
) -> None:
    page = owner.context.new_page()
    problems = problems_of(page)
    page.goto(shop.url + path.replace("{booking_id:str}", booking_id))
    if path == "/failed":
        page.locator(".failed-correct summary").first.click()
    field = page.locator("input[type=tel]:visible").first
    field.fill("12 34")
    field.evaluate("field => { field.form.noValidate = true; }")
    field.press("Enter")
    wrong = page.locator("input[type=tel][aria-invalid=true]:visible").first
    expect(wrong).to_have_accessible_description(re.compile("country code, such as"))
    assert [each for each in problems if "status of 422" not in each] == []
    page.close()


def test_the_browser_complained_about_nothing_in_all_that(visit: Visit) -> None:
    assert visit.problems == []
