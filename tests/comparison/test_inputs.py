"""Pipelines that prepare a table: compared as a bare estimator is."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from initsk import ComparisonResult, MLPClassifier, compare_initializers

rng = np.random.default_rng(0)
FRAME = pd.DataFrame({"age": rng.normal(40, 10, 80), "color": rng.choice(["red", "blue", "green"], 80)})
Y = np.where(FRAME["age"] > 40, "old", "young")
PREPARATION = ColumnTransformer([("number", StandardScaler(), ["age"]), ("text", OneHotEncoder(), ["color"])])
OPTIONS = {"initializers": ["zeros", "he_normal"], "n_repeats": 2}


def network():
    return MLPClassifier((4,), max_epochs=1, random_state=0)


@pytest.fixture(scope="module")
def result():
    return compare_initializers(Pipeline([("preparation", PREPARATION), ("network", network())]), FRAME, Y, **OPTIONS)


def test_layers_are_those_of_the_bare_estimator_on_prepared_samples(result):
    assert (result.runs["status"] == "ok").all()
    assert result.settings["parameter"] == "network__initializer"
    X = PREPARATION.fit_transform(FRAME)
    bare = compare_initializers(network(), X, Y, **OPTIONS)
    for name in ("layers", "histograms", "weights", "gradients", "history"):
        frame, other = result.frames[name], bare.frames[name]
        assert len(frame) > 0
        assert frame.columns.equals(other.columns)
        assert frame["initializer"].equals(other["initializer"]) or name == "histograms"
    # One of four inputs is a number, and three are categories.
    assert result.weights.query("layer == 'hidden_1' and parameter == 'weight'")["count"].unique().tolist() == [16]


def test_the_report_names_the_raw_columns_and_shows_the_preparation(result):
    page = result.to_markdown()
    assert "age, color" in page
    assert "ColumnTransformer(transformers=[('number', StandardScaler(), ['age'])," in page
    assert "0x" not in result.settings["preparation"]


def test_a_frame_without_a_pipeline_has_its_columns_in_the_report():
    frame = pd.DataFrame({"age": FRAME["age"] / 40})
    settings = compare_initializers(network(), frame, Y, **OPTIONS).settings
    assert settings["columns"] == ["age"]
    assert "preparation" not in settings


@pytest.mark.parametrize("form", ["nested", "memory", "frames"])
def test_pipelines_of_every_form_have_layers(result, form, tmp_path):
    steps = {
        "nested": lambda: make_pipeline(PREPARATION, make_pipeline(StandardScaler(), network())),
        "memory": lambda: make_pipeline(PREPARATION, network(), memory=str(tmp_path)),
        "frames": lambda: make_pipeline(PREPARATION, StandardScaler().set_output(transform="pandas"), network()),
    }
    other = compare_initializers(steps[form](), FRAME, Y, **OPTIONS)
    assert other.runs["reason"].unique().tolist() == [""]
    assert len(other.layers) == len(result.layers)
    if form == "memory":
        assert other.runs["score"].equals(result.runs["score"])


def test_folds_and_a_store(tmp_path):
    pipe = Pipeline([("preparation", PREPARATION), ("network", network())])
    options = OPTIONS | {"cv": 2, "store": tmp_path / "runs.sqlite", "activations": False}
    first, again = (compare_initializers(pipe, FRAME, Y, **options) for _ in range(2))
    assert len(first.runs) == 8
    assert again.runs.equals(first.runs)
    assert again.timing.equals(first.timing)


def test_a_search_over_a_pipeline():
    pipe = Pipeline([("preparation", PREPARATION), ("network", network())])
    search = GridSearchCV(pipe, {"network__initializer": ["zeros", "he_normal"]}, cv=2).fit(FRAME, Y)
    result = ComparisonResult.from_search(search)
    means = dict(zip(["zeros", "he_normal"], search.cv_results_["mean_test_score"], strict=True))
    assert result.runs.groupby("initializer", observed=True)["score"].mean().to_dict() == pytest.approx(means)
