"""How the browser of these tests is started, and the shop that the tests of a module share.

What comes a moment later is waited for: by `expect`, or, where only a script can tell, by
`wait_until(lambda: page.evaluate(…))`. A page's `wait_for_function` needs `eval` in the page from
its second look on, which our Content-Security-Policy forbids.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, StorageState, expect

from tests.support.browser import launch_options
from tests.support.dashboard import Dashboard, SharedDashboard
from tests.support.processes import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, **launch_options()}


@pytest.fixture(scope="session")
def browser(browser: Browser) -> Browser:
    """Whatever is done in it may take as long as what is expected."""
    browser.on("context", lambda context: context.set_default_timeout(PATIENCE * 1000))
    return browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses the same running shop stands together."""
    items.sort(key=lambda item: sorted(_variables(item).items()))


def _variables(item: pytest.Item | pytest.FixtureRequest) -> dict[str, str]:
    given: dict[str, str] = getattr(getattr(item, "module", None), "SHOP", {})
    return given


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedDashboard]:
    shared = SharedDashboard(lambda: tmp_path_factory.mktemp("dashboard"))
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def dashboard(request: pytest.FixtureRequest, _shared: SharedDashboard) -> Dashboard:
    """The running shop of a module, with the environment that its `SHOP` says, if it has one."""
    shop = _shared.of(_variables(request))
    shop.clear()
    return shop


@pytest.fixture
def shop(dashboard: Dashboard) -> Dashboard:
    """The module's shop, without a booking."""
    dashboard.clear()
    return dashboard


@pytest.fixture(scope="module")
def owner(dashboard: Dashboard) -> StorageState:
    """The cookies of the owner of the module's shop."""
    return dashboard.log_in()


@pytest.fixture
def browser_context_args(
    browser_context_args: dict[str, Any], request: pytest.FixtureRequest
) -> dict[str, Any]:
    """Nothing moves by itself. Where a module has a `SHOP`, each browser is its owner's."""
    options = {**browser_context_args, "reduced_motion": "reduce"}
    if hasattr(request.module, "SHOP"):
        options["base_url"] = request.getfixturevalue("dashboard").url
        options["storage_state"] = request.getfixturevalue("owner")
    return options
