"""The Kubernetes base is what a cluster takes; checked offline. `kubectl` is used where it is installed."""

import os
import runpy
import shutil
import subprocess
from base64 import b64decode

import kubernetes_validate
import pytest
import yaml

from support.authority import Authority
from support.manifests import (
    BASE,
    ROOT,
    Manifest,
    check,
    check_everything,
    check_hardened,
    check_policy,
    check_settings,
    commands,
    documents,
    one,
    pod_of,
    resources,
)


def test_the_base_is_valid_hardened_and_coherent():
    """A cluster takes every manifest; pods are restricted; settings, ports, probes, mounts and selectors agree."""
    check_everything(resources(BASE))
    check(resources(BASE / "monitoring"))


def test_every_manifest_is_listed():
    for folder in (BASE, BASE / "monitoring"):
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]

        assert {path.name for path in folder.glob("*.yaml")} == {*listed, "kustomization.yaml"}


def test_wrong_manifests_are_noticed():
    """The checks above can fail: on a field that does not exist, a lost restriction, a grace period that is too short."""
    manifests = resources(BASE)
    pod_of(manifests)["terminationGracePeriodSecond"] = 60
    with pytest.raises(kubernetes_validate.ValidationError):
        check(manifests)
    manifests = resources(BASE)
    pod_of(manifests)["containers"][0]["securityContext"]["capabilities"]["add"] = ["NET_ADMIN"]
    with pytest.raises(AssertionError):
        check_hardened(pod_of(manifests))
    manifests = resources(BASE)
    one(manifests, "ConfigMap")["data"]["HOLDFAST_DRAIN_SECONDS"] = "20"
    with pytest.raises(AssertionError):
        check_settings(manifests)


def test_the_network_policy_lets_through_what_is_needed():
    check_policy(one(resources(BASE), "NetworkPolicy")["spec"])


def test_kustomize_builds_the_base():
    """Kustomize adds the namespace and changes nothing else, selectors of other people's pods least of all."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([program, "kustomize", str(BASE)], capture_output=True, text=True, timeout=60, check=True)
    built = documents(done.stdout)
    for manifest in built:
        assert manifest["metadata"].pop("namespace") == "holdfast"

    def key(manifest: Manifest) -> str:
        return f"{manifest['kind']}/{manifest['metadata']['name']}"

    assert sorted(built, key=key) == sorted(resources(BASE), key=key)


def test_the_page_makes_the_secrets_that_pods_need(tmp_path):
    """Every Secret that is not optional is made by a command of docs/deploy.md, with the keys that are read; each is run without a cluster."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    Authority().issue(dns=["holdfast.holdfast.svc"]).write(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "holdfast.key").write_text("key\n", encoding="utf-8")
    (tmp_path / "access.yaml").write_text("principals: {}\n", encoding="utf-8")
    environment = os.environ | {"HOLDFAST_STORE_URL": "postgresql://store/holdfast", "KUBECONFIG": os.devnull}
    made = {}
    for line in commands("kubectl --namespace holdfast create secret"):
        words = ["sh", "-c", f"{line} --dry-run=client --output=yaml"]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True)
        [secret] = documents(done.stdout)
        check([secret])
        made[secret["metadata"]["name"]] = {name: b64decode(value) for name, value in secret["data"].items()}
    pod = pod_of(resources(BASE))
    references = [variable["valueFrom"]["secretKeyRef"] for variable in pod["containers"][0]["env"]]
    mounted = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume and not volume["secret"].get("optional")}

    assert set(made) == mounted | {reference["name"] for reference in references}
    # A line end within would be part of the setting.
    assert [made[reference["name"]][reference["key"]] for reference in references] == [b"postgresql://store/holdfast", b"key"]
    assert set(made["holdfast-tls"]) == {"tls.crt", "tls.key"}
    assert set(made["holdfast-access"]) == {"access.yaml"}


def test_rules_in_clusters_are_those_that_are_tested():
    """The PrometheusRule and the copy in the chart are made from deploy/prometheus/rules.yaml."""
    for path, text in runpy.run_path(str(ROOT / "deploy/generate.py"))["render"]().items():
        assert path.read_text(encoding="utf-8") == text, "stale; run: python deploy/generate.py"
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text(encoding="utf-8"))

    assert one(resources(BASE / "monitoring"), "PrometheusRule")["spec"] == rules
