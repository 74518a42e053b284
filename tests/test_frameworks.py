"""The names of other frameworks draw what they draw there.

torch is here to compare with. Keras' and JAX's laws are written down as their sources have them:
a normal distribution cut at two standard deviations, widened by 1 / 0.87962566103423978 in variance scaling, and fans
counted by the shape that is stored.
"""

from math import sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from initsk import get_initializer, initialize, list_initializers
from initsk.initializers import DeltaOrthogonal

ALARM = 1e-4  # false alarms of each Kolmogorov-Smirnov test; the seeds are fixed
CUT = 0.87962566103423978


def build(factory):
    with torch.random.fork_rng():
        return factory()


@pytest.mark.parametrize(
    "name",
    [
        "uniform_",
        "normal_",
        "trunc_normal_",
        "ones_",
        "zeros_",
        "xavier_uniform_",
        "xavier_normal_",
        "kaiming_uniform_",
        "kaiming_normal_",
        "orthogonal_",
        "eye_",
    ],
)
def test_torch_draws_the_same(name):
    shape = (300, 400)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = getattr(torch.nn.init, name)(torch.empty(shape)).flatten().numpy()
    ours = get_initializer(f"torch.{name}").sample(shape, random_state=0).flatten().numpy()
    assert stats.ks_2samp(ours, theirs).pvalue > ALARM
    np.testing.assert_allclose(np.sort(ours)[[0, -1]], np.sort(theirs)[[0, -1]], rtol=0.25, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.Conv2d(40, 80, 3),
        lambda: nn.Conv2d(80, 80, 3, groups=80),
        lambda: nn.Conv2d(40, 80, 3, groups=4),
        lambda: nn.ConvTranspose2d(40, 80, 3),
        lambda: nn.LSTM(90, 60),
    ],
)
@pytest.mark.parametrize("name", ["xavier_normal_", "kaiming_uniform_"])
def test_torch_counts_the_fans_of_layers(layer, name):
    ours, theirs = build(layer), build(layer)
    initialize(ours, f"torch.{name}", random_state=0)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        weight = next(theirs.parameters())
        getattr(torch.nn.init, name)(weight)
    mine = next(ours.parameters()).detach().flatten().numpy()
    assert stats.ks_2samp(mine, weight.detach().flatten().numpy()).pvalue > ALARM


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_torch_dirac_with_groups(groups):
    ours, theirs = (build(lambda: nn.Conv2d(6, 12, 3, groups=groups)) for _ in range(2))
    initialize(ours, "torch.dirac_")
    nn.init.dirac_(theirs.weight, groups=groups)
    assert torch.equal(ours.weight, theirs.weight)


def test_other_spellings():
    assert get_initializer("torch.kaiming_normal") == get_initializer("torch.kaiming_normal_")
    assert get_initializer("keras.HeNormal") == get_initializer("keras.he_normal")
    assert get_initializer("HeNormal") == get_initializer("he_normal")
    assert get_initializer("ZerO") != get_initializer("zero")


@pytest.mark.parametrize(
    "module", [nn.Linear(60, 50), nn.Conv2d(8, 30, 3), nn.ConvTranspose2d(8, 30, 3), nn.LSTM(30, 20)]
)
def test_torch_default_is_what_the_layer_does_itself(module):
    ours, theirs = build(lambda: type(module)(*_arguments(module))), build(lambda: type(module)(*_arguments(module)))
    initialize(ours, "torch.reset_parameters", random_state=0)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        bound = max(float(mine.detach().abs().max()), float(other.detach().abs().max()))
        assert stats.ks_2samp(mine.detach().flatten() / bound, other.detach().flatten() / bound).pvalue > ALARM, name


def _arguments(module):
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    if isinstance(module, nn.LSTM):
        return module.input_size, module.hidden_size
    return module.in_channels, module.out_channels, module.kernel_size


SCALING = {"glorot": (1, "avg"), "he": (2, "in"), "lecun": (1, "in")}


