import matplotlib.pyplot as plt
import pytest
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, diagnose
from initsk.displays import PhaseDiagramDisplay, figure_png
from initsk.exceptions import InvalidParameterError
from initsk.theory import phase_diagram
from tests.helpers import build


@pytest.fixture(scope="module")
def tanh():
    return phase_diagram("tanh", cells=24)


def test_networks_are_marked_where_they_are(tanh):
    display = PhaseDiagramDisplay(tanh, {"mine": (1.76, 0.05), "other": (1.0, 0.0)}).plot(language="id")
    marks = [line.get_xydata()[0].tolist() for line in display.ax_.lines]
    assert marks == [[1.76, 0.05], [1.0, 0.0]]
    assert [text.get_text() for text in display.figure_.legends[0].get_texts()] == ["mine", "other"]
    assert "\nwarna: skala kedalaman tanh, dalam lapisan" in display.ax_.get_xlabel()
    assert figure_png(display.figure_) == figure_png(
        PhaseDiagramDisplay(tanh, {"mine": (1.76, 0.05), "other": (1.0, 0.0)}).plot(language="id").figure_
    )


def test_a_diagnosed_network_is_marked():
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((200,) * 3, activation="tanh", initializer="lecun_normal", random_state=0)
    display = PhaseDiagramDisplay.from_diagnosis(diagnose(clf, X / 16, y))
    weight, bias = display.networks["this network"]
    # 80,000 weights and more: six standard errors of their variance.
    assert weight == pytest.approx(1, abs=6 * (2 / 80000) ** 0.5)
    assert bias == 0
    residual = build(lambda: nn.Sequential(nn.Linear(64, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 10)))
    with pytest.raises(InvalidParameterError, match="not a plain chain of layers"):
        PhaseDiagramDisplay.from_diagnosis(diagnose(residual, X / 16, y))


@pytest.mark.parametrize("size", [(3.3, 2.2), (5.2, 3.3)])
def test_words_on_the_plane_lie_beside_the_marks(tanh, size):
    networks = {"start": (2.0, 0.0), "chaos": (3.0, 0.02), "order": (0.4, 0.28)}
    with plt.rc_context({"figure.figsize": size, "font.size": 9, "font.family": "serif"}):
        display = PhaseDiagramDisplay(tanh, networks).plot()
        display.figure_.draw_without_rendering()
    words = {text.get_text(): text for text in display.ax_.texts if text.get_visible()}
    assert {"order: gradients vanish", "chaos: gradients explode"} <= set(words)
    marks = [line.get_window_extent() for line in display.ax_.lines]
    for name in ("order: gradients vanish", "chaos: gradients explode"):
        assert not any(words[name].get_window_extent().overlaps(mark) for mark in marks)
