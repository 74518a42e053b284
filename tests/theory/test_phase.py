"""Where networks lie between order and chaos: the plane, and its picture."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, diagnose
from initsk.displays import PhaseDiagramDisplay, figure_png
from initsk.exceptions import InvalidParameterError
from initsk.theory import MeanField, critical_point, phase_diagram
from tests.helpers import build


@pytest.fixture(scope="module")
def tanh():
    return phase_diagram("tanh", cells=24)


def test_the_plane_is_that_of_mean_field_theory(tanh):
    for row, column in ((2, 3), (10, 8), (20, 14), (5, 20), (23, 23)):
        field = MeanField("tanh", tanh.weight_variances[column], tanh.bias_variances[row])
        assert tanh.chi_1[row, column] == pytest.approx(field.chi_1, rel=0.01)
        if abs(field.chi_1 - 1) > 0.05:
            assert tanh.xi_c[row, column] == pytest.approx(field.depth_scales().xi_c, rel=0.05)


def test_order_and_chaos_meet_on_the_critical_line(tanh):
    for row in (4, 12, 20):
        critical = critical_point("tanh", float(tanh.bias_variances[row])).weight_variance
        # Interpolation is good to a tenth of a percent there.
        away = np.abs(tanh.weight_variances / critical - 1) > 0.01
        assert ((tanh.chi_1[row] > 1) == (tanh.weight_variances > critical))[away].all()


def test_where_lengths_run_away_there_is_nothing():
    plane = phase_diagram("relu", cells=16)
    assert np.isnan(plane.chi_1[1:, plane.weight_variances > 2.05]).all()
    below = plane.weight_variances < 1.9
    np.testing.assert_allclose(plane.chi_1[1:, below], np.tile(plane.weight_variances[below] / 2, (15, 1)), rtol=1e-6)


def test_networks_are_marked_where_they_are(tanh):
    display = PhaseDiagramDisplay(tanh, {"mine": (1.76, 0.05), "other": (1.0, 0.0)}).plot(language="id")
    marks = [line.get_xydata()[0].tolist() for line in display.ax_.lines]
    assert marks == [[1.76, 0.05], [1.0, 0.0]]
    assert [text.get_text() for text in display.figure_.legends[0].get_texts()] == ["mine", "other"]
    assert display.ax_.get_title() == "skala kedalaman tanh, dalam lapisan"
    assert figure_png(display.figure_) == figure_png(
        PhaseDiagramDisplay(tanh, {"mine": (1.76, 0.05), "other": (1.0, 0.0)}).plot(language="id").figure_
    )


def test_a_diagnosed_network_is_marked():
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((200,) * 3, activation="tanh", initializer="lecun_normal", random_state=0)
    display = PhaseDiagramDisplay.from_diagnosis(diagnose(clf, X / 16, y))
    [(weight, bias)] = display.networks.values()
    # 80,000 weights and more: six standard errors of their variance.
    assert weight == pytest.approx(1, abs=6 * (2 / 80000) ** 0.5)
    assert bias == 0
    residual = build(lambda: nn.Sequential(nn.Linear(64, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 10)))
    with pytest.raises(InvalidParameterError, match="no plain chain of layers"):
        PhaseDiagramDisplay.from_diagnosis(diagnose(residual, X / 16, y))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: phase_diagram("rely"), "did you mean 'relu'"),
        (lambda: phase_diagram("tanh", cells=1, max_bias=0), "max_bias=0 is not allowed.*cells=1 is not allowed"),
    ],
)
def test_wrong_use(call, words):
    with pytest.raises(InvalidParameterError, match=words):
        call()
