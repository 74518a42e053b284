"""Parameters of the names of other frameworks: set so, a name draws what the framework's function draws.

The laws of torch are those of the installed torch. Those of Keras and JAX are written as in their sources.
"""

import inspect
import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from initsk import MLPClassifier, get_initializer, initialize, list_initializers
from initsk.diagnosis import truncation_of
from initsk.initializers import FromFramework, Initializer, Scaled, TruncatedNormal, initializer_name
from initsk.utils.random import isolated_torch_random
from tests.helpers import build

SHAPE = (300, 400)
FALSE_ALARMS = 1e-4  # rate for each Kolmogorov-Smirnov test; the seeds are fixed
CUT = 0.87962566103423978
INF = float("inf")


def drawn(name, shape=SHAPE, **given):
    return get_initializer(name).set_params(**given).sample(shape, random_state=0)


def of_torch(name, shape=SHAPE, **given):
    with isolated_torch_random(1):
        return getattr(nn.init, name)(torch.empty(shape), **given)


def require_same(ours, theirs):
    ours, theirs = ours.flatten().numpy(), theirs.flatten().numpy()
    assert stats.ks_2samp(ours, theirs).pvalue > FALSE_ALARMS
    # Five standard errors of the difference of two standard deviations.
    assert ours.std() == pytest.approx(theirs.std(), rel=5 / len(ours) ** 0.5)


TORCH = [
    ("uniform_", {"a": -1.0}),
    ("uniform_", {"b": 0.25}),
    ("normal_", {"mean": 0.5}),
    ("normal_", {"std": 0.02}),
    ("trunc_normal_", {"std": 0.02}),
    ("trunc_normal_", {"std": 3.0}),
    ("trunc_normal_", {"mean": 1.5}),
    ("trunc_normal_", {"a": -0.5}),
    ("trunc_normal_", {"b": 0.5}),
    ("trunc_normal_", {"mean": -1.0, "std": 0.5, "a": -1.2, "b": 0.0}),
    ("xavier_uniform_", {"gain": 5 / 3}),
    ("xavier_normal_", {"gain": 0.5}),
    *[(f"kaiming_{law}_", {"a": 0.5}) for law in ("normal", "uniform")],
    *[(f"kaiming_{law}_", {"mode": "fan_out"}) for law in ("normal", "uniform")],
    *[
        ("kaiming_normal_", {"nonlinearity": name})
        for name in ("linear", "conv1d", "conv_transpose2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
    ],
    # torch uses the slope only for leaky_relu.
    ("kaiming_uniform_", {"a": 0.5, "nonlinearity": "tanh"}),
    ("kaiming_uniform_", {"a": 2, "mode": "fan_out", "nonlinearity": "leaky_relu"}),
    ("orthogonal_", {"gain": 0.5}),
]


@pytest.mark.parametrize(("name", "given"), TORCH, ids=str)
def test_law_of_torch(name, given):
    require_same(drawn(f"torch.{name}", **given), of_torch(name, **given))


def test_bounds_of_torch_are_absolute():
    values = drawn("torch.trunc_normal_", std=0.02)
    assert float(values.std()) == pytest.approx(0.02, rel=0.01)
    assert 0.08 < float(values.abs().max()) < 0.12
    assert truncation_of(get_initializer("torch.trunc_normal_").set_params(std=0.02)) == pytest.approx(100)


def test_singular_values_of_torchs_orthogonal():
    values = torch.linalg.svdvals(drawn("torch.orthogonal_", (20, 30), gain=0.5))
    torch.testing.assert_close(values, torch.full((20,), 0.5), rtol=1e-5, atol=0)


@pytest.mark.parametrize("layer", [lambda: nn.Conv2d(8, 30, 3), lambda: nn.ConvTranspose2d(8, 30, 3)])
@pytest.mark.parametrize("given", [{"mode": "fan_out"}, {"nonlinearity": "tanh", "mode": "fan_out"}, {"a": 1.0}])
def test_fans_of_torch_with_parameters(layer, given):
    ours, theirs = build(layer), build(layer)
    initialize(ours, get_initializer("torch.kaiming_normal_").set_params(**given), random_state=0)
    with isolated_torch_random(1):
        nn.init.kaiming_normal_(theirs.weight, **given)
    require_same(ours.weight.detach(), theirs.weight.detach())


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("own", [1, 2])
@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
def test_groups_of_dirac(kind, own, groups):
    ours, theirs = (build(lambda: kind(4, 6, 4, groups=own)) for _ in range(2))
    initialize(ours, get_initializer("torch.dirac_").set_params(groups=groups))
    nn.init.dirac_(theirs.weight, groups=groups)
    assert torch.equal(ours.weight, theirs.weight)


def test_groups_that_do_not_divide_the_outputs():
    module = build(lambda: nn.Conv1d(4, 6, 3))
    before = module.weight.detach().clone()
    with pytest.raises(ValueError, match="groups=4, which does not divide shape"):
        initialize(module, get_initializer("torch.dirac_").set_params(groups=4))
    assert torch.equal(module.weight, before)


def truncated(std, lower=-2.0, upper=2.0, mean=0.0):
    return stats.truncnorm(lower, upper, loc=mean, scale=std)


def uniform(bound):
    return stats.uniform(-bound, 2 * bound)


# The shape is (300, 400): 400 inputs, 300 outputs.
FORMULAS = [
    ("keras.random_normal", {"stddev": 2.0}, stats.norm(0, 2.0)),
    ("keras.random_normal", {"mean": 1.0}, stats.norm(1.0, 0.05)),
    ("keras.random_uniform", {"minval": -1.0}, stats.uniform(-1.0, 1.05)),
    ("keras.random_uniform", {"maxval": 1.0}, stats.uniform(-0.05, 1.05)),
    ("keras.truncated_normal", {"stddev": 2.0}, truncated(2.0)),
    ("keras.truncated_normal", {"mean": 1.0}, truncated(0.05, mean=1.0)),
    ("keras.variance_scaling", {"scale": 3.0}, truncated(math.sqrt(3 / 400) / CUT)),
    ("keras.variance_scaling", {"mode": "fan_out"}, truncated(math.sqrt(1 / 300) / CUT)),
    ("keras.variance_scaling", {"mode": "fan_avg"}, truncated(math.sqrt(1 / 350) / CUT)),
    ("keras.variance_scaling", {"distribution": "normal"}, truncated(math.sqrt(1 / 400) / CUT)),
    ("keras.variance_scaling", {"distribution": "untruncated_normal"}, stats.norm(0, math.sqrt(1 / 400))),
    ("keras.variance_scaling", {"distribution": "uniform"}, uniform(math.sqrt(3 / 400))),
    ("jax.normal", {"stddev": 2.0}, stats.norm(0, 2.0)),
    ("jax.uniform", {"scale": 3.0}, stats.uniform(0, 3.0)),
    ("jax.truncated_normal", {"stddev": 2.0}, truncated(2.0)),
    ("jax.truncated_normal", {"lower": -0.5}, truncated(0.01, lower=-0.5)),
    ("jax.truncated_normal", {"stddev": 3.0, "lower": 0.0, "upper": 40.0}, truncated(3.0, 0.0, 40.0)),
]


@pytest.mark.parametrize(("name", "given", "law"), FORMULAS, ids=[f"{name}-{given}" for name, given, _ in FORMULAS])
def test_law_of_keras_and_jax(name, given, law):
    assert stats.kstest(drawn(name, **given).flatten().numpy(), law.cdf).pvalue > FALSE_ALARMS


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [("keras.orthogonal", {"gain": 0.5}, 0.5), ("jax.orthogonal", {"scale": 3.0}, 3.0)],
)
def test_singular_values_of_keras_and_jax(name, given, value):
    torch.testing.assert_close(
        torch.linalg.svdvals(drawn(name, (20, 30), **given)), torch.full((20,), value), rtol=1e-5, atol=0
    )


