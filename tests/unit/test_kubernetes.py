"""The manifests agree with the project and with each other, and the chart with them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLAIN = ROOT / "docs" / "deploy" / "kubernetes"
CHART = ROOT / "docs" / "deploy" / "helm" / "chairtime"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
VARIABLES = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
FILES = ("config.yaml", "ingress.yaml", "migrate.yaml", "web.yaml", "worker.yaml")

Things = dict[tuple[str, str], Any]


def rendered(name: str, ingress_host: str = "bookings.example.com") -> str:
    """A template of the chart as Helm renders it, as far as ours go: values, `if`, `range`."""
    values = {**VALUES, "ingress": {**VALUES["ingress"], "host": ingress_host}}
    text = (CHART / "templates" / name).read_text()
    text = re.sub(r"\{\{- (if|end) ?[^}]*\}\}\n", "", text)
    pairs = "".join(f"  {key}: {value!r}\n" for key, value in values["config"].items())
    text = re.sub(r" *\{\{- range .*?\}\}\n.*?\n  (?=\n|$)", pairs, text + "\n", flags=re.DOTALL)
    return re.sub(r"\{\{-? (.*?) \}\}", lambda match: str(value_of(match[1], values)), text)


def value_of(expression: str, values: dict[str, Any]) -> object:
    if expression in (".Release.Name", ".Chart.AppVersion"):
        return "chairtime" if "Name" in expression else "0.1.0"
    if " | default .Chart.AppVersion" in expression:
        return "0.1.0"
    match = re.fullmatch(r"(toYaml )?\.Values\.([\w.]+)(?: \| nindent \d+)?", expression)
    assert match, expression
    found: Any = values
    for part in match[2].split("."):
        found = found[part]
    return f" {found}" if match[1] else found


def things(texts: Iterator[str]) -> Things:
    loaded = [each for text in texts for each in yaml.safe_load_all(text) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in loaded}


@pytest.fixture(scope="module", params=["plain", "chart"])
def all_of_it(request: pytest.FixtureRequest) -> Things:
    if request.param == "plain":
        listed = yaml.safe_load((PLAIN / "kustomization.yaml").read_text())["resources"]
        assert sorted(listed) == sorted(FILES)
        return things((PLAIN / name).read_text() for name in FILES)
    return things(rendered(name) for name in FILES)


def pods(all_of_it: Things) -> dict[str, Any]:
    return {
        name: thing["spec"]["template"]
        for (kind, name), thing in all_of_it.items()
        if kind in {"Deployment", "Job"}
    }


def test_every_pod_has_few_rights_limits_and_the_settings(all_of_it: Things) -> None:
    assert set(pods(all_of_it)) == {"chairtime-web", "chairtime-worker", "chairtime-migrate"}
    for name, pod in pods(all_of_it).items():
        spec = pod["spec"]
        [container] = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert not spec["automountServiceAccountToken"], name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"limits", "requests"} == set(container["resources"]), name
        assert container["envFrom"] == [
            {"configMapRef": {"name": "chairtime"}},
            {"secretRef": {"name": "chairtime"}},
        ]


def test_commands_are_those_of_compose_and_ends_get_their_time(all_of_it: Things) -> None:
    worker, web = pods(all_of_it)["chairtime-worker"], pods(all_of_it)["chairtime-web"]
    [container] = worker["spec"]["containers"]
    assert container["args"] == COMPOSE["services"]["worker"]["command"]
    assert worker["spec"]["terminationGracePeriodSeconds"] == 60
    alive = container["livenessProbe"]["exec"]["command"][-1]
    assert alive.split() == COMPOSE["services"]["worker"]["healthcheck"]["test"][-1].split()
    [container] = web["spec"]["containers"]
    assert container["args"][:2] == ["chairtime", "serve"]
    grace = int(container["args"][3]) + int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert web["spec"]["terminationGracePeriodSeconds"] > grace
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_what_selects_pods_selects_those_that_there_are(all_of_it: Things) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(all_of_it).items()}
    for (kind, name), thing in all_of_it.items():
        spec = thing.get("spec", {})
        selector = spec.get("selector", {})
        wanted = selector.get("matchLabels", selector)
        if wanted:
            assert wanted.items() <= labels[name].items(), (kind, name)
        if kind == "HorizontalPodAutoscaler":
            assert spec["scaleTargetRef"]["name"] in labels
    [rule] = all_of_it["Ingress", "chairtime"]["spec"]["rules"]
    [path] = rule["http"]["paths"]
    service = path["backend"]["service"]
    ports = all_of_it["Service", service["name"]]["spec"]["ports"]
    assert service["port"]["name"] in {port["name"] for port in ports}


def test_no_request_fails_while_pods_are_replaced(all_of_it: Things) -> None:
    rolling = all_of_it["Deployment", "chairtime-web"]["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 1, "maxUnavailable": 0}


def test_every_variable_that_is_set_is_one_of_ours(all_of_it: Things) -> None:
    secret = yaml.safe_load((PLAIN / "secret.example.yaml").read_text())["stringData"]
    config = all_of_it["ConfigMap", "chairtime"]["data"]
    assert all(isinstance(value, str) for value in config.values())
    assert set(config) | set(secret) <= VARIABLES
    assert {"PUBLIC_URL", "METRICS_PORT", "STATE_DIR"} <= set(config)
    assert {"SECRET_KEY", "DATABASE_URL", "REDIS_URL"} <= set(secret)


def test_the_chart_is_the_manifests() -> None:
    """But for what Helm has of its own: hooks, and the labels of a release."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            own = {"app.kubernetes.io/instance"}
            kept = {key: plain(each) for key, each in value.items() if key not in own}
            hooks = {key for key in kept.get("annotations", {}) if key.startswith("helm.sh/")}
            return {key: each for key, each in kept.items() if key != "annotations" or not hooks}
        return [plain(each) for each in value] if isinstance(value, list) else value

    ours = things((PLAIN / name).read_text() for name in FILES)
    theirs = things(rendered(name) for name in FILES)
    for each in pods(theirs).values():
        del each["spec"]["containers"][0]["imagePullPolicy"]
    assert plain(theirs) == plain(ours)
