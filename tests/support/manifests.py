"""What Kubernetes manifests must be: taken by a cluster, hardened, and in agreement with what the service reads."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from holdfastd.config.model import Config
from holdfastd.config.parse import parse

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy/kubernetes"
#: Of the API, whose schemas forbid what they do not know.
VERSIONS = ("1.31", "1.35")
OPERATOR = "monitoring.coreos.com/v1"

Manifest = dict[str, Any]


def documents(text: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(text) if document]


def resources(folder: Path) -> list[Manifest]:
    """Every manifest that the kustomization of a folder lists."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    return [document for name in kustomization["resources"] for document in documents((folder / name).read_text(encoding="utf-8"))]


def one(manifests: list[Manifest], kind: str, name: str = "holdfast") -> Manifest:
    [found] = [manifest for manifest in manifests if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name)]
    return found


def check(manifests: list[Manifest]) -> None:
    """Raise when a cluster would refuse one of them, or drop a field that it does not know."""
    assert manifests
    for manifest in manifests:
        if manifest["apiVersion"] == OPERATOR:
            check_operator(manifest)
            continue
        for version in VERSIONS:
            assert kubernetes_validate.validate(manifest, version, strict=True) == version


def check_operator(manifest: Manifest) -> None:
    """The two kinds of the Prometheus operator, by their structure: their schemas are not in the API."""
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    spec = manifest["spec"]
    match manifest["kind"]:
        case "ServiceMonitor":
            assert set(spec) == {"jobLabel", "selector", "endpoints"}
            assert [set(endpoint) for endpoint in spec["endpoints"]] == [{"port", "path", "interval", "scrapeTimeout"}]
        case "PrometheusRule":
            assert set(spec) == {"groups"}
            for group in spec["groups"]:
                assert set(group) <= {"name", "interval", "rules"}
                for rule in group["rules"]:
                    assert set(rule) <= {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
                    assert ("alert" in rule) != ("record" in rule)
        case kind:
            raise AssertionError(kind)


def pod_of(manifests: list[Manifest]) -> Manifest:
    return one(manifests, "Deployment")["spec"]["template"]["spec"]


def check_hardened(pod: Manifest) -> None:
    """What the Pod Security Standard `restricted` asks for, and a read-only root on top."""
    [container] = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert all(set(volume) & {"secret", "emptyDir", "configMap"} for volume in pod["volumes"])
    assert container["resources"]["limits"]["memory"]


def settings_of(manifests: list[Manifest]) -> Config:
    """Parse the settings as the service would, with texts in place of the secrets."""
    environment = dict(one(manifests, "ConfigMap")["data"])
    for variable in pod_of(manifests)["containers"][0]["env"]:
        environment[variable["name"]] = "secret"
    config = parse(pod_of(manifests)["containers"][0]["args"], environment | {"HOME": "/nowhere"})
    assert isinstance(config, Config)
    return config


def check_settings(manifests: list[Manifest]) -> None:
    """The service takes the settings, listens where probes and Services look, and finds the files that are mounted."""
    config, pod = settings_of(manifests), pod_of(manifests)
    [container] = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    mounts = [Path(mount["mountPath"]) for mount in container["volumeMounts"]]
    files = [config.access, *((config.tls.certificate, config.tls.key, config.tls.client_ca) if config.tls else ())]

    assert ports == {"grpc": config.listen.port, "http": config.http.port}
    assert all(file.parent in mounts for file in files if file)
    assert {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert pod["terminationGracePeriodSeconds"] > config.drain_delay.total_seconds() + 10
    assert sorted(volume["name"] for volume in pod["volumes"]) == sorted(mount["name"] for mount in container["volumeMounts"])
    assert config.store_url
    assert config.secret_key


def check_selectors(manifests: list[Manifest]) -> None:
    """Everything that selects pods selects ours."""
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    pod = pod_of(manifests)
    selectors = [
        one(manifests, "Deployment")["spec"]["selector"]["matchLabels"],
        one(manifests, "Service")["spec"]["selector"],
        one(manifests, "Service", "holdfast-headless")["spec"]["selector"],
        one(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(spread["labelSelector"]["matchLabels"] for spread in pod["topologySpreadConstraints"]),
    ]

    assert all(selector and selector.items() <= labels for selector in selectors)
    assert pod["serviceAccountName"] == one(manifests, "ServiceAccount")["metadata"]["name"]


def check_everything(manifests: list[Manifest]) -> None:
    check(manifests)
    check_hardened(pod_of(manifests))
    check_settings(manifests)
    check_selectors(manifests)
    assert one(manifests, "Service", "holdfast-headless")["spec"]["clusterIP"] == "None"
    assert one(manifests, "ServiceAccount")["automountServiceAccountToken"] is False


def check_policy(spec: Manifest) -> None:
    """Only callers reach gRPC, only monitoring reaches metrics; out go names, databases and nothing else."""
    ingress = {port["port"]: rule["from"] for rule in spec["ingress"] for port in rule["ports"]}
    egress = {port["port"]: rule["to"] for rule in spec["egress"] for port in rule["ports"]}

    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert set(ingress) == {7443, 7480}
    assert set(egress) == {53, 5432}
    assert [set(peer) for peer in ingress[7443]] == [{"namespaceSelector", "podSelector"}]
    assert ingress[7480][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    # An empty or missing list of peers would be everybody.
    assert all([*ingress.values(), *egress.values()])
    assert {"169.254.0.0/16"} == {net for peer in egress[5432] for net in peer.get("ipBlock", {}).get("except", ())}


def commands(first: str) -> list[str]:
    """The lines of docs/deploy.md that begin so."""
    page = (ROOT / "docs/deploy.md").read_text(encoding="utf-8").replace(" \\\n", " ")
    return re.findall(rf"^{first} .*$", page, re.MULTILINE)
