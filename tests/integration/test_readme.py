"""What README.md shows, run as it stands there."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from initsk.cli._list import list_markdown
from initsk.testing import checks

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
(
    SEARCH,
    FEATURES,
    COMPARISON,
    REPORTS,
    PYTHON,
    ESTIMATOR,
    SEARCHES,
    NET,
    COMPARING,
    INSPECTION,
    TRAINING,
    ADVISER,
    INITIALIZERS,
    OWN,
) = PROGRAMS


def run(program, folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = {"__name__": "readme"}
    exec(compile(program, "README.md", "exec"), names)
    return names


def test_the_oldest_versions_are_those_that_the_project_allows():
    (named,) = re.findall(r"oldest\s+releases that `pyproject.toml` allows \((.*?)\)", README, flags=re.DOTALL)
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    oldest = [requirement.replace(" ", ">=") for requirement in re.split(r",\s+", named)]
    assert len(oldest) == 5
    assert set(oldest) <= set(allowed)


def test_search_over_initializers(tmp_path, monkeypatch):
    search = run(SEARCH, tmp_path, monkeypatch)["search"]
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 3
    assert search.best_params_["initializer"] != "zeros"
    assert scores[0] < 0.2 < scores[1]


def test_activations_as_features(tmp_path, monkeypatch):
    names = run(FEATURES, tmp_path, monkeypatch)
    features = names["pipe"][:-1].transform(names["X"] / 16)
    assert features.columns.tolist() == [f"hidden_2_{unit}" for unit in range(32)]
    assert features.index.equals(names["X"].index)
    assert names["pipe"].score(names["X"] / 16, names["y"]) > 0.9


def test_comparison_frame(tmp_path, monkeypatch, capsys):
    summary = run(COMPARISON, tmp_path, monkeypatch)["result"].summary()
    assert summary["initializer"].iloc[-1] == "zeros"
    assert summary["significant"].iloc[-1]
    assert (tmp_path / "reports" / "digits" / "index.html").stat().st_size > 10_000


def test_reports(tmp_path, monkeypatch, capsys):
    names = run(REPORTS, tmp_path, monkeypatch)
    written = {path.name for path in (tmp_path / "reports" / "digits").iterdir()}
    pages = {"index.html", "index.id.html", "report.md", "report.json"}
    assert written == pages | {"index_files", "index.id_files", "report_files"}
    assert {path.name for path in (tmp_path / "reports").glob("*.html")} == {"network.html", "diagnosis.html"}
    assert names["html"].startswith("<iframe")
    assert names["diagnosis"].will_train
    shown = capsys.readouterr().out
    assert "It will train (score" in shown
    assert "lecun_normal for output.weight" in shown


def test_comparing(tmp_path, monkeypatch):
    with torch.random.fork_rng():
        names = run(COMPARING, tmp_path, monkeypatch)
    result = names["result"]
    summary = result.summary().set_index("initializer")
    assert set(summary["lr"]) <= {1e-3, 1e-2}
    assert summary.loc["zeros", "rank"] == 3
    assert summary.loc["zeros", "significant"]
    assert names["both"].summary()["experiment"].tolist() == ["digits"] * 3 + ["once more"] * 3
    assert (tmp_path / "runs.sqlite").exists()


def test_in_python(tmp_path, monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        names = run(PYTHON, tmp_path, monkeypatch)
    assert names["record"].to_frame()["touched"].all()
    # He keeps the mean square: 1 after ReLU; with 64 units and 1000 samples it scatters by less than one per cent.
    assert names["summary"].to_frame()["rms"].iloc[1] == pytest.approx(1, abs=0.04)


def test_estimator(tmp_path, monkeypatch):
    names = run(ESTIMATOR, tmp_path, monkeypatch)
    assert names["clf"].score(names["X_test"], names["y_test"]) > 0.9


def test_searches(tmp_path, monkeypatch):
    search = run(SEARCHES, tmp_path, monkeypatch)["search"]
    # The same as in this process alone.
    alone = search.set_params(n_jobs=1)
    expected = search.cv_results_["mean_test_score"].tolist()
    X, y = load_digits(return_X_y=True)
    assert alone.fit(X / 16, y).cv_results_["mean_test_score"].tolist() == expected


def test_net(tmp_path, monkeypatch):
    with torch.random.fork_rng():
        names = run(NET, tmp_path, monkeypatch)
    why = names["net"].initialization_record_.to_frame()["why"]
    assert why.str.contains("LSUV").sum() == 2
    assert names["net"].score(names["X"].astype("float32") / 16, names["y"]) > 0.5


def test_inspection(tmp_path, monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        summary = run(INSPECTION, tmp_path, monkeypatch)["summary"]
    frame = summary.to_frame().set_index(["layer", "position"])
    assert frame.index.tolist() == [
        *[(layer, "output") for layer in ("embed", "lstm", "lstm/h_n", "lstm/c_n")],
        ("head", "pre_activation"),
        ("head", "activation"),
    ]
    # Nine of twelve positions are no padding; the states at the end have no positions.
    assert (frame["count"] / frame["units"]).tolist() == [200 * 9] * 2 + [200] * 2 + [200 * 9] * 2
    assert summary.findings().empty
    assert (summary.parameters()["update_to_weight"] > 0).all()


def test_over_training(tmp_path, monkeypatch):
    names = run(TRAINING, tmp_path, monkeypatch)
    # 1797 samples in batches of 32 are 57 steps an epoch.
    assert names["frame"]["step"].unique().tolist() == [0, 100, 200, 300, 400, 500, 570]
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")


def test_adviser(tmp_path, monkeypatch):
    names = run(ADVISER, tmp_path, monkeypatch)
    assert names["diagnosis"].score < 0.1
    assert names["diagnosis"].recommended_score > 0.9
    assert names["recommendation"].measured["initializer"].iloc[0] == "auto"
    assert names["clf"].score(names["X"] / 16, names["y"]) > 0.9
    assert round(names["field"].depth_scales().reach) == 95
    assert (tmp_path / "phase.png").read_bytes().startswith(b"\x89PNG")


def test_initializers(tmp_path, monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        names = run(INITIALIZERS, tmp_path, monkeypatch)
    why = names["record"].to_frame().set_index("name")["why"]
    assert why["output.weight"] == "rule 'head'"
    assert why["hidden_1.weight"] == "rule 'rest'"
    assert names["clf"].initializer.get_params()["head__std"] == 0.1


def test_own_initializer(tmp_path):
    (tmp_path / "test_own.py").write_text(OWN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_own.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{len(checks())} passed" in done.stdout


def test_table_of_initializers_is_generated():
    assert (ROOT / "docs" / "initializers.md").read_text() == list_markdown()


def test_every_example_is_listed():
    for script in (ROOT / "examples").glob("plot_*.py"):
        assert f"(examples/{script.name})" in README, script.name


def test_ci_runs_the_test_line_as_it_stands():
    line = re.search(r"<!-- test line -->\n```bash\n(.*)\n```", README).group(1)
    extraction = re.search(r"line=\$\((.*)\)\n", (ROOT / ".ci" / "run").read_text()).group(1)
    found = subprocess.run(["bash", "-c", extraction], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found.strip() == line


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "benchmarks/README.md",
        "docs/comparison.md",
        "docs/initializers.md",
        "examples/README.md",
    ],
)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text()):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert link.startswith("https://") or target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), flags=re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], link


def test_layout_in_contributing_is_the_real_one():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for part in (ROOT / "initsk").iterdir():
        if part.name not in {"__init__.py", "__pycache__", "_version.py", "py.typed"}:
            assert part.name in text, part.name
