"""The deployment files say what is true of this checkout: paths exist, ports agree, pins agree, alerts fire."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from holdfastd.config.parse import parse

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
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
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yaml")


def test_prometheus_takes_the_configuration():
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")


def test_every_alert_is_tested():
    rules = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text(encoding="utf-8"))["groups"]
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yaml").read_text(encoding="utf-8"))["tests"]
    alerts = {rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule}

    assert {case["alertname"] for test in tests for case in test.get("alert_rule_test", ())} == alerts


def test_compose_mounts_what_exists():
    mounts = [volume.split(":")[0] for service in services().values() for volume in service.get("volumes", ())]
    files = [COMPOSE.parent / mount for mount in mounts if mount.startswith(".")]

    assert files
    assert [str(path) for path in files if not path.is_file()] == []


def test_compose_publishes_on_loopback_only():
    published = [str(port) for service in services().values() for port in service.get("ports", ())]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_ports_agree():
    """The image listens where it says, compose publishes that, Prometheus scrapes that."""
    settings = dict(re.findall(r"\b(HOLDFAST_[A-Z_]+)=(\S+)", DOCKERFILE.replace(" \\\n", "\n").split("ENV PATH")[1]))
    config = parse(["serve"], settings | {"HOLDFAST_ALLOW_PLAINTEXT": "1"})
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0]
    ports = [config.listen.port, config.http.port]

    assert [int(port) for port in re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)[0].split()] == ports
    assert services()["holdfast"]["ports"] == [f"127.0.0.1:{port}:{port}" for port in ports]
    assert scraped["static_configs"][0]["targets"] == [f"holdfast:{config.http.port}"]
    assert f"http://127.0.0.1:{config.http.port}/healthz" in DOCKERFILE


def test_the_image_runs_as_nobody_special():
    users = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


def test_the_image_copies_what_exists_and_is_sent():
    """Every COPY from the checkout names a path that is there and that .dockerignore lets through."""
    sources = [source for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}

    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(sources) == sent


def test_the_image_has_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[<>=!~ ;\[]", line)[0].lower() for line in project["dependencies"]}

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
