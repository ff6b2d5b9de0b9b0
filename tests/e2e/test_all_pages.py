"""What is true of every page: the list of them is taken from the app's own routes.

The shop is that of `chairtime demo`. What a single page does is tested beside it.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.asgi import create_app
from app.web import access
from tests.support.accessibility import serious_problems
from tests.support.dashboard import OWNER, problems_of
from tests.support.demo import DemoShop

NO_PAGES = {"/", "/health", "/live", "/bookings/preview", "/static/{file_path:path}"}
"""Asked for by GET, but a redirect, JSON, a stream, a fragment and files."""
OTHERS = ("/schema", "/simulator")
"""Have tests of their own."""

PHONE = {"width": 390, "height": 844}
FIRST_LOAD = 150_000  # bytes, as sent
NEXT_PAGE = 30_000


def paths(app: Litestar) -> list[str]:
    """The paths of all pages, as the routes have them."""
    found = {
        route.path
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if "GET" in handler.http_methods and handler.opt.get("access") in access.ROLES | {"public"}
    }
    return sorted(path for path in found - NO_PAGES if not path.startswith(OTHERS))


PATHS = paths(create_app())
PUBLIC = {"/setup", "/login"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoShop]:
    with DemoShop(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="module")
def session(shop: DemoShop, browser: Browser) -> Any:
    """The cookies of the owner's session, for each context of a browser."""
    context = browser.new_context()
    shop.log_in(context.new_page())
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="module")
def booking_id(shop: DemoShop, browser: Browser, session: Any) -> str:
    context = browser.new_context(storage_state=session)
    found = shop.booking(context.new_page()).removeprefix("/bookings/")
    context.close()
    return found


@pytest.fixture(scope="module")
def ownerless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoShop]:
    """One that nobody has set up."""
    with DemoShop(tmp_path_factory.mktemp("ownerless"), **dict.fromkeys(OWNER, "")) as running:
        yield running


@pytest.fixture
def address(path: str, shop: DemoShop, booking_id: str, request: pytest.FixtureRequest) -> str:
    """The page's address. A new kind of parameter in a path has to be filled in here."""
    if path == "/setup":
        shop = request.getfixturevalue("ownerless")
    filled = path.replace("{booking_id:str}", booking_id)
    assert "{" not in filled, f"{path}: what is its parameter?"
    return shop.url + filled


@pytest.fixture
def context(
    path: str, browser: Browser, session: Any, request: pytest.FixtureRequest
) -> Iterator[BrowserContext]:
    """A browser of the owner, or of nobody for the pages before the login."""
    options = getattr(request, "param", {})
    state = None if path in PUBLIC else session
    made = browser.new_context(storage_state=state, **options)
    yield made
    made.close()


def each_page(**contexts: Any) -> Any:
    """Run a test for each page, in each of these contexts of a browser."""

    def decorate(test: Any) -> Any:
        if contexts:
            ids = list(contexts)
            values = list(contexts.values())
            test = pytest.mark.parametrize("context", values, ids=ids, indirect=True)(test)
        return pytest.mark.parametrize("path", PATHS)(test)

    return decorate


def opened(page: Page, address: str) -> list[str]:
    """Open it until it is still; returns what the browser complains about, then and later."""
    problems = problems_of(page)
    answer = page.goto(address)
    assert answer is not None
    assert (answer.status, answer.url) == (200, address)
    if page.locator("#live").count():
        expect(page.locator("#live")).to_have_text("live")
    return problems


def test_the_list_of_pages_is_what_the_dashboard_has() -> None:
    assert {"/today", "/bookings", "/bookings/{booking_id:str}", "/failed", "/queue"} < set(PATHS)


@each_page(
    light={"color_scheme": "light"},
    dark={"color_scheme": "dark"},
    phone={"viewport": PHONE, "is_mobile": True, "has_touch": True},
)
def test_axe_and_the_browser_find_nothing_and_nothing_is_cut_off(
    context: BrowserContext, address: str
) -> None:
    page = context.new_page()
    problems = opened(page, address)
    assert serious_problems(page) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # type: ignore[index]
    assert problems == []


@each_page()
def test_everything_is_reached_by_tab_and_shows_its_focus(
    context: BrowserContext, address: str
) -> None:
    page = context.new_page()
    opened(page, address)
    page.evaluate(_FROM_THE_TOP)
    wanted = page.evaluate(_MARK_INTERACTIVE)
    met, unseen = set(), []
    for _ in range(wanted + 40):
        page.keyboard.press("Tab")
        mark, seen, what = page.evaluate(_FOCUSED)
        if mark is None or (mark in met and len(met) == wanted):
            break
        met.add(mark)
        if not seen:
            unseen.append(what)
    missed = set(range(wanted)) - met
    assert unseen == []
    assert [page.evaluate(_MARKED, each) for each in sorted(missed)] == []


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
  found.forEach((each, turn) => { each.dataset.mark = turn; });
  return found.length;
}"""

_FOCUSED = """() => {
  const here = document.activeElement;
  if (!here || here === document.body) return [null, true, ""];
  const isMarked = (each) => {
    const style = getComputedStyle(each);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
      || style.boxShadow !== "none";
  };
  const around = [here, here.closest("label"), here.parentElement].filter(Boolean);
  const box = here.getBoundingClientRect();
  const isOnScreen = box.bottom > 0 && box.top < innerHeight && box.width > 0;
  const mark = here.dataset.mark === undefined ? -1 : Number(here.dataset.mark);
  return [mark, isOnScreen && around.some(isMarked), here.outerHTML.slice(0, 160)];
}"""

_MARKED = "mark => document.querySelector(`[data-mark='${mark}']`)?.outerHTML.slice(0, 160)"


@each_page()
def test_the_skip_link_comes_first_and_leads_to_the_content(
    context: BrowserContext, address: str
) -> None:
    page = context.new_page()
    opened(page, address)
    page.evaluate(_FROM_THE_TOP)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


class Transfers:
    """What a page's tab gets by address, its cache empty at first: bytes as sent, and headers."""

    def __init__(self, page: Page) -> None:
        self.sizes: dict[str, int] = {}
        self.initiators: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.send("Network.clearBrowserCache")
        wire.on("Network.requestWillBeSent", self._begin)
        wire.on("Network.loadingFinished", self._end)

    def _begin(self, event: Any) -> None:
        address = event["request"]["url"]
        self._addresses[event["requestId"]] = address
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


@each_page()
def test_a_first_load_is_small_and_the_next_page_is_smaller(
    context: BrowserContext, address: str, path: str, shop: DemoShop
) -> None:
    page = context.new_page()
    transfers = Transfers(page)
    opened(page, address)
    page.wait_for_function("document.fonts.status === 'loaded'")
    first = transfers.total
    assert first < FIRST_LOAD, str(transfers)
    if path not in PUBLIC:
        page.goto(f"{shop.url}/failed")
    transfers.sizes.clear()
    opened(page, address)
    page.wait_for_function("document.fonts.status === 'loaded'")
    following = transfers.total
    assert following < NEXT_PAGE, str(transfers)
    print(f"\n{path}: {first / 1000:.1f} kB, then {following / 1000:.1f} kB")


@each_page()
def test_the_first_paint_waits_for_nothing_that_waits_for_something_else(
    context: BrowserContext, address: str
) -> None:
    page = context.new_page()
    transfers = Transfers(page)
    opened(page, address)
    asked_by_others = {
        each: by
        for each, by in transfers.initiators.items()
        if by not in {address, "other", "parser"} and not re.search(r"/live\?|^data:", each)
    }
    assert asked_by_others == {}
