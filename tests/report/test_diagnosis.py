"""The reports of a diagnosis, as pages."""

import re

import pytest
from sklearn.datasets import load_digits

from initsk import MLPClassifier, diagnose
from initsk.displays import PhaseDiagramDisplay

X, Y = load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def diagnosis():
    clf = MLPClassifier((60,) * 3, activation="sigmoid", initializer="glorot_uniform", random_state=0)
    return diagnose(clf, X / 16, Y, trial_steps=4)


@pytest.mark.slow
def test_a_row_of_the_learning_rates_begins_with_its_rate(diagnosis):
    [table] = re.findall(r'<table id="table-learning_rates">.*?</table>', diagnosis.to_html(), re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
    headings = [re.match(r'<th scope="row" data-sort="(.+?)">', row) for row in rows]
    assert [float(heading[1]) for heading in headings] == diagnosis.learning_rates()["lr"].tolist()
    assert "<th" not in "".join(row.partition("</th>")[2] for row in rows)


def test_the_phase_diagram_reaches_the_recommended_weights(diagnosis):
    # The slope of a sigmoid at zero is 1/4, so that the critical variance is 16.
    assert diagnosis.recommended_depth.weight_variance == pytest.approx(16, rel=0.05)
    display = PhaseDiagramDisplay.from_diagnosis(diagnosis, recommended="other").plot()
    assert list(display.networks) == ["this network", "other"]
    low, high = display.ax_.get_xlim()
    assert low <= 0
    assert high > display.networks["other"][0]


def test_page_and_finding_count_the_same_layers(diagnosis):
    page = diagnosis.to_markdown()
    assert re.search(r"through \d+ layers? with sigmoid\. The network has 3\.", page)
    deep = MLPClassifier((50,) * 30, activation="tanh", initializer="random_normal", random_state=0)
    page = diagnose(deep, X / 16, Y, trial_steps=0).to_markdown()
    assert "The number of layers with tanh, 30, is " in page
    assert "with tanh. The network has 30." in page
