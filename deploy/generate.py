"""Write the alert rules into the forms that clusters want, from deploy/prometheus/rules.yaml.

The PrometheusRule of the Kubernetes base holds them as YAML; the Helm chart includes a copy as it is. A test says when one is stale.
"""

from pathlib import Path

HERE = Path(__file__).resolve().parent
RULES = HERE / "prometheus/rules.yaml"

_HEAD = """\
# Made by deploy/generate.py from deploy/prometheus/rules.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: holdfast
spec:
"""


def render() -> dict[Path, str]:
    """Return every file and its text."""
    rules = RULES.read_text(encoding="utf-8")
    indented = "".join(f"  {line}" if line.strip() else line for line in rules.splitlines(keepends=True))
    return {
        HERE / "kubernetes/monitoring/prometheusrule.yaml": _HEAD + indented,
        HERE / "helm/holdfast/files/rules.yaml": rules,
    }


if __name__ == "__main__":
    for path, text in render().items():
        path.write_text(text, encoding="utf-8")
