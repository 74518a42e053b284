"""What is recommended, and what is found before training."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, diagnose, get_initializer, initialize, recommend_initializer
from initsk.exceptions import InvalidParameterError
from initsk.modules import MLP
from tests.helpers import batch, build

X, Y = load_digits(return_X_y=True)
X = X / 16


def test_recommended_is_what_auto_does():
    module = build(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.GELU(), nn.Flatten(), nn.LSTM(16, 8)))
    frame = recommend_initializer(module).to_frame()
    record = initialize(module, "auto", random_state=0).to_frame().set_index("name")
    for row in frame.itertuples():
        assert row.why in record.loc[row.name, "why"]
    assert set(frame["name"]) == set(record.index)


def test_the_promised_variance_is_drawn():
    module = build(lambda: MLP(300, 10, (400, 300), activation="relu"))
    frame = recommend_initializer(module).to_frame().set_index("name")
    initialize(module, "auto", random_state=0)
    for name, parameter in module.named_parameters():
        if name.endswith("weight"):
            # Six standard errors of a normal's variance.
            tolerance = 6 * (2 / parameter.numel()) ** 0.5
            assert float(parameter.detach().var()) == pytest.approx(frame.loc[name, "variance"], rel=tolerance)
    assert frame.loc["hidden_1.weight", "variance"] == pytest.approx(2 / 300)
    assert (
        frame.loc["hidden_1.weight", "reference"].startswith("He et al.") or frame.loc["hidden_1.weight", "reference"]
    )


@pytest.mark.parametrize(
    ("activation", "expected"), [("tanh", "glorot_uniform"), ("sigmoid", "glorot_uniform"), ("relu", "VarianceScaling")]
)
def test_the_activation_decides(activation, expected):
    module = build(lambda: MLP(8, 2, (16,), activation=activation))
    frame = recommend_initializer(module).to_frame().set_index("name")
    assert frame.loc["hidden_1.weight", "initializer"].startswith(expected)
    assert activation in frame.loc["hidden_1.weight", "why"]


def test_recommending_changes_nothing_and_needs_no_data():
    module = build(lambda: MLP(8, 2, (16,)))
    before = {name: values.clone() for name, values in module.state_dict().items()}
    recommendation = recommend_initializer(module)
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert str(recommendation).endswith("lecun_normal for output.weight")


@pytest.mark.parametrize(
    ("initializer", "expected"),
    [("he_normal", set()), ("zeros", {"symmetric", "dead"}), ("random_normal", {"vanishing"})],
)
def test_diagnosis(initializer, expected):
    clf = MLPClassifier((64, 64, 64, 64), initializer=initializer, random_state=0)
    diagnosis = diagnose(clf, X, Y)
    assert set(diagnosis.findings["verdict"]) - {"healthy"} == expected
    assert diagnosis.will_train is (not expected)
    assert diagnosis.exit_code == (1 if expected else 0)
    assert str(diagnosis).startswith("This network is ill: " if expected else "Nothing is wrong")


def test_a_plain_module_is_diagnosed_and_stays_as_it_is():
    module = build(lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)))
    before = {name: values.clone() for name, values in module.state_dict().items()}
    diagnosis = diagnose(module, batch(50, 4), torch.arange(50) % 2)
    assert diagnosis.will_train
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_only_the_first_samples_are_looked_at():
    clf = MLPClassifier((8,), random_state=0)
    few = diagnose(clf, X, Y, max_samples=100).summary.to_frame()
    assert few["count"].iloc[0] == 100 * 8
    assert few.equals(diagnose(clf, X[:100], Y[:100]).summary.to_frame())
    with pytest.raises(InvalidParameterError, match="max_samples=0 is not allowed"):
        diagnose(clf, X, Y, max_samples=0)


def test_reports_of_advice_show_the_layers():
    clf = MLPClassifier((8,), initializer="zeros", random_state=0)
    diagnosis = diagnose(clf, X, Y)
    page = diagnosis.to_html()
    assert "Not fit to be trained. This network is ill: symmetric" in page
    assert "Tidak layak dilatih. Jaringan ini sakit: simetris" in diagnosis.to_html(language="id")
    assert "feeds relu, of gain 1.4142" in page
    recommendation = recommend_initializer(clf, X, Y)
    assert recommendation._repr_html_().startswith("<iframe")
    for row in recommendation.to_frame().itertuples():
        assert row.name in recommendation.to_markdown().replace("\\", "")
        get_initializer(row.initializer.partition("(")[0])


def test_deep_networks_have_a_report_too():
    module = build(
        lambda: nn.Sequential(*(part for _ in range(25) for part in (nn.Linear(64, 64), nn.ReLU())), nn.Linear(64, 10))
    )
    initialize(module, "he_normal", random_state=0)
    page = diagnose(module, X.astype("float32"), Y).to_html(language="id")
    assert page.count("<svg") == 4
    # Every sentence is in the page's language, reasons too; layers that are numbers are called layers.
    assert "menuju relu, dengan gain 1,4142" in page
    assert "feeds" not in page