def test_scale_of_jaxs_delta_orthogonal():
    values = drawn("jax.delta_orthogonal", (6, 4, 3), scale=3.0)
    torch.testing.assert_close(torch.linalg.svdvals(values[..., 1]), torch.full((4,), 3.0))
    assert not values[..., [0, 2]].any()


def test_values_that_are_not_random():
    assert drawn("keras.constant", (1, 2), value=3.0).tolist() == [[3, 3]]
    assert drawn("keras.identity", (2, 3), gain=-2.0).tolist() == [[-2, 0, 0], [0, -2, 0]]


def test_every_parameter_of_torch_is_there_and_is_tested():
    tested = {(name, parameter) for name, given in TORCH for parameter in given}
    for full in list_initializers("torch")["name"]:
        name = full.removeprefix("torch.")
        if name == "reset_parameters":
            continue
        theirs = dict(inspect.signature(getattr(nn.init, name)).parameters)
        del theirs["tensor"]
        theirs.pop("generator", None)
        assert get_initializer(full).arguments == {key: value.default for key, value in theirs.items()}
        missing = {key for key in theirs if (name, key) not in tested}
        assert missing <= ({"groups"} if name == "dirac_" else set())


def test_every_parameter_of_keras_and_jax_is_tested():
    tested = {(name, parameter) for name, given, _ in FORMULAS for parameter in given}
    named = {(f"keras.{name}", "gain") for name in ("orthogonal", "identity")} | {("keras.constant", "value")}
    named |= {("jax.orthogonal", "scale"), ("jax.delta_orthogonal", "scale")}
    for framework in ("keras", "jax"):
        for name in list_initializers(framework)["name"]:
            value = get_initializer(name)
            assert {(value.function, key) for key in value.arguments} <= tested | named


