"""The Helm chart makes what a cluster takes, whatever it is told, and by default what the Kubernetes base is; checked offline.

`helm` is used where it is installed (HELM may name the program); what does not need it is always checked.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from support.manifests import (
    BASE,
    ROOT,
    Manifest,
    check,
    check_everything,
    check_policy,
    commands,
    documents,
    one,
    pod_of,
    resources,
    settings_of,
)

CHART = ROOT / "deploy/helm/holdfast"
HELM = os.environ.get("HELM") or shutil.which("helm")

needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not installed; HELM may name it")

#: Everything that a chart can be told, told.
FULL: Manifest = {
    "image": {"repository": "registry.example.org/holdfast", "tag": "0.1.1", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "replicas": 3,
    "store": {"secret": "pg", "key": "dsn"},
    "secretKeys": {"secret": "fernet", "key": "all"},
    "tls": {"secret": "certificates", "clientCA": True},
    "access": {"config": {"principals": {"ada": {"roles": ["admin"], "certificates": ["spiffe://example.org/ada"]}}}},
    "targets": {"secret": "", "allowedHosts": ["db.example.org:6432", "10.0.0.0/8"], "sslmode": "verify-full"},
    "drainSeconds": 45,
    "settings": {"HOLDFAST_JOBS": "8", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.tracing.svc:4317"},
    "extraEnv": [{"name": "SHOP_DSN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "dsn"}}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "target-ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/holdfast/ca", "readOnly": True}],
    "podAnnotations": {"example.org/team": "data"},
    "podLabels": {"example.org/tier": "platform"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "high",
    "service": {"type": "LoadBalancer", "annotations": {"example.org/internal": "true"}},
    "podDisruptionBudget": {"enabled": True, "maxUnavailable": "34%"},
    "networkPolicy": {"databasePorts": [5432, 6432], "extraEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}]},
    "serviceMonitor": {"enabled": True, "interval": "30s", "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
}


def rendered(tmp_path: Path, values: Manifest | None = None) -> list[Manifest]:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values or {}), encoding="utf-8")
    return documents(helm("template", "holdfast", str(CHART), "--namespace", "holdfast", "--values", str(file)))


def helm(*arguments: str) -> str:
    done = subprocess.run([str(HELM), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_versions_agree():
    """Chart, image of the base and package carry one version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert pod_of(resources(BASE))["containers"][0]["image"] == f"holdfast:{version}"


def values() -> Manifest:
    return yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def schema() -> Manifest:
    return json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def lookup(tree: Manifest, path: list[str]) -> bool:
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def test_the_chart_uses_values_that_exist():
    """Every .Values.x in a template is in values.yaml, and every value is used somewhere."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((CHART / "templates").iterdir()))
    used = set(re.findall(r"\.Values\.([A-Za-z.]+)", text))

    assert [path for path in used if not lookup(values(), path.split("."))] == []
    assert set(values()) - {path.partition(".")[0] for path in used} == set()


def test_the_schema_knows_every_value_and_no_other():
    """values.schema.json takes the defaults and a chart that is told everything, and rejects names that nothing reads."""
    validator = Draft7Validator(schema())
    Draft7Validator.check_schema(schema())

    assert set(schema()["properties"]) - {"global"} == set(values())
    assert list(validator.iter_errors(values())) == []
    assert list(validator.iter_errors(values() | FULL)) == []
    for wrong in ({"replica": 2}, {"replicas": 0}, {"drainSeconds": 301}, {"settings": {"JOBS": "8"}}, {"tls": {"secretName": "x"}}):
        assert list(validator.iter_errors(values() | wrong)), wrong


@needs_helm
def test_helm_finds_nothing_to_say():
    helm("lint", "--strict", str(CHART))


@needs_helm
def test_the_chart_is_valid_hardened_and_coherent(tmp_path):
    manifests = rendered(tmp_path)
    check_everything(manifests)
    check_policy(one(manifests, "NetworkPolicy")["spec"])


@needs_helm
def test_the_chart_takes_everything_it_can_be_told(tmp_path):
    """All values at once: valid, hardened, and each of them has its effect."""
    manifests = rendered(tmp_path, FULL)
    check_everything(manifests)
    config, pod = settings_of(manifests), pod_of(manifests)
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text(encoding="utf-8"))

    assert one(manifests, "Deployment")["spec"]["replicas"] == 3
    assert pod["containers"][0]["image"] == "registry.example.org/holdfast:0.1.1"
    assert config.limits.jobs == 8
    assert config.targets.allowed_hosts == ("db.example.org:6432", "10.0.0.0/8")
    assert config.tls is not None
    assert config.tls.client_ca == Path("/etc/holdfast/tls/ca.crt")
    assert pod["terminationGracePeriodSeconds"] == 65
    assert yaml.safe_load(one(manifests, "Secret", "holdfast-access")["stringData"]["access.yaml"]) == FULL["access"]["config"]
    assert one(manifests, "PrometheusRule")["spec"] == rules
    assert one(manifests, "ServiceMonitor")["metadata"]["labels"]["release"] == "prometheus"


@needs_helm
@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"tls": {"secret": ""}}, "allowPlaintext=true"),
        ({"access": {"secret": ""}}, "allowAnonymous=true"),
        ({"replicas": "two"}, "replicas"),
        ({"networkpolicy": {"enabled": False}}, "networkpolicy"),
    ],
)
def test_the_chart_refuses_what_cannot_be_meant(tmp_path, told, reason):
    """Neither plaintext nor anonymous callers by accident; no value that nothing reads."""
    with pytest.raises(AssertionError, match=reason):
        rendered(tmp_path, told)


@needs_helm
def test_plaintext_and_anonymous_can_be_asked_for(tmp_path):
    """Named, they become the settings that the service asks for."""
    told = {
        "tls": {"secret": ""},
        "allowPlaintext": True,
        "access": {"secret": ""},
        "allowAnonymous": True,
        "networkPolicy": {"enabled": False},
    }
    manifests = rendered(tmp_path, told)
    config = settings_of(manifests)
    check(manifests)

    assert (config.tls, config.access) == (None, None)
    assert "NetworkPolicy" not in {manifest["kind"] for manifest in manifests}


@needs_helm
def test_the_page_installs_a_chart_that_renders():
    """The options of `helm install` and `helm upgrade` in docs/deploy.md are values of the chart."""
    lines = commands("helm")
    for line in lines:
        _, _, *words = shlex.split(line)
        check(documents(helm("template", *(word for word in words if word not in {"--create-namespace", "--reset-then-reuse-values"}))))

    assert len(lines) == 2


@needs_helm
def test_the_chart_and_the_base_say_the_same(tmp_path):
    """With default values the chart makes the objects of the base, labels and the checksum of the settings aside."""

    def plain(manifests: list[Manifest]) -> dict[str, Manifest]:
        text = json.dumps({f"{each['kind']}/{each['metadata']['name']}": each for each in manifests}, sort_keys=True)
        objects = json.loads(text, object_hook=without_labels)
        for each in objects.values():
            each["metadata"] = {"name": each["metadata"]["name"]}
        objects["Deployment/holdfast"]["spec"]["template"].pop("metadata")
        return objects

    def without_labels(mapping: Manifest) -> Manifest:
        return {name: value for name, value in mapping.items() if name != "app.kubernetes.io/instance"}

    chart = plain(rendered(tmp_path))
    assert chart["Service/holdfast"]["spec"].pop("type") == "ClusterIP"
    assert chart == plain(resources(BASE))
