"""Initializers keep their colors."""

from itertools import permutations

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
