"""The API's description is read by others' generators, and what they make of it runs the tour."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_api_tour import GUIDED, guide
from tests.fake_twilio import FakeTwilio
from tests.support.processes import ROOT
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

HERE = Path(__file__).parent
TOOLS = ROOT / ".venv" / "clients"
SEEN = {
    "barbers": ["barber_1", "barber_2", "barber_3"],
    "statuses": [201, 201],
    "is same": True,
    "is moved": True,
    "states": ["cancelled", "delayed"],
    "refused": "not_failed",
    "wrong": ["customerPhone"],
    "said": 0,
    "cancelled": "cancelled",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, _valkey_server: Valkey) -> Iterator[RunningShop]:
    folder = tmp_path_factory.mktemp("shop")
    with FakeTwilio() as twilio, RunningShop(folder, twilio, _valkey_server) as running:
        yield running


@pytest.fixture
def folder(shop: RunningShop, tmp_path: Path) -> Path:
    """Where a client is made: it has the description, and the tools of JavaScript."""
    (tmp_path / "openapi.json").write_bytes(shop.api.get("/schema/openapi.json").content)
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    for name in ("tour.py", "tour.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, tmp_path)
    return tmp_path


def run(folder: Path, *command: str, **environment: str) -> str:
    """What it prints; it must succeed, and complain of nothing."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout


def reach(shop: RunningShop) -> dict[str, str]:
    bearer = shop.api.headers["Authorization"]
    return {"URL": str(shop.api.base_url), "TOKEN": bearer.removeprefix("Bearer ")}


def test_the_client_of_openapi_python_client_runs_the_tour(shop: RunningShop, folder: Path) -> None:
    (folder / "config.yml").write_text("post_hooks: []\n")  # formatting it is of no use here
    generator = str(TOOLS / "bin" / "openapi-python-client")
    to = ["--output-path", "chairtime_api", "--meta", "none", "--config", "config.yml"]
    run(folder, generator, "generate", "--path", "openapi.json", *to)
    seen = json.loads(run(folder, sys.executable, "tour.py", **reach(shop)))
    assert seen == {**SEEN, "found": ["Pia Python"]}


def test_the_types_of_openapi_typescript_fit_and_openapi_fetch_runs_the_tour(
    shop: RunningShop, folder: Path
) -> None:
    tools = folder / "node_modules" / ".bin"
    run(folder, str(tools / "openapi-typescript"), "openapi.json", "--output", "api.ts")
    run(folder, str(tools / "tsc"), "--project", ".")
    seen = json.loads(run(folder, "node", "built/tour.js", **reach(shop)))
    assert seen == {**SEEN, "found": ["Tess Type"]}


def test_the_guide_works_in_javascript(shop: RunningShop, folder: Path) -> None:
    (folder / "guide.mjs").write_text(guide("js"))
    assert run(folder, "node", "guide.mjs", **reach(shop)) == GUIDED.replace("True", "true")
