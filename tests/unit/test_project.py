"""The project's own files agree with each other: settings, locks, image, compose, import rules."""

import json
import re
import runpy
import shutil
import socket
import subprocess
import tomllib
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from hatchling import build

from app import clock
from app.db import Database
from app.models.message import Worker
from app.settings import read_settings

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("web", "worker", "migrate")
READ_BY_COMPOSE_ALONE = {"POSTGRES_PASSWORD", "PUBLISH"}


class Asked(dict[str, str]):
    """An environment that notes which variables were asked for."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


# --- .env.example ---


def test_the_example_names_exactly_the_variables_that_are_read(tmp_path: Path) -> None:
    environment = Asked(STATE_DIR=str(tmp_path))
    read_settings(environment)
    assert set(example()) == environment.names | READ_BY_COMPOSE_ALONE


def test_each_variable_of_the_example_is_explained() -> None:
    lines = EXAMPLE.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"#[A-Z_]+=", line):
            block = [text for text in lines[:number] if not re.match(r"#[A-Z_]+=", text)]
            assert block[-1].startswith("# "), f"{line} has no line above it that explains it"


def test_the_defaults_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    defaults = "HOST PORT FEED_EVERY SEND_TIMEOUT SEND_LEASE UNCERTAIN_QUIET REMINDER_EVERY "
    defaults += "RETRY_DELAYS SHOP_TIMEZONE WHATSAPP_MAX_PER_SECOND APP_ENV"
    given = {name: example()[name] for name in defaults.split()}
    state = {"STATE_DIR": str(tmp_path)}
    assert read_settings({**state, **given}) == read_settings(state)
    assert example()["STATE_DIR"] == "var"


def example() -> dict[str, str]:
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


# --- locks ---


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_is_pinned_and_hashed_and_no_line_names_a_server(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "index-url" not in text
    for requirement in text.replace("\\\n", " ").splitlines():
        if requirement and not requirement.lstrip().startswith("#"):
            assert re.match(
                r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", requirement
            )


@pytest.mark.parametrize("name", ["requirements.lock", "package-lock.json"])
def test_what_is_locked_for_generated_clients_names_no_server(name: str) -> None:
    assert "://" not in (ROOT / "tests" / "clients" / name).read_text()


def test_the_development_lock_holds_the_other_one_at_the_same_versions() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()


def test_the_locks_hold_every_dependency() -> None:
    project = PYPROJECT["project"]
    assert names(project["dependencies"]) <= set(locked("requirements.lock"))
    dev = names(project["optional-dependencies"]["dev"])
    assert dev <= set(locked("requirements-dev.lock"))


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    return {
        re.split(r"[^A-Za-z0-9._-]", line)[0].lower().replace("_", "-") for line in requirements
    }


# --- what a package says of itself ---


def test_a_package_says_that_it_is_for_internal_use_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    wheel = ZipFile(tmp_path / build.build_wheel(str(tmp_path)))
    said = wheel.read(f"{wheel.namelist()[-1].partition('/')[0]}/METADATA").decode().splitlines()
    assert "License-Expression: LicenseRef-Internal-Use-Only" in said
    assert "License-File: LICENSE" in said
    assert "internal use only" in (ROOT / "LICENSE").read_text()


# --- Dockerfile ---


def test_the_image_is_built_in_two_stages_from_the_lock_and_runs_as_nobody_special() -> None:
    build, final = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert "--require-hashes -r requirements.lock" in build
    assert re.search(r"^COPY --from=build ", final, re.MULTILINE)
    user = instruction("USER")
    assert re.search(rf"useradd --system .* {user}\b", final)
    assert final.index("COPY --from=build") < final.index("USER ")


def test_the_image_runs_in_utc_and_listens_to_the_outside() -> None:
    environment = instruction("ENV", last=True)
    assert {"TZ=UTC", "HOST=0.0.0.0", "PYTHONUNBUFFERED=1"} <= set(environment.split())


def test_commands_are_in_exec_form_so_that_signals_reach_them() -> None:
    assert json.loads(instruction("CMD", last=True)) == ["chairtime", "serve"]
    health = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    compile(health[2], "HEALTHCHECK", "exec")
    assert health[:2] == ["python", "-c"]


def test_what_the_image_needs_is_let_through_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*"
    needed = {
        "app",
        "migrations",
        "alembic.ini",
        "pyproject.toml",
        "hatch_build.py",
        "requirements.lock",
        "README.md",
        "LICENSE",
    }
    assert needed <= allowed <= needed | {"static", "templates"}
    assert all((ROOT / name).exists() for name in needed)


def instruction(name: str, last: bool = False) -> str:
    lines = re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)
    assert lines, f"the Dockerfile has no {name}"
    return str(lines[-1 if last else 0])


# --- docker-compose.yml ---


def test_every_service_has_only_keys_that_compose_knows() -> None:
    known = "image build restart env_file environment read_only tmpfs cap_drop security_opt ports "
    known += "depends_on command stop_signal stop_grace_period healthcheck volumes "
    known += "logging mem_limit cpus pids_limit shm_size"
    health = {"test", "interval", "timeout", "start_period", "retries", "disable"}
    assert set(COMPOSE) == {"name", "x-logging", "x-app", "services", "networks", "volumes"}
    for name, service in SERVICES.items():
        assert set(service) <= set(known.split()), name
        assert set(service.get("healthcheck", {})) <= health, name
        assert "image" in service, name


def test_no_service_takes_the_whole_host_or_fills_its_disk_with_logs() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["cpus"] <= 2, name
        assert service["pids_limit"] <= 256, name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name


# --- systemd ---


@pytest.mark.parametrize("name", ["chairtime-web.service", "chairtime-worker@.service"])
def test_a_unit_may_do_little(name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        assert "SystemCallFilter=@system-service" in (ROOT / "docs/deploy" / name).read_text()
        return
    line = ["systemd-analyze", "security", "--offline=true", f"docs/deploy/{name}"]
    said = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found, said
    assert float(found[1]) < 2


def test_the_web_app_is_reloaded_by_the_signal_that_granian_knows() -> None:
    unit = (ROOT / "docs/deploy/chairtime-web.service").read_text()
    assert "ExecReload=/bin/kill -HUP $MAINPID" in unit


def test_only_the_gateway_of_our_own_network_is_a_proxy_unless_another_is_named() -> None:
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    trusted = COMPOSE["x-app"]["environment"]["TRUSTED_PROXIES"]
    assert trusted == "${TRUSTED_PROXIES:-%s}" % network["gateway"]  # noqa: UP031
    assert ip_address(network["gateway"]) in ip_network(network["subnet"])


def test_every_service_that_stays_is_watched_and_comes_back() -> None:
    for name in SERVICES.keys() - {"web", "migrate"}:  # the image itself watches the web app
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD", name
    for name in SERVICES.keys() - {"migrate"}:
        assert SERVICES[name]["restart"] == "unless-stopped", name
    assert "HEALTHCHECK" in DOCKERFILE


def test_web_and_workers_wait_for_database_queue_and_migrations() -> None:
    wanted = {
        "migrate": {"condition": "service_completed_successfully"},
        "postgres": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
    }
    assert SERVICES["web"]["depends_on"] == SERVICES["worker"]["depends_on"] == wanted
    assert SERVICES["migrate"]["restart"] == "no"


def test_the_worker_can_be_scaled_and_finishes_what_it_sends() -> None:
    worker = SERVICES["worker"]
    assert not {"container_name", "ports", "hostname"} & set(worker)
    assert worker.get("stop_signal", "SIGTERM") in {"SIGTERM", "SIGINT"}  # it knows no others
    line = "huey_consumer app.worker.huey -k thread -w 16 -m 1 -c 2 -g TERM -t 55"
    assert worker["command"] == line.split()
    assert int(worker["stop_grace_period"].removesuffix("s")) > 55


def test_only_the_web_app_is_published_and_only_to_this_host() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]
    assert SERVICES["web"]["ports"] == ["${PUBLISH:-127.0.0.1:3000}:3000"]


def test_the_queue_and_the_database_keep_their_data() -> None:
    redis = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in redis
    assert "--maxmemory-policy noeviction" in redis
    volumes = [SERVICES[name]["volumes"][0].split(":") for name in ("redis", "postgres")]
    assert volumes == [["redis", "/data"], ["postgres", "/var/lib/postgresql/data"]]
    assert set(COMPOSE["volumes"]) == {"redis", "postgres"}


def test_our_services_share_one_image_settings_and_few_rights() -> None:
    for name in OURS:
        service = SERVICES[name]
        assert (service["image"], service["env_file"]) == ("chairtime", ".env")
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


def test_every_variable_that_compose_fills_in_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert used <= set(example())


def test_with_the_example_filled_in_compose_starts_production(tmp_path: Path) -> None:
    environment = {name: filled_in(value) for name, value in SERVICES["web"]["environment"].items()}
    from_file = {
        "PUBLIC_URL": "https://bookings.example.com",
        "WHATSAPP_ACCOUNT_SID": "AC" + "1" * 32,
        "WHATSAPP_AUTH_TOKEN": "x" * 32,
        "WHATSAPP_FROM_NUMBER": "+14155238886",
    }
    env = read_settings({"STATE_DIR": str(tmp_path), **from_file, **environment})
    assert env.production
    assert "@postgres:5432/" in env.database_url


@pytest.mark.parametrize(("age", "exit_code"), [(5, 0), (3600, 1)])
def test_a_worker_is_healthy_while_its_own_heartbeat_is_fresh(
    age: int, exit_code: int, sqlite_db: Database, tmp_path: Path
) -> None:
    now = clock.now()
    with sqlite_db.write() as session:
        seen_at = now - timedelta(seconds=age)
        host = socket.gethostname()
        session.add(
            Worker(id="w", host=host, pid=1, threads=16, started_at=seen_at, seen_at=seen_at)
        )
    command = SERVICES["worker"]["healthcheck"]["test"]
    assert command[:3] == ["CMD", "python", "-c"]
    (tmp_path / "health.py").write_text(command[3])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(tmp_path / "health.py"))
    assert int(ended.value.code or 0) == exit_code


def filled_in(value: str) -> str:
    """A value of compose with its variables replaced: by their default, else by a long word."""
    return re.sub(r"\$\{[A-Z_]+(?::-([^}]*)|:\?[^}]*)\}", lambda match: match[1] or "x" * 32, value)


# --- words ---


def test_what_is_wrong_with_a_field_is_a_whole_sentence() -> None:
    """Fragments would be glued together again: `This There is no barber …`."""
    wrong = re.compile(r'(?:FieldError\([^,()]+, |raise ValueError\()f?"([^"]*)"\)')
    for path in sorted((ROOT / "app").rglob("*.py")):
        text = path.read_text()
        if "FieldError" not in text and "bookings" not in path.parts:
            continue
        for message in wrong.findall(text):
            if "without an offset" not in message:
                assert re.match(r"[A-Z“{]", message), f"{path.name}: {message}"
                assert message.endswith((".", "{error}")), f"{path.name}: {message}"


# --- the tests ---


def test_no_test_imports_or_patches_a_private_name() -> None:
    """What has to vary is handed in, or is a public constant. Ruff's SLF looks for the rest."""
    private = re.compile(
        r"""from\ (?:app|tests)[\w.]*\ import\ (?:\([^)]*|.*)\b_[a-z]
            | import\ app[\w.]*\._[a-z]
            | (?:set|del)(?:attr|item)\([^)]*"(?:[\w.]+\.)?_[A-Za-z]
        """,
        re.VERBOSE,
    )
    for path in sorted((ROOT / "tests").rglob("*.py")):
        names = private.findall(path.read_text())
        assert names == [], f"{path.relative_to(ROOT)}: {names}"
