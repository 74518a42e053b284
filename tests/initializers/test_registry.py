"""Names, synonyms, functions and labels of initializers, and the list of all of them."""

import gc
from functools import partial

import pytest
import torch

from initsk import get_initializer, initializers, list_initializers
from initsk.initializers import (
    Constant,
    GlorotNormal,
    HeNormal,
    Initializer,
    Orthogonal,
    RandomNormal,
    VarianceScaling,
    ZerO,
    Zeros,
    initializer_name,
)
from tests.helpers import label


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kaiming_normal", HeNormal()),
        ("he", HeNormal()),
        ("Xavier Normal", GlorotNormal()),
        ("glorot-normal", GlorotNormal()),
        ("zero", Zeros()),
        ("KaimingNormal", HeNormal()),
        ("kaiming_normal_", HeNormal()),
        ("henormal", HeNormal()),
        ("ZerO", ZerO()),
        ("zer_o", ZerO()),
        (HeNormal, HeNormal()),
        (Orthogonal(gain=2.0), Orthogonal(gain=2.0)),
    ],
)
def test_names_synonyms_and_objects(name, expected):
    assert get_initializer(name) == expected


def test_callable():
    ones = get_initializer(torch.nn.init.ones_)
    assert ones.sample((2, 2), random_state=0).tolist() == [[1, 1], [1, 1]]
    noisy = get_initializer(torch.nn.init.normal_)
    assert torch.equal(noisy.sample((3, 3), random_state=1), noisy.sample((3, 3), random_state=1))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("he_nrmal", "did you mean 'he_normal'"),
        (3, "a name, an Initializer, or a callable"),
        (RandomNormal(std=-1), "std=-1 is not allowed"),
        (HeNormal(mode="fan_inn"), "did you mean 'fan_in'"),
        (Orthogonal(gain=0), "a finite number > 0"),
    ],
    ids=label,
)
def test_errors_of_get_initializer(wrong, words):
    with pytest.raises(ValueError, match=words):
        get_initializer(wrong)


def test_list_initializers():
    frame = list_initializers()
    assert list(frame.columns) == ["name", "synonyms", "family", "formula", "needs_data", "needs_gradient", "reference"]
    for row in frame.itertuples():
        assert initializer_name(row.name) == row.name
        for synonym in filter(None, row.synonyms.split(", ")):
            assert get_initializer(synonym) == get_initializer(row.name)


FRAME = list_initializers().set_index("name")
SCALINGS = sorted(set(FRAME.index[FRAME["family"] == "variance scaling"]) - {"variance_scaling"})


@pytest.mark.parametrize("name", SCALINGS)
def test_a_general_formula_has_the_name_of_what_it_draws(name):
    named = get_initializer(name)
    general = VarianceScaling(named.scale, named.mode, named.distribution)
    # A formula with its own defaults keeps its own name.
    assert initializer_name(general) == ("variance_scaling" if general == VarianceScaling() else name)
    assert general.special_case() == named
    assert torch.equal(general.sample((3, 5), random_state=0), named.sample((3, 5), random_state=0))


@pytest.mark.parametrize(
    ("initializer", "name"),
    [
        (VarianceScaling(activation="relu"), "he_normal"),
        (VarianceScaling(0.5, activation=torch.nn.ReLU, distribution="uniform"), "lecun_uniform"),
        (VarianceScaling(activation="selu", distribution="orthogonal"), "lecun_orthogonal"),
        (VarianceScaling(2.0, "fan_out"), "HeNormal(mode='fan_out')"),
        (VarianceScaling(1.0, "fan_out"), "VarianceScaling(mode='fan_out')"),
        (VarianceScaling(activation="gelu"), "VarianceScaling(activation='gelu')"),
        (VarianceScaling(distribution="truncated_normal"), "VarianceScaling(distribution='truncated_normal')"),
        (Constant(0), "constant"),
        (Constant(1), "ones"),
        (Constant(0.5), "Constant(value=0.5)"),
    ],
    ids=label,
)
def test_only_equal_formulas_share_a_name(initializer, name):
    assert initializer_name(initializer) == name
    # What is shown is code for what is drawn.
    made = eval(name, vars(initializers).copy()) if "(" in name else get_initializer(name)
    torch.testing.assert_close(*(part.sample((3, 5), random_state=0) for part in (made, initializer)))


def test_a_name_of_a_framework_is_a_new_object_each_time():
    get_initializer("keras.random_normal").set_params(stddev=5.0)
    assert get_initializer("keras.random_normal").stddev == 0.05


def test_a_users_class_with_required_arguments_is_listed():
    class NeedsSize(Initializer):
        name = "needs_size_of_the_test"

        def __init__(self, size):
            self.size = size

    assert "needs_size_of_the_test" in set(list_initializers()["name"])
    assert initializer_name(NeedsSize(3)) == "NeedsSize(size=3)"
    del NeedsSize
    gc.collect()


def test_labels_of_functions_have_no_memory_address():
    assert initializer_name(torch.nn.init.ones_) == "ones_"
    assert initializer_name(partial(torch.nn.init.normal_, std=0.1)) == "normal_(std=0.1)"
    # Objects among the arguments are shown without their addresses, which differ in every process.
    assert initializer_name(partial(torch.nn.init.normal_, std=len, generator=object())) == (
        "normal_(std=len, generator=<object object>)"
    )
    assert repr(get_initializer(torch.nn.init.ones_)) == "FromCallable(ones_)"


def test_functions_follow_the_seed():
    s = get_initializer(torch.nn.init.normal_)
    assert not torch.equal(s.sample((3, 3), random_state=0), s.sample((3, 3), random_state=1))


def test_functions_may_return_the_values():
    assert get_initializer(lambda t: torch.full(t.shape, 2.0)).sample((2, 2), random_state=0).tolist() == [
        [2, 2],
        [2, 2],
    ]


def test_families_are_listed_together():
    f = list_initializers()["family"]
    assert (f != f.shift()).sum() == f.nunique()