ALL = [name for framework in ("torch", "keras", "jax", "timm") for name in list_initializers(framework)["name"]]


@pytest.mark.parametrize("name", ALL)
def test_is_a_value(name):
    value = get_initializer(name)
    label = initializer_name(name)
    assert get_initializer(label) == value
    assert value.equivalent == clone(value).equivalent
    for parameter, default in value.arguments.items():
        words = {"mode": "fan_out", "nonlinearity": "tanh", "distribution": "uniform", "groups": 2, "minval": -1.0}
        changed = words[parameter] if parameter in words else default / 2 or 0.75
        other = clone(value).set_params(**{parameter: changed})
        assert other != value
        assert other == FromFramework(value.function, **{parameter: getattr(other, parameter)})
        for copied in (clone(other), Initializer.from_json(other.to_json()), pickle.loads(pickle.dumps(other))):
            assert (copied, hash(copied), repr(copied)) == (other, hash(other), repr(other))
        assert eval(repr(other), {"FromFramework": FromFramework}) == other


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("torch.trunc_normal_", {"std": -1}, r"torch.trunc_normal_: std=-1 is not allowed \(a finite number > 0\)"),
        ("torch.uniform_", {"a": 2.0}, r"a=2.0 is not allowed \(at most b=1.0\)"),
        ("torch.kaiming_normal_", {"mode": "fan_avg"}, "unknown mode 'fan_avg'"),
        (
            "torch.kaiming_normal_",
            {"nonlinearity": "rely", "a": "x"},
            "a='x' is not .*; nonlinearity='rely' is not",
        ),
        ("keras.variance_scaling", {"scale": 0.0}, "scale=0.0 is not allowed"),
        ("timm.variance_scaling_", {"distribution": "untruncated_normal"}, "did you mean"),
    ],
)
def test_wrong_values(name, given, words):
    value = get_initializer(name).set_params(**given)
    with pytest.raises(ValueError, match=words):
        value.sample((2, 3))
    with pytest.raises(ValueError, match=words):
        get_initializer(value)


def test_wrong_names_of_parameters_change_nothing():
    value = get_initializer("keras.random_normal")
    with pytest.raises(ValueError, match="unknown parameter 'std'; did you mean 'stddev'"):
        value.set_params(mean=1.0, std=0.1)
    assert value == get_initializer("keras.random_normal")
    with pytest.raises(ValueError, match="unknown parameter 'std'"):
        FromFramework("keras.random_normal", std=0.1)
    with pytest.raises(ValueError, match=r"did you mean 'keras\.random_normal'"):
        FromFramework("keras.randm_normal").sample((2, 2))
    with pytest.raises(ValueError, match=r"mean=0\.0 has no parameters"):
        value.set_params(mean__of=1.0)


def test_another_function_begins_with_its_own_defaults():
    value = get_initializer("keras.random_normal").set_params(stddev=2.0)
    assert value.set_params(function="jax.normal") == get_initializer("jax.normal")
    assert value.set_params(function="jax.uniform", scale=1.0).equivalent.high == 1.0


def test_in_compositions_and_searches():
    scaled = Scaled("torch.trunc_normal_", 0.5).set_params(base__std=0.02)
    assert float(scaled.sample(SHAPE, random_state=0).std()) == pytest.approx(0.01, rel=0.01)
    X = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    estimator = MLPClassifier((2,), initializer="torch.trunc_normal_", max_epochs=1, random_state=0)
    search = GridSearchCV(estimator, {"initializer__std": [0.02, 0.5]}, cv=2).fit(X, X[:, 0] > 0)
    assert search.best_estimator_.initializer.std in (0.02, 0.5)


@pytest.mark.parametrize(
    ("lower", "upper"), [(-1.0, 3.0), (0.5, 0.6), (5.0, 6.0), (-30.0, -29.0), (50.0, INF), (-1e3, 1e-3), (1e20, 1e21)]
)
def test_truncation_between_any_bounds(lower, upper):
    spec_law = stats.truncnorm(lower, upper)
    value = TruncatedNormal(std=1.0, bounds=(lower, upper), corrected=False)
    if upper == INF:
        with pytest.raises(ValueError, match="the lower first"):
            value.sample((2, 2))
        return
    values = value.sample((200, 200), random_state=0, dtype=torch.float64)
    assert lower <= values.min() <= values.max() <= upper
    if lower < 1e10:
        assert stats.kstest(values.flatten().numpy(), spec_law.cdf).pvalue > FALSE_ALARMS


def test_corrected_truncation_between_any_bounds():
    values = TruncatedNormal(std=0.3, bounds=(-1.0, 3.0)).sample(SHAPE, random_state=0)
    assert float(values.std()) == pytest.approx(0.3, rel=0.01)
