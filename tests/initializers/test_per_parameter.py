"""PerParameter."""

import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from torch import nn

from initsk import MLPClassifier, initialize
from initsk.exceptions import InvalidParameterError
from initsk.initializers import HeNormal, Initializer, Ones, Orthogonal, PerParameter, RandomNormal, Zeros
from initsk.network import MLP
from tests.helpers import build, record


def network():
    with torch.random.fork_rng():
        parts = {"encoder": nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), "head": nn.Linear(4, 2)}
        return nn.ModuleDict(parts)


def chosen(rules, remainder="he_normal"):
    frame = initialize(network(), PerParameter(rules, remainder), random_state=0).to_frame()
    return dict(zip(frame["name"], frame["initializer"], strict=True)), dict(
        zip(frame["name"], frame["why"], strict=True)
    )


def test_the_name_of_a_layer_matches_the_layer():
    filled, why = chosen([("head", RandomNormal(0.5), "head")])
    assert filled["head.weight"] == "RandomNormal(std=0.5)"
    assert filled["head.bias"] == "Zeros()"
    assert filled["encoder.0.weight"] == "HeNormal()"
    assert "head" in why["head.weight"]


def test_the_name_of_a_parameter_matches_the_parameter():
    filled, _ = chosen([("all biases", RandomNormal(0.5), "*.bias")])
    assert filled["head.bias"] == filled["encoder.0.bias"] == filled["encoder.1.bias"] == "RandomNormal(std=0.5)"
    assert filled["head.weight"] == "HeNormal()"
    assert filled["encoder.1.weight"] == ""


def test_types_and_functions():
    filled, _ = chosen(
        [
            ("convolutions", Orthogonal(), nn.Conv2d),
            ("scales", "zeros", lambda spec: spec.kind == "normalization" and spec.role == "weight"),
        ],
        remainder="lecun_uniform",
    )
    assert filled["encoder.0.weight"] == "Orthogonal()"
    assert filled["encoder.1.weight"] == "Zeros()"
    assert filled["encoder.1.bias"] == ""
    assert filled["head.weight"] == "LeCunUniform()"


def test_the_first_rule_that_matches_counts():
    filled, _ = chosen([("first", "ones", "head"), ("second", "zeros", "*")])
    assert filled["head.weight"] == "Ones()"
    assert filled["encoder.0.weight"] == "Zeros()"


def test_a_pattern_without_a_match_raises():
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ValueError, match=r"typo \('haed'\).*head\.weight"):
        initialize(module, PerParameter([("typo", "zeros", "haed")]))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([("a", "nothing", "*")], "a: unknown initializer"),
        ([("a", "zeros", "*"), ("a", "ones", "*")], "name 'a' is that of an earlier rule"),
        ([("a__b", "zeros", "*")], "name 'a__b' has a double underscore"),
        ([("", "zeros", "*")], "a rule's name is empty"),
        ([("rules", "zeros", "*")], "name 'rules' is that of a parameter of PerParameter"),
        ([("remainder", "zeros", "*")], "name 'remainder' is that of a parameter of PerParameter"),
        ([("a", "zeros")], r"a list of \(name, initializer, pattern\)"),
        (None, r"a list of \(name, initializer, pattern\)"),
        ([("a", "zeros", 3)], "pattern=3"),
    ],
)
def test_errors_of_rules(rules, words):
    with pytest.raises(ValueError, match=words):
        initialize(network(), PerParameter(rules))


def test_is_a_value_with_nested_parameters():
    value = PerParameter([("head", RandomNormal(0.5), "head")], HeNormal())
    assert value.get_params()["head__std"] == 0.5
    assert value.get_params()["remainder__mode"] == "fan_in"
    changed = PerParameter([("head", RandomNormal(0.5), "head")], HeNormal()).set_params(
        head__std=0.7, remainder__mode="fan_out"
    )
    assert changed == PerParameter([("head", RandomNormal(0.7), "head")], HeNormal("fan_out"))
    assert changed.set_params(head="zeros") == PerParameter([("head", "zeros", "head")], HeNormal("fan_out"))
    assert Initializer.from_json(value.to_json()) == value
    with pytest.raises(ValueError, match="Invalid parameter"):
        value.set_params(foot__std=1)


def test_set_params_does_not_change_shared_initializers():
    shared = RandomNormal(0.5)
    first, second = (PerParameter([("head", shared, "head")]) for _ in range(2))
    first.set_params(head__std=0.7)
    assert second.get_params()["head__std"] == shared.std == 0.5


def test_grid_search_reaches_the_rules():
    X, y = load_iris(return_X_y=True)
    by_layer = PerParameter([("out", RandomNormal(0.01), "output"), ("hidden", "he_normal", "hidden_*")])
    clf = MLPClassifier((8,), initializer=by_layer, max_epochs=2, random_state=0)
    grid = {"initializer__out__std": [0.01, 0.5], "initializer__hidden": [Ones(), Zeros()]}
    search = GridSearchCV(clf, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    std = search.best_params_["initializer__out__std"]
    assert search.best_estimator_.initializer.get_params()["out__std"] == std
    record = search.best_estimator_.initialization_record_.to_frame().set_index("name")
    assert record.loc["output.weight", "initializer"] == repr(RandomNormal(std))
    assert by_layer.get_params()["out__std"] == 0.01


def test_classes_of_rules_include_subclasses():
    m = build(lambda: nn.Sequential(nn.Conv1d(2, 2, 2), nn.Conv2d(2, 2, 2)))
    assert record(m, PerParameter([("c", "ones", nn.Conv1d.__base__)]))["initializer"].str.count("Ones").sum() == 2

    class Mine(nn.Linear):
        pass

    m = build(lambda: Mine(2, 2))
    assert record(m, PerParameter([("c", "ones", nn.Linear)])).loc["weight", "initializer"] == "Ones()"


def test_initializers_of_rules_check_the_specs():
    with pytest.raises(InvalidParameterError, match="found no"):
        record(build(lambda: MLP(3, 2, (4,))), PerParameter([("a", "ones", "output")], "fixup"))
