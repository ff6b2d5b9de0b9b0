"""How pages look where colours are the system's own (Windows' high contrast), and on paper."""

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.dashboard import Dashboard, live

SHOP: dict[str, str] = {}


def look_of(element: Locator, pseudo: str = "") -> Any:
    """What tells it from another where its colours are the system's."""
    return element.evaluate(_LOOK, pseudo)


_LOOK = """(element, pseudo) => {
  const style = getComputedStyle(element, pseudo || null);
  const names = ["backgroundColor", "borderStyle", "borderRadius", "width"];
  return names.map((name) => style[name]).join(" ");
}"""


def test_with_forced_colours_each_state_has_a_look_of_its_own(page: Page, shop: Dashboard) -> None:
    page.emulate_media(forced_colors="active")
    sent = shop.book(20_000)
    shop.remind(sent)
    page.goto("/today")
    live(page)
    current, other = (page.locator("#nav").get_by_role("link", name=name) for name in _LINKS)
    assert look_of(current) != look_of(other)
    dot = look_of(page.locator("#live"), "::before")
    assert "rgba(0, 0, 0, 0)" not in dot
    assert dot.startswith(page.evaluate(_CANVAS_TEXT))
    page.goto(f"/bookings/{sent['id']}")
    expect(page.locator(".timeline-item.is-ok")).to_have_count(1)
    done = look_of(page.locator(".timeline-item.is-ok .timeline-dot"), "::before")
    assert done != look_of(
        page.locator(".timeline-item.is-planned .timeline-dot").first, "::before"
    )
    page.goto("/styleguide")
    looks = [look_of(page.locator(f".bead.is-{state}").first) for state in _STATES]
    assert len(set(looks)) == len(_STATES)
    page.goto("/bookings/new?barber=barber_1&at=2026-12-30T10:00:00Z")
    page.get_by_label("Service").select_option("haircut")
    for group in ("#consent", "#chips"):
        chips = page.locator(f"{group} .chip")
        chips.last.click()
        expect(chips.last.locator("input")).to_be_checked()
        assert look_of(chips.last) != look_of(chips.first)
        assert chips.last.evaluate("e => getComputedStyle(e, '::before').content") == '"✓"'


_LINKS = ("Today", "Bookings")
_STATES = ("ok", "planned", "bad", "none")
_CANVAS_TEXT = """() => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.className = "bead is-ok";
  const { backgroundColor } = getComputedStyle(probe);
  probe.remove();
  return backgroundColor;
}"""


def test_a_printed_board_has_the_shop_the_numbers_and_no_block_over_another(
    page: Page, shop: Dashboard
) -> None:
    shop.sql("UPDATE service SET minutes = 20 WHERE id = 'beard-trim'")
    bookings = [
        shop.book(
            0,
            customerName=f"Customer {number} Whitfield",
            serviceId=service,
            scheduledTime=f"2026-12-30T10:{minute:02}:00Z",
        )
        for number, (minute, service) in enumerate(
            [(0, "beard-trim"), (20, "beard-trim"), (40, "haircut")]
        )
    ]
    page.goto("/today?date=2026-12-30")
    page.emulate_media(media="print")
    expect(page.locator(".print-head")).to_contain_text("The barbershop")
    ends = 0.0
    for booking in bookings:
        block = page.locator(f"#block-{booking['id']}")
        expect(block.locator(".block-phone")).to_be_visible()
        expect(block.locator(".block-phone")).to_contain_text(booking["customerPhone"][-4:])
        assert block.locator(".block-open").evaluate(_IS_WHOLE)
        what, phone = (
            block.locator(each).bounding_box() for each in (".block-what", ".block-phone")
        )
        assert what
        assert phone
        assert (what["y"], what["x"]) < (phone["y"], phone["x"])
        box = block.bounding_box()
        assert box is not None
        assert box["y"] >= ends
        ends = box["y"] + box["height"]
    page.emulate_media(media="screen")
    expect(page.locator(".block-phone").first).to_be_hidden()


_IS_WHOLE = """(open) => {
  const { bottom, right } = open.closest(".block").getBoundingClientRect();
  return [...open.children].filter((each) => each.checkVisibility()).every((each) => {
    const box = each.getBoundingClientRect();
    return box.bottom <= bottom + 0.5 && (box.right <= right + 0.5 || each.matches(".block-what"));
  });
}"""


def test_paper_has_nothing_to_press_or_to_type_into(page: Page, shop: Dashboard) -> None:
    booking = shop.book(20_000)
    for address in ("/bookings", f"/bookings/{booking['id']}"):
        page.goto(address)
        page.emulate_media(media="print")
        expect(page.locator("main")).to_contain_text(booking["customerName"])
        assert page.locator(_CONTROLS).evaluate_all(_HOW_MANY_ARE_SEEN) == 0
        page.emulate_media(media="screen")
        assert page.locator(_CONTROLS).evaluate_all(_HOW_MANY_ARE_SEEN) > 0


_CONTROLS = "main :is(button, input, select, textarea, .button, .tabs)"
_HOW_MANY_ARE_SEEN = "all => all.filter((each) => each.checkVisibility()).length"


def test_on_a_tablet_nothing_is_cut_off_in_the_header_and_in_the_tables(
    page: Page, shop: Dashboard
) -> None:
    shop.book(20_000)
    for width in (768, 820, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        for address in ("/bookings", "/customers"):
            page.goto(address)
            for what in ("#today-is", ".table-wrap"):
                fits = "each => each.scrollWidth <= each.clientWidth"
                assert page.locator(what).evaluate(fits), (width, address, what)
