"""axe-core on a page in a browser: what of it somebody could not see, reach or understand.

assert serious_problems(page) == []
"""

from pathlib import Path

from playwright.sync_api import Page

_AXE = next((Path(__file__).parents[1] / "e2e" / "vendor").glob("axe-*.min.js"))

_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that another colour scheme can break."""

# Whatever a rule finds has the rule's own impact: those that are left out below need not run.
_RUN = """async (only) => {
  const light = axe._audit.rules.filter(({ impact }) => ["minor", "moderate"].includes(impact));
  const rules = Object.fromEntries(light.map(({ id }) => [id, { enabled: false }]));
  const some = only ? { runOnly: { type: "rule", values: only } } : { rules };
  const { violations } = await axe.run({ resultTypes: ["violations"], ...some });
  return violations.flatMap((rule) =>
    rule.nodes.map((node) => [rule.impact, rule.id, node.target.join(" "), node.failureSummary]));
}"""


def serious_problems(page: Page, *, colours_alone: bool = False) -> list[str]:
    """What axe finds serious or critical, each with its rule, its place and what would help."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text("utf-8"))
    return [
        f"{rule}: {place}: {help}"
        for impact, rule, place, help in page.evaluate(_RUN, _COLOURS if colours_alone else None)
        if impact in {"serious", "critical"}
    ]
