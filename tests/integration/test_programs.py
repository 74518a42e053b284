"""The programs of README.md and of the pages in docs/, run as they stand there.

A program is a block of Python. Its name is in a comment ``<!-- program: name -->`` on the line before the block. A
block without a comment is named after its page and line. The function that `expects` registers under a name asserts
what this program gives. A program without such a function must run without an error. A program with a main guard
starts processes; the slow tests run it as a script. The slow tests also run the programs in `LONG`.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sklearn import neural_network
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from initsk import MLPClassifier, compare_initializers
from initsk.testing import checks

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXPECTATIONS = {}
# Programs that take more than a second, except for the first one of the README.
LONG = {
    "comparison", "comparison of three initializers", "custom initializer", "parallel search", "reports", "diagnosis",
    "diagnosis of a deep network", "diagnosis of a module", "estimator",
}  # fmt: skip


def programs_of(page):
    """Yield the name and the source of every program on a page."""
    text = page.read_text()
    for found in re.finditer(r"(?:<!-- program: ([^\n]+) -->\n)?```python\n(.*?)```", text, flags=re.DOTALL):
        line = text[: found.start()].count("\n") + 1
        place = f"{page.relative_to(ROOT)}:{line}"
        yield found[1] or place, found[2]


PROGRAMS = [program for page in PAGES for program in programs_of(page)]
SCRIPTS = [(name, source) for name, source in PROGRAMS if '__name__ == "__main__"' in source]


def expects(name):
    """Register what the program of this name must give."""

    def register(check):
        EXPECTATIONS[name] = check
        return check

    return register


def each(programs):
    """Run a test for each program; those that take long are slow tests."""
    params = [
        pytest.param(name, source, id=name.replace(" ", "-"), marks=[pytest.mark.slow] if name in LONG else [])
        for name, source in programs
    ]
    return pytest.mark.parametrize(("name", "source"), params)


def run_script(source, path, *options):
    """Run a program in a process of its own and return what it prints."""
    path.write_text(source)
    command = [sys.executable, *options, str(path)]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@each([program for program in PROGRAMS if program not in SCRIPTS])
def test_program(name, source, tmp_path, monkeypatch, capsys, one_thread):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "program"}
    # A program that uses torch may draw from torch's global generator; the others must not move it.
    with torch.random.fork_rng(enabled="import torch" in source):
        if "import torch" in source:
            torch.manual_seed(0)
        exec(compile(source, name, "exec"), names)
    if name in EXPECTATIONS:
        EXPECTATIONS[name](names, tmp_path, capsys.readouterr().out)


@pytest.mark.slow
@each(SCRIPTS)
def test_script(name, source, tmp_path):
    shown = run_script(source, tmp_path / "program.py")
    if name in EXPECTATIONS:
        EXPECTATIONS[name]({}, tmp_path, shown)


def test_every_expectation_has_its_program():
    names = [name for name, _ in PROGRAMS]
    assert len(set(names)) == len(names)
    assert set(EXPECTATIONS) | LONG <= set(names)


@expects("first answer")
def first_answer(names, folder, shown):
    assert "has the highest mean score" in shown
    assert "zeros" in shown.rpartition("Significantly worse:")[2]


@expects("search")
def search_over_initializers(names, folder, shown):
    search = names["search"]
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 3
    assert search.best_params_["initializer"] != "zeros"
    assert scores[0] < 0.2 < scores[1]


@expects("comparison of three initializers")
def comparison_of_three(names, folder, shown):
    summary = names["result"].summary()
    assert summary["initializer"].iloc[-1] == "zeros"
    assert summary["significant"].iloc[-1]
    assert (folder / "reports" / "digits" / "index.html").stat().st_size > 10_000


@expects("from scikit-learn")
def from_scikit_learn(names, folder, shown):
    theirs = neural_network.MLPClassifier((100,), "tanh", alpha=1e-4, batch_size=200, max_iter=20, random_state=0)
    X, y, clf = names["X"] / 16, names["y"], names["clf"]
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, y)
    # Both have trained alike from other draws of the same distribution.
    assert clf.score(X, y) == pytest.approx(theirs.score(X, y), abs=0.02)
    assert clf.history_["train_loss"].iloc[-1] == pytest.approx(theirs.loss_, rel=0.1)


@expects("a table")
def comparison_on_a_table(names, folder, shown):
    result = names["result"]
    assert result.runs["status"].unique().tolist() == ["ok"]
    assert result.runs["split"].nunique() == 3
    assert result.settings["columns"] == ["age", "color"]
    assert shown.startswith("ColumnTransformer(")
    assert len(result.layers) > 0


@expects("diagnosis of a deep network")
def diagnosis_of_a_deep_network(names, folder, shown):
    assert "The network will probably not train" in shown


@expects("initialize")
def initialize_and_inspect(names, folder, shown):
    assert names["record"].to_frame()["touched"].all()
    # He keeps the mean square: 1 after ReLU; with 64 units and 1000 samples it scatters by less than one per cent.
    assert names["summary"].to_frame()["rms"].iloc[1] == pytest.approx(1, abs=0.04)


@expects("kinds of initializers")
def kinds_of_initializers(names, folder, shown):
    why = names["record"].to_frame().set_index("name")["why"]
    assert why["output.weight"] == "rule 'head'"
    assert why["hidden_1.weight"] == "rule 'rest'"
    assert names["clf"].initializer.get_params()["head__std"] == 0.1


@expects("reading")
def reading(names, folder, shown):
    graph = names["graph"]
    assert (graph.depth, graph.n_branches, graph.activations) == (2, 1, ["relu"])
    assert "1.weight" in ", ".join(graph.to_frame()["parameters"])


@expects("picture of a network")
def picture_of_a_network(names, folder, shown):
    assert (folder / "network.png").read_bytes().startswith(b"\x89PNG")


@expects("filled, kept, left")
def filled_kept_left(names, folder, shown):
    outcomes = names["record"].to_frame().set_index("name")["outcome"]
    assert outcomes[outcomes == "kept"].index.tolist() == ["1.up.weight", "1.up.bias", "2.weight", "2.bias"]
    assert "left" not in outcomes.tolist()
    assert names["everything"].to_frame().set_index("name").loc["1.up.weight", "outcome"] == "filled"


@expects("registered layer")
def registered_layer(names, folder, shown):
    frame = names["record"].to_frame().set_index("name")
    assert frame.loc["weight", ["fan_in", "fan_out"]].tolist() == [3, 5]
    assert frame.loc["rate", "outcome"] == "kept"


@expects("modules without values")
def modules_without_values(names, folder, shown):
    for module in (names["lazy"], names["model"]):
        assert all(value.isfinite().all() for value in module.state_dict().values())


@expects("estimator")
def estimator(names, folder, shown):
    assert names["clf"].score(names["X_test"], names["y_test"]) > 0.9


@expects("parallel search")
def parallel_search(names, folder, shown):
    search = names["search"]
    expected = search.cv_results_["mean_test_score"].tolist()
    X, y = load_digits(return_X_y=True)
    in_one_process = search.set_params(n_jobs=1).fit(X / 16, y)
    assert in_one_process.cv_results_["mean_test_score"].tolist() == expected


@expects("net")
def net(names, folder, shown):
    why = names["net"].initialization_record_.to_frame()["why"]
    assert why.str.contains("LSUV").sum() == 2
    assert names["net"].score(names["X"].astype("float32") / 16, names["y"]) > 0.5


@expects("comparison")
def comparison(names, folder, shown):
    summary = names["result"].summary().set_index("initializer")
    assert set(summary["lr"]) <= {1e-3, 1e-2}
    assert summary.loc["zeros", "rank"] == 3
    assert summary.loc["zeros", "significant"]
    assert names["both"].summary()["experiment"].tolist() == ["digits"] * 3 + ["once more"] * 3
    assert (folder / "runs.sqlite").exists()


@expects("recover")
def recover(names, folder, shown):
    assert names["records"]["kept"].sum() == 3
    assert names["records"]["reason"].str.contains("digest").sum() == 1
    whole = compare_initializers(MLPClassifier((4,), max_epochs=1), names["X"], names["y"], **names["settings"])
    assert names["result"].runs.equals(whole.runs)


@expects("inspection")
def inspection(names, folder, shown):
    summary = names["summary"]
    frame = summary.to_frame().set_index(["layer", "position"])
    assert frame.index.tolist() == [
        *[(layer, "output") for layer in ("embed", "lstm", "lstm/h_n", "lstm/c_n")],
        ("head", "pre_activation"),
        ("head", "activation"),
    ]
    # Nine of twelve positions are not padding; the states at the end have no positions.
    assert (frame["count"] / frame["units"]).tolist() == [200 * 9] * 2 + [200] * 2 + [200 * 9] * 2
    assert summary.findings().empty
    assert (summary.parameters()["update_to_weight"] > 0).all()


@expects("recorder")
def recorder(names, folder, shown):
    # 1797 samples in batches of 32 are 57 steps an epoch.
    assert names["frame"]["step"].unique().tolist() == [0, 100, 200, 228]
    assert (folder / "history.png").read_bytes().startswith(b"\x89PNG")


@expects("activations as features")
def activations_as_features(names, folder, shown):
    features = names["pipe"][:-1].transform(names["X"] / 16)
    assert features.columns.tolist() == [f"hidden_2_{unit}" for unit in range(32)]
    assert features.index.equals(names["X"].index)
    assert names["pipe"].score(names["X"] / 16, names["y"]) > 0.9


@expects("diagnosis")
def diagnosis(names, folder, shown):
    assert names["diagnosis"].score < 0.1
    assert names["diagnosis"].recommended_score > 0.9
    assert names["recommendation"].measured["initializer"].iloc[0] == "auto"
    assert names["clf"].score(names["X"] / 16, names["y"]) > 0.9


@expects("theory")
def theory(names, folder, shown):
    assert round(names["field"].depth_scales().reach) == 95
    assert round(names["theory"].critical_point("tanh", 0.05).weight_variance, 6) == 1.760955
    assert (folder / "phase.png").read_bytes().startswith(b"\x89PNG")


@expects("reports")
def reports(names, folder, shown):
    written = {path.name for path in (folder / "reports" / "digits").iterdir()}
    pages = {"index.html", "index.id.html", "report.md", "report.json"}
    assert written == pages | {"index_files", "index.id_files", "report_files"}
    assert {path.name for path in (folder / "reports").glob("*.html")} == {"network.html", "diagnosis.html"}
    assert names["html"].startswith("<iframe")
    assert names["diagnosis"].will_train
    assert "The network will probably train (score" in shown
    assert "for hidden_1.weight; " in shown
    assert "for output.weight" in shown


@expects("custom initializer")
def custom_initializer(names, folder, shown):
    source = next(source for name, source in PROGRAMS if name == "custom initializer")
    shown = run_script(source, folder / "test_own.py", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert f"{len(checks())} passed" in shown


@expects("comparison on a Dask cluster")
def comparison_on_a_dask_cluster(names, folder, shown):
    assert "zeros" in shown
