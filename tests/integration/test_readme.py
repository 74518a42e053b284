"""README.md and the other pages: their length, links and tables, and the lines that continuous integration runs."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from initsk.cli._list import list_markdown

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "examples", "tests/public_reports")),
]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_first_pages_are_short(page):
    assert len((ROOT / page).read_text().splitlines()) <= 120


def test_the_oldest_versions_are_those_that_the_project_allows():
    (named,) = re.findall(r"oldest\s+releases that `pyproject.toml` allows \((.*?)\)", CONTRIBUTING, flags=re.DOTALL)
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    oldest = [">=".join(requirement.split()) for requirement in named.split(",")]
    assert len(oldest) == 5
    assert set(oldest) <= set(allowed)


def test_ci_runs_the_test_line_of_the_readme():
    line = re.search(r"<!-- test line -->\n```bash\n(.*)\n```", README).group(1)
    extraction = re.search(r"line=\$\((.*)\)\n", (ROOT / ".ci" / "run").read_text()).group(1)
    found = subprocess.run(["bash", "-c", extraction], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found.strip() == line


def test_the_table_of_initializers_is_generated():
    assert (ROOT / "docs" / "initializers.md").read_text() == list_markdown(None) + "\n"


def test_every_example_is_in_the_gallery():
    gallery = (ROOT / "examples" / "README.md").read_text()
    scripts = sorted((ROOT / "examples").glob("plot_*.py"))
    assert len(scripts) > 10
    assert [script.name for script in scripts if f"({script.name})" not in gallery] == []


def test_every_page_of_the_guide_is_linked_from_the_readme():
    pages = sorted((ROOT / "docs" / "guide").glob("*.md"))
    assert len(pages) >= 9
    assert [page.name for page in pages if f"(docs/guide/{page.name})" not in README] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert link.startswith("https://") or target.exists(), link
        if anchor and target.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", target.read_text(), flags=re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], link


def test_contributing_describes_every_part_of_the_package():
    for part in (ROOT / "initsk").iterdir():
        if part.name not in {"__init__.py", "__pycache__", "_version.py", "py.typed"}:
            assert part.name in CONTRIBUTING, part.name
