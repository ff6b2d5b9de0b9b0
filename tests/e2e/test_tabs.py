"""Many tabs of one browser: one stream for all of them, which outlives whoever holds it."""

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.support.dashboard import Dashboard, live
from tests.support.processes import wait_until

SHOP: dict[str, str] = {}
TABS = 10


class Streams:
    """The streams that the tabs of a browser have opened, and those that still are."""

    def __init__(self, context: BrowserContext) -> None:
        self.opened: list[Page] = []
        self._open: list[Request] = []
        context.on("request", self._begin)
        context.on("requestfailed", self._end)

    @property
    def open(self) -> list[Page]:
        pages = [request.frame.page for request in self._open]
        return [page for page in pages if not page.is_closed()]

    def _begin(self, request: Request) -> None:
        if "/live?" in request.url:
            self.opened.append(request.frame.page)
            self._open.append(request)

    def _end(self, request: Request) -> None:
        if request in self._open:
            self._open.remove(request)


@pytest.fixture
def streams(context: BrowserContext) -> Streams:
    context.add_init_script(_LOOKED_AT)
    return Streams(context)


# Whether somebody looks: a browser without a window shows all its tabs at once.
_LOOKED_AT = """
  let hidden = false;
  Object.defineProperty(document, "hidden", { get: () => hidden });
  window.look = (is) => {
    hidden = !is;
    document.dispatchEvent(new Event("visibilitychange"));
  };
"""


def tab(context: BrowserContext, address: str = "/queue") -> Page:
    page = context.new_page()
    page.goto(address)
    live(page)
    return page


def shows(page: Page, number: int) -> None:
    expect(page.locator(".count b").first).to_have_text(f"{number}")


def test_ten_tabs_share_one_stream_and_all_show_what_happens(
    context: BrowserContext, shop: Dashboard, streams: Streams
) -> None:
    tabs = [tab(context) for _ in range(TABS)]
    shop.book(20_000)
    for page in tabs:
        shows(page, 2)
        expect(page.locator("#ahead")).to_contain_text("Luis Ortega")  # told, not fetched
    assert streams.opened == tabs[:1]
    tabs[0].close()  # who listened for all
    shop.book(20_000)
    for page in tabs[1:]:
        shows(page, 4)
    assert len(streams.opened) == 2
    assert streams.open == streams.opened[1:]


def test_hidden_tabs_have_no_stream_and_catch_up_when_they_are_looked_at(
    context: BrowserContext, shop: Dashboard, streams: Streams
) -> None:
    one, two = tab(context), tab(context)
    one.evaluate("look(false)")
    two.evaluate("look(false)")
    expect(one.locator("#ahead")).to_be_visible()
    nobody_leads = "navigator.locks.query().then(({ held }) => held.length === 0)"
    wait_until(lambda: two.evaluate(nobody_leads))
    shop.book(20_000)
    three = context.new_page()
    three.goto("/queue")
    live(three)
    shows(three, 2)
    assert streams.open == [three]
    one.evaluate("look(true)")
    shows(one, 2)
    expect(one.locator(".count b").first).to_have_text("2")
    shows(two, 0)
    two.evaluate("look(true)")
    shows(two, 2)
    assert streams.open == [three]


def test_a_tab_that_hears_nothing_takes_the_stream_from_one_that_hangs(
    context: BrowserContext, shop: Dashboard, streams: Streams
) -> None:
    leader = tab(context)
    page = context.new_page()
    page.clock.install()
    page.goto("/queue")
    live(page)
    context.new_cdp_session(leader).send("Page.setWebLifecycleState", {"state": "frozen"})
    page.clock.fast_forward(50_000)
    shop.book(20_000)
    shows(page, 2)
    first, *others = streams.opened
    assert (first, {*others}) == (leader, {page})  # one that breaks on a busy machine comes again


@pytest.mark.parametrize("missing", ["BroadcastChannel", "navigator.locks"])
def test_without_what_a_browser_may_lack_each_tab_that_is_looked_at_has_its_own(
    context: BrowserContext, shop: Dashboard, streams: Streams, missing: str
) -> None:
    *path, name = f"window.{missing}".split(".")
    gone = f"Object.defineProperty({'.'.join(path)}, '{name}', {{ value: undefined }});"
    context.add_init_script(gone)
    one, two = tab(context), tab(context)
    one.evaluate("look(false)")
    shop.book(20_000)
    shows(two, 2)
    one.evaluate("look(true)")
    shows(one, 2)
    assert streams.opened == [one, two, one]
