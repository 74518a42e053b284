"""Initializers keep their colors."""

from itertools import combinations, permutations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from initsk import list_initializers
from initsk.comparison import ARTICLE_INITIALIZERS
from initsk.displays import color_of


def test_an_initializer_has_its_color_in_every_comparison():
    names = list(ARTICLE_INITIALIZERS)
    colors = {name: color_of(name, names) for name in names}
    assert len(set(colors.values())) == len(names)
    for subset in permutations(names, 3):
        assert {name: color_of(name, subset) for name in subset} == {name: colors[name] for name in subset}


def test_eight_initializers_differ_in_any_order():
    names = list_initializers()["name"].tolist()
    for start in range(0, len(names) - 8, 4):
        chosen = names[start : start + 8]
        colors = [color_of(name, chosen) for name in chosen]
        assert len(set(colors)) == 8
        assert colors == [color_of(name, chosen[::-1]) for name in chosen]


def test_other_labels_and_parameters_give_way_to_a_name():
    labels = ["mine", "HeNormal(mode='fan_out')", "he_normal"]
    assert color_of("he_normal", labels) == color_of("he_normal", ["he_normal"])
    assert len({color_of(label, labels) for label in labels}) == 3


# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
# Differences (CIE 1976) from about 2.3 on are noticed side by side; thin lines need several times as much.
FAR_APART = 15


def lab(color, vision):
    """Return the CIELAB coordinates of an sRGB color as a reader sees it."""
    encoded = np.array(to_rgb(color))
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    x, y, z = TO_XYZ @ np.clip(vision @ linear, 0, 1) / (0.95047, 1, 1.08883)
    x, y, z = (np.cbrt(v) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION.values(), ids=list(VISION))
def test_the_default_initializers_are_far_apart_for_color_blind_readers(vision):
    names = list(ARTICLE_INITIALIZERS)
    seen = {name: lab(color_of(name, names), vision) for name in names}
    for one, other in combinations(names, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > FAR_APART, (one, other)
