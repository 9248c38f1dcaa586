"""docs/ as a site: it builds, its references are what the contract and the pages say, and no page is left out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FINDINGS = sorted(path for path in (DOCS / "findings").glob("*.md") if path.name != "README.md")


def test_the_api_reference_is_what_the_contract_says() -> None:
    """A comment that is changed in proto/ is changed on the page by `make docs`."""
    checked = subprocess.run([sys.executable, str(DOCS / "reference/write_api.py"), "--check"], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("page", FINDINGS, ids=lambda page: page.stem)
def test_a_finding_is_listed_with_its_own_words(page: Path) -> None:
    """The list of findings says of each what its page begins with."""
    text = page.read_text(encoding="utf-8")
    found = re.match(r"# (.*)\n\n## Summary\n(.*)", text)

    assert found
    assert f"| [{found[1]}]({page.name}) | {found[2]} |" in (DOCS / "findings/README.md").read_text(encoding="utf-8")


def test_every_page_can_be_reached() -> None:
    """A page is in the navigation of the site, or on the list of its folder."""
    navigation = re.findall(r"[\w/]+\.md", yaml.safe_dump(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    lists = {f"{path.parent.name}/{name}" for path in DOCS.glob("*/README.md") for name in re.findall(r"\]\((\w+\.md)", path.read_text())}
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}

    assert pages - set(navigation) - lists == set()


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """A link within docs/ leads to a page and to a heading that is there."""
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(ROOT / "mkdocs.yml"), "--site-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stderr
    assert (tmp_path / "index.html").exists()
