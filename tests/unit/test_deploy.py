"""The deployment files say what is true of this checkout: paths exist, ports agree, pins agree, alerts fire."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography.fernet import Fernet

from holdfastd.access.roster import read_roster
from holdfastd.access.tokens import digest_of_token
from holdfastd.config.model import ConfigError
from holdfastd.config.parse import parse

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
GRAFANA = ROOT / "deploy/grafana"
RULE_TESTS = ("rules_test.yaml", "rules_days_test.yaml")
COMPOSE = ROOT / "deploy/compose.yaml"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([program, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def services() -> dict[str, dict]:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def test_alerts_fire_when_they_should():
    assert "SUCCESS" in promtool("test", "rules", *RULE_TESTS)


def test_prometheus_takes_the_configuration():
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")


def test_every_alert_is_tested():
    rules = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text(encoding="utf-8"))["groups"]
    tests = [test for name in RULE_TESTS for test in yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["tests"]]
    alerts = {rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule}

    cases = [case for test in tests for case in test.get("alert_rule_test", ())]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == alerts
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == alerts


def test_every_alert_leads_to_its_page():
    """Who is woken reads what is wrong, how bad it is, and where to read on."""
    rules = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text(encoding="utf-8"))["groups"]
    alerts = [rule for group in rules for rule in group["rules"] if "alert" in rule]
    headings = re.findall(r"^#+ (Holdfast\w+)$", (ROOT / "docs/operations.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert {rule["labels"]["severity"] for rule in alerts} == {"critical", "warning", "info"}
    assert all(rule["annotations"].keys() == {"summary", "description", "runbook"} for rule in alerts)
    assert [rule["annotations"]["runbook"] for rule in alerts] == [f"docs/operations.md#{rule['alert'].lower()}" for rule in alerts]
    assert {rule["alert"] for rule in alerts} <= set(headings)


def test_the_dashboard_is_one():
    """Grafana takes it: a uid, a schema version, ids once each, a data source to choose, panels that do not overlap."""
    dashboard = json.loads((GRAFANA / "holdfast.json").read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    ids = [panel["id"] for panel in panels]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert (dashboard["uid"], dashboard["schemaVersion"] >= 30, dashboard["id"]) == ("holdfast", True, None)
    assert len(set(ids)) == len(ids)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert [(variable["name"], variable["type"]) for variable in dashboard["templating"]["list"]] == [
        ("datasource", "datasource"),
        ("database", "query"),
    ]
    for panel in panels:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_the_dashboard_is_where_grafana_looks():
    """The provider reads the folder that compose mounts it into, and the source has the scrape's interval."""
    provisioning = GRAFANA / "provisioning"
    [provider] = yaml.safe_load((provisioning / "dashboards/holdfast.yaml").read_text(encoding="utf-8"))["providers"]
    [source] = yaml.safe_load((provisioning / "datasources/holdfast.yaml").read_text(encoding="utf-8"))["datasources"]
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))

    assert f"./grafana/holdfast.json:{provider['options']['path']}/holdfast.json:ro" in services()["grafana"]["volumes"]
    assert source["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]
    assert source["type"] == "prometheus"


def test_compose_mounts_what_exists():
    mounts = [volume.split(":")[0] for service in services().values() for volume in service.get("volumes", ())]
    files = [COMPOSE.parent / mount for mount in mounts if mount.startswith(".")]

    assert files
    assert [str(path) for path in files if not path.exists()] == []


def test_compose_publishes_on_loopback_only():
    published = [str(port) for service in services().values() for port in service.get("ports", ())]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def replicas() -> dict[str, dict]:
    """The services of compose that are built from this checkout."""
    return {name: service for name, service in services().items() if "build" in service}


def image_settings() -> dict[str, str]:
    return dict(re.findall(r"\b(HOLDFAST_[A-Z_]+)=(\S+)", DOCKERFILE.replace(" \\\n", "\n").split("ENV PATH")[1]))


def test_ports_agree():
    """The image listens where it says, compose publishes that on a port per replica, Prometheus scrapes every replica."""
    config = parse(["serve"], image_settings() | {"HOLDFAST_ALLOW_PLAINTEXT": "1", "HOLDFAST_ALLOW_ANONYMOUS": "1"})
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0]
    ports = [config.listen.port, config.http.port]
    published = [f"127.0.0.1:{port + number}:{port}" for number in range(len(replicas())) for port in ports]

    assert [int(port) for port in re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)[0].split()] == ports
    assert [port for service in replicas().values() for port in service["ports"]] == published
    assert scraped["static_configs"][0]["targets"] == [f"{name}:{config.http.port}" for name in replicas()]
    assert f"http://127.0.0.1:{config.http.port}/healthz" in DOCKERFILE


def test_the_image_does_not_start_exposed_by_accident():
    """It listens beyond loopback, so it wants TLS and an access file, or each allowance by its name."""
    with pytest.raises(ConfigError, match="HOLDFAST_ALLOW_PLAINTEXT=1") as refusal:
        parse(["serve"], image_settings())
    assert f"\nholdfastd: {refusal.value}\n" in (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="HOLDFAST_ALLOW_ANONYMOUS=1"):
        parse(["serve"], image_settings() | {"HOLDFAST_ALLOW_PLAINTEXT": "1"})