@pytest.mark.parametrize("framework", ["keras", "jax"])
@pytest.mark.parametrize("name", SCALING)
def test_keras_and_jax_variance_scaling(framework, name):
    rows, columns = 300, 400
    scale, mode = SCALING[name]
    variance = scale / (columns if mode == "in" else (rows + columns) / 2)
    normal = get_initializer(f"{framework}.{name}_normal").sample((rows, columns), random_state=0).flatten().numpy()
    law = stats.truncnorm(-2, 2, scale=sqrt(variance) / CUT)
    assert stats.kstest(normal, law.cdf).pvalue > ALARM
    uniform = get_initializer(f"{framework}.{name}_uniform").sample((rows, columns), random_state=0).flatten().numpy()
    bound = sqrt(3 * variance)
    assert stats.kstest(uniform, stats.uniform(-bound, 2 * bound).cdf).pvalue > ALARM


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("keras.random_normal", stats.norm(0, 0.05)),
        ("keras.truncated_normal", stats.truncnorm(-2, 2, scale=0.05)),
        ("keras.random_uniform", stats.uniform(-0.05, 0.1)),
        ("keras.variance_scaling", stats.truncnorm(-2, 2, scale=sqrt(1 / 400) / CUT)),
        ("jax.normal", stats.norm(0, 0.01)),
        ("jax.uniform", stats.uniform(0, 0.01)),
        ("jax.truncated_normal", stats.truncnorm(-2, 2, scale=0.01)),
        ("timm.trunc_normal_", stats.truncnorm(-2, 2)),
        ("timm.trunc_normal_tf_", stats.truncnorm(-2, 2)),
        ("timm.variance_scaling_", stats.norm(0, sqrt(1 / 400))),
        ("timm.lecun_normal_", stats.truncnorm(-2, 2, scale=sqrt(1 / 400) / CUT)),
    ],
)
def test_free_laws(name, law):
    values = get_initializer(name).sample((300, 400), random_state=0).flatten().numpy()
    assert stats.kstest(values, law.cdf).pvalue > ALARM


@pytest.mark.parametrize(
    ("layer", "keras", "jax"),
    [
        # fan_in by the kernel that each framework stores for the layer
        (lambda: nn.Conv2d(40, 80, 3), 40 * 9, 40 * 9),
        (lambda: nn.Conv2d(40, 80, 3, groups=4), 10 * 9, 10 * 9),
        (lambda: nn.Conv2d(80, 80, 3, groups=80), 80 * 9, 9),
        (lambda: nn.ConvTranspose2d(40, 80, 3), 80 * 9, 40 * 9),
    ],
)
def test_keras_and_jax_count_fans_by_their_kernels(layer, keras, jax):
    for framework, fan_in in (("keras", keras), ("jax", jax)):
        module = build(layer)
        initialize(module, f"{framework}.he_normal", random_state=0)
        values = module.weight.detach().flatten().numpy()
        law = stats.truncnorm(-2, 2, scale=sqrt(2 / fan_in) / CUT)
        assert stats.kstest(values, law.cdf).pvalue > ALARM


def test_synonyms_of_jax():
    for theirs, same in (("xavier_normal", "glorot_normal"), ("kaiming_uniform", "he_uniform")):
        assert get_initializer(f"jax.{theirs}") == get_initializer(f"jax.{same}")
    assert get_initializer("jax.delta_orthogonal") == DeltaOrthogonal()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("keras.he_nrmal", "did you mean 'keras.he_normal'"),
        ("torch.constant_", r"Constant\(value\)"),
        ("torch.sparse", "functools.partial"),
        ("jax.variance_scaling", "VarianceScaling"),
        ("flax.he_normal", "unknown initializer"),
    ],
)
def test_wrong_names(name, words):
    with pytest.raises(ValueError, match=words):
        get_initializer(name)


def test_lists():
    for framework in ("torch", "keras", "jax", "timm"):
        for name in list_initializers(framework)["name"]:
            assert name.startswith(f"{framework}.")
            get_initializer(name)
    with pytest.raises(ValueError, match="did you mean 'keras'"):
        list_initializers("kera")
