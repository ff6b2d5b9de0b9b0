"""axe-core on a page in a browser: what of it somebody could not see, reach or understand.

assert serious_problems(page) == []
"""

from pathlib import Path

from playwright.sync_api import Page

_AXE = next((Path(__file__).parents[1] / "e2e" / "vendor").glob("axe-*.min.js"))

_RUN = """async () => (await axe.run()).violations.flatMap((rule) =>
  rule.nodes.map((node) => [rule.impact, rule.id, node.target.join(" "), node.failureSummary]))"""


def serious_problems(page: Page) -> list[str]:
    """What axe finds serious or critical, each with its rule, its place and what would help."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text("utf-8"))
    return [
        f"{rule}: {place}: {help}"
        for impact, rule, place, help in page.evaluate(_RUN)
        if impact in {"serious", "critical"}
    ]