def test_compose_runs_two_replicas_of_one_service():
    """Both start, on one store and with one key, harden the container, and are given longer than they take to stop."""
    first, second = replicas().values()
    config = parse(["serve"], image_settings() | first["environment"])
    roster = read_roster((COMPOSE.parent / "compose-access.yaml").read_text(encoding="utf-8"))
    target = urlsplit(first["environment"]["EV_DSN"])
    Fernet(str(config.secret_key))

    assert {name for name in first if first[name] != second[name]} == {"ports"}
    assert config.tls is None
    assert f"./compose-access.yaml:{config.access}:ro" in first["volumes"]
    assert roster.tokens[digest_of_token(first["environment"]["HOLDFAST_TOKEN"])] == "try-only"
    assert urlsplit(str(config.store_url)).hostname in services()
    assert (f"{target.hostname}:{target.port}",) == config.targets.allowed_hosts
    assert target.hostname in services()
    assert (first["read_only"], first["cap_drop"], first["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert int(first["stop_grace_period"].removesuffix("s")) > config.drain_delay.total_seconds() + 10


def test_the_image_runs_as_nobody_special():
    users = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


def test_the_image_stops_when_told_to():
    """The service is the first process, without a shell that would keep signals from it."""
    commands = [json.loads(words) for words in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", DOCKERFILE, re.MULTILINE)]

    assert commands == [["holdfastd"], ["serve"]]
    assert "\nSTOPSIGNAL SIGTERM\n" in DOCKERFILE


def test_the_image_installs_by_hash():
    """Every package is pinned by hash, but ours, which was built from the checkout and takes nothing along."""
    installs = re.findall(r"pip install (.*?)(?: \\)?$", DOCKERFILE, re.MULTILINE)

    assert installs
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps --no-index" not in line] == []


def serves(program: Path) -> bool:
    """Start the service with an embedded store, wait until it is ready, and stop it: every file that it reads was packed."""
    home = Path(tempfile.mkdtemp(prefix="holdfast-image-"))
    home.chmod(0o711)
    command = [program, "serve", "--listen=127.0.0.1:0", "--http=127.0.0.1:0", f"--data-dir={home / 'data'}"]
    try:
        with subprocess.Popen(command, env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, text=True) as running:
            is_ready = any('"server_ready"' in line for line in iter(running.stdout.readline, ""))
            running.terminate()
            running.stdout.read()
        return is_ready and running.returncode == 0
    finally:
        shutil.rmtree(home)


@pytest.mark.slow
def test_the_image_can_be_built(tmp_path):
    """What the first stage copies and runs, run in a folder with this Python; both commands then start from there, without the checkout."""
    stage = DOCKERFILE.split("\nFROM ")[1].replace(" \\\n", " ")
    folder = tmp_path / "src"
    folder.mkdir()
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_") or "proxy" in name.lower()}
    (tmp_path / "python").symlink_to(sys.executable)
    for instruction, words in re.findall(r"^(COPY|RUN) (.*)$", stage, re.MULTILINE):
        if instruction == "COPY":
            *sources, into = words.split()
            for source in sources:
                place = folder / into / (Path(source).name if len(sources) > 1 or into.endswith("/") else "")
                place.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if (ROOT / source).is_dir() else shutil.copy2)(ROOT / source, place)
            continue
        command = re.sub(r"(?<![\w.])/(opt|wheels)\b", rf"{tmp_path}/\1", words)
        done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(folder)
    programs = tmp_path / "opt/holdfast/bin"
    helped = subprocess.run([programs / "holdfastd", "serve", "--help"], env={}, capture_output=True, text=True, timeout=60, check=True)
    version = subprocess.run([programs / "holdfast", "--version"], env={}, capture_output=True, text=True, timeout=60, check=True)
    traces = "import opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.grpc.trace_exporter"
    subprocess.run([programs / "python", "-c", traces], env={}, timeout=60, check=True)

    assert "--allow-plaintext" in helped.stdout
    assert "0.1.0" in version.stdout
    assert serves(programs / "holdfastd")


def test_the_image_copies_what_exists_and_is_sent():
    """Every COPY from the checkout names a path that is there and that .dockerignore lets through."""
    sources = [source for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}

    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(sources) == sent


def test_the_image_has_every_dependency():
    """Those of traces, too: a setting turns them on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (*project["dependencies"], *project["optional-dependencies"]["tracing"])
    needed = {re.split(r"[<>=!~ ;\[]", line)[0].lower() for line in lines}

    assert needed - {name.lower() for name in pins("runtime.txt")} == set()


@pytest.mark.parametrize("name", ["runtime.txt", "build.txt"])
def test_the_image_runs_what_was_tested(name):
    """The versions are those of the development environment, and the file holds no address."""
    tested = pins("dev.txt")
    pinned = pins(name)

    assert pinned
    assert {package: tested.get(package) for package in pinned} == pinned
    assert "://" not in (ROOT / "requirements" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("code", [0, 2])
def test_ci_ends_as_the_tests_ended(tmp_path, code):
    """.ci/run has the exit code of `make test` and prints pytest's closing line last."""
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$@"\necho "7 passed, 1 skipped in 3.21s"\necho "make: ***" >&2\nexit {code}\n', encoding="utf-8")
    make.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([ROOT / ".ci/run"], cwd="/", env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == code
    assert done.stdout.splitlines()[0] == "test"
    assert done.stdout.splitlines()[-1] == "7 passed, 1 skipped in 3.21s"
