"""Names of other frameworks: each draws what the framework draws.

The distributions of Keras and JAX are written as in their sources: a normal distribution truncated at two standard
deviations, widened by 1 / 0.87962566103423978 in variance scaling, with the fans of the stored shape.
"""

import math
from math import sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from initsk import get_initializer, initialize, list_initializers
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    AsStored,
    DataDependentWeightNorm,
    FromFramework,
    PerParameter,
    RandomNormal,
    RandomUniform,
    Scaled,
)
from tests.helpers import build, record, variance_fits


@pytest.mark.parametrize(
    ("name", "expected"), [("keras.normal", RandomNormal(0.05)), ("keras.uniform", RandomUniform(-0.05, 0.05))], ids=str
)
def test_legacy_names_of_keras(name, expected):
    assert get_initializer(name).equivalent == expected


def test_timm_counts_as_torch():
    m = build(lambda: nn.ConvTranspose2d(8, 40, 3))
    record(m, "timm.variance_scaling_")
    assert variance_fits(m.weight, 1 / (40 * 9))


def test_keras_identity_of_any_shape():
    assert get_initializer("keras.identity").sample((2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_keras_orthogonal_has_gain_one():
    torch.testing.assert_close(
        torch.linalg.svdvals(get_initializer("keras.orthogonal").sample((4, 4), random_state=0)), torch.ones(4)
    )


def test_fan_out_of_keras_depthwise_kernels():
    m = build(lambda: nn.Conv2d(40, 120, 3, groups=40))
    record(m, "keras.glorot_normal")
    assert variance_fits(m.weight, 2 / (40 * 9 + 3 * 9))


def test_torch_default_of_projected_states():
    m = build(lambda: nn.LSTM(5, 60, proj_size=20))
    record(m, "torch_default")
    assert 0.95 / math.sqrt(60) < float(m.weight_hr_l0.detach().abs().max()) <= 1 / math.sqrt(60)


def test_a_stored_tensor_may_fail_if_its_base_may_fail():
    assert not AsStored(get_initializer(lambda t: t.zero_())).draw_never_fails


FALSE_ALARMS = 1e-4  # rate for each Kolmogorov-Smirnov test; the seeds are fixed


CUT = 0.87962566103423978


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
    assert stats.ks_2samp(ours, theirs).pvalue > FALSE_ALARMS
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
    assert stats.ks_2samp(mine, weight.detach().flatten().numpy()).pvalue > FALSE_ALARMS


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_dirac_with_groups_and_with_torchs_default(groups):
    ours, theirs = (build(lambda: nn.Conv2d(6, 12, 3, groups=groups)) for _ in range(2))
    initialize(ours, "dirac")
    nn.init.dirac_(theirs.weight, groups=groups)
    assert torch.equal(ours.weight, theirs.weight)
    initialize(ours, "torch.dirac_")
    nn.init.dirac_(theirs.weight)
    assert torch.equal(ours.weight, theirs.weight)


STACKED = [
    (lambda: nn.LSTM(20, 30), "weight_hh_l0"),
    (lambda: nn.GRU(20, 30), "weight_ih_l0"),
    (lambda: nn.MultiheadAttention(24, 4), "in_proj_weight"),
    (lambda: nn.Conv2d(16, 32, 3, groups=16), "weight"),
    (lambda: nn.ConvTranspose2d(8, 20, 3), "weight"),
]


@pytest.mark.parametrize(("layer", "name"), STACKED)
def test_torch_treats_stacked_blocks_as_one_matrix(layer, name):
    module = build(layer)
    initialize(module, "torch.orthogonal_", random_state=0)
    stored = module.get_parameter(name).detach().flatten(1)
    with torch.random.fork_rng():
        theirs = nn.init.orthogonal_(torch.empty_like(stored))
    torch.testing.assert_close(torch.linalg.svdvals(stored), torch.linalg.svdvals(theirs), rtol=1e-5, atol=1e-6)
    if stored.dim() == module.get_parameter(name).dim():
        initialize(module, "torch.eye_")
        assert torch.equal(module.get_parameter(name), nn.init.eye_(torch.empty_like(stored)))


def test_keras_and_jax_orthogonalize_the_kernels_that_they_store():
    # Keras: gates in one kernel (units, 4 units), depthwise ones as (kernel, in, multiplier). flax: a kernel per gate.
    lstm, depthwise = build(lambda: nn.LSTM(20, 30)), build(lambda: nn.Conv2d(16, 32, 3, groups=16))
    initialize(lstm, "keras.orthogonal", random_state=0)
    assert torch.linalg.svdvals(lstm.weight_hh_l0.detach()) == pytest.approx(np.ones(30), abs=1e-5)
    initialize(lstm, "jax.orthogonal", random_state=0)
    for gate in lstm.weight_hh_l0.detach().chunk(4):
        assert torch.linalg.svdvals(gate) == pytest.approx(np.ones(30), abs=1e-5)
    initialize(depthwise, "keras.orthogonal", random_state=0)
    kernel = depthwise.weight.detach().reshape(16, 2, 9).permute(2, 0, 1).reshape(9 * 16, 2)
    torch.testing.assert_close(kernel.T @ kernel, torch.eye(2), rtol=0, atol=1e-5)


def test_embeddings_have_as_many_inputs_as_rows_in_keras_and_jax():
    for name, variance in (
        ("keras.he_uniform", 2 / 900),
        ("jax.he_uniform", 2 / 900),
        ("torch.kaiming_uniform", 2 / 50),
    ):
        module = build(lambda: nn.Embedding(900, 50))
        initialize(module, name, random_state=0)
        bound = sqrt(3 * variance)
        values = module.weight.detach().flatten().numpy()
        assert stats.kstest(values, stats.uniform(-bound, 2 * bound).cdf).pvalue > FALSE_ALARMS


def test_one_tensor_takes_one_initializer():
    module = build(lambda: nn.LSTM(3, 4))
    before = module.weight_hh_l0.detach().clone()
    mixed = PerParameter([("forget", "torch.orthogonal_", lambda spec: spec.block == "f" and spec.role == "weight")])
    with pytest.raises(ValueError, match=r"weight_ih_l0 is one tensor to .*AsStored.*the same initializer for all"):
        initialize(module, mixed)
    assert torch.equal(module.weight_hh_l0, before)


def test_calibration_of_a_stored_tensor():
    # Grouped and transposed: the units are not the rows of the stored tensor.
    module = build(lambda: nn.ConvTranspose1d(4, 6, 3, groups=2))
    X = torch.randn(200, 4, 9, generator=torch.Generator().manual_seed(0))
    initialize(module, DataDependentWeightNorm("torch.xavier_normal_"), X=X, random_state=0)
    with torch.no_grad():
        assert module(X).var(dim=(0, 2), correction=0) == pytest.approx(np.ones(6), abs=1e-4)


def test_a_factor_keeps_the_layout():
    lstm = build(lambda: nn.LSTM(20, 30))
    initialize(lstm, Scaled("torch.orthogonal_", 0.5), random_state=0)
    assert torch.linalg.svdvals(lstm.weight_hh_l0.detach()) == pytest.approx(np.full(30, 0.5), abs=1e-5)


def test_other_spellings():
    for full in ("torch.nn.init.kaiming_normal_", "keras.initializers.HeNormal", "tf.keras.initializers.he_normal"):
        framework = "torch" if full.startswith("torch") else "keras"
        short = {"torch": "torch.kaiming_normal_", "keras": "keras.he_normal"}[framework]
        assert get_initializer(full) == get_initializer(short)
    assert get_initializer("keras.OrthogonalInitializer") == get_initializer("keras.orthogonal")
    assert get_initializer("torch.kaiming_normal") == get_initializer("torch.kaiming_normal_")
    assert get_initializer("keras.HeNormal") == get_initializer("keras.he_normal")
    assert get_initializer("HeNormal") == get_initializer("he_normal")
    assert get_initializer("ZerO") != get_initializer("zero")


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.Linear(60, 50),
        lambda: nn.Conv2d(8, 30, 3),
        lambda: nn.ConvTranspose2d(8, 30, 3),
        lambda: nn.Bilinear(10, 20, 30),
        lambda: nn.Embedding(30, 40),
        lambda: nn.LSTM(30, 20),
        lambda: nn.GRUCell(30, 20),
        lambda: nn.MultiheadAttention(40, 4),
        lambda: nn.MultiheadAttention(40, 4, kdim=30, vdim=20, add_bias_kv=True),
        lambda: nn.TransformerEncoderLayer(24, 4, 40),
    ],
)
def test_torch_default_equals_the_reset_of_the_layer(layer):
    ours, theirs = build(layer), build(layer)
    initialize(ours, "torch.reset_parameters", random_state=0)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        mine, other = mine.detach().flatten().numpy(), other.detach().flatten().numpy()
        if other.std() == 0:
            np.testing.assert_array_equal(mine, other, err_msg=name)
        else:
            assert stats.ks_2samp(mine, other).pvalue > FALSE_ALARMS, name


SCALING = {"glorot": (1, "avg"), "he": (2, "in"), "lecun": (1, "in")}


@pytest.mark.parametrize("framework", ["keras", "jax"])
@pytest.mark.parametrize("name", SCALING)
def test_keras_and_jax_variance_scaling(framework, name):
    rows, columns = 300, 400
    scale, mode = SCALING[name]
    variance = scale / (columns if mode == "in" else (rows + columns) / 2)
    normal = get_initializer(f"{framework}.{name}_normal").sample((rows, columns), random_state=0).flatten().numpy()
    expected = stats.truncnorm(-2, 2, scale=sqrt(variance) / CUT)
    assert stats.kstest(normal, expected.cdf).pvalue > FALSE_ALARMS
    uniform = get_initializer(f"{framework}.{name}_uniform").sample((rows, columns), random_state=0).flatten().numpy()
    bound = sqrt(3 * variance)
    assert stats.kstest(uniform, stats.uniform(-bound, 2 * bound).cdf).pvalue > FALSE_ALARMS


@pytest.mark.parametrize(
    ("name", "expected"),
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
def test_distributions_without_fans(name, expected):
    values = get_initializer(name).sample((300, 400), random_state=0).flatten().numpy()
    assert stats.kstest(values, expected.cdf).pvalue > FALSE_ALARMS


@pytest.mark.parametrize(
    ("layer", "keras", "jax"),
    [
        # The fan_in of the kernel that each framework stores for the layer.
        (lambda: nn.Conv2d(40, 80, 3), 40 * 9, 40 * 9),
        (lambda: nn.Conv2d(40, 80, 3, groups=4), 10 * 9, 10 * 9),
        (lambda: nn.Conv2d(80, 80, 3, groups=80), 80 * 9, 9),
        (lambda: nn.ConvTranspose2d(40, 80, 3), 80 * 9, 40 * 9),
    ],
)
def test_keras_and_jax_count_fans_of_their_kernels(layer, keras, jax):
    for framework, fan_in in (("keras", keras), ("jax", jax)):
        module = build(layer)
        initialize(module, f"{framework}.he_normal", random_state=0)
        values = module.weight.detach().flatten().numpy()
        expected = stats.truncnorm(-2, 2, scale=sqrt(2 / fan_in) / CUT)
        assert stats.kstest(values, expected.cdf).pvalue > FALSE_ALARMS


def test_synonyms_of_jax():
    for theirs, same in (("xavier_normal", "glorot_normal"), ("kaiming_uniform", "he_uniform")):
        assert get_initializer(f"jax.{theirs}") == get_initializer(f"jax.{same}")


def test_delta_orthogonal_in_even_kernels():
    module = build(lambda: nn.Conv1d(4, 4, 4))
    for name, center in (("delta_orthogonal", 2), ("jax.delta_orthogonal", 1)):
        initialize(module, name, random_state=0)
        assert module.weight.detach().any(dim=0).any(dim=0).nonzero().flatten().tolist() == [center]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("keras.he_nrmal", "did you mean 'keras.he_normal'"),
        ("torch.constant_", r"Constant\(value\)"),
        ("torch.sparse", "functools.partial"),
        ("jax.variance_scaling", "VarianceScaling"),
        ("keras.STFTInitializer", "spectrogram"),
        ("timm.init_weight_vit", "PerParameter"),
        ("flax.he_normal", "unknown initializer"),
    ],
)
def test_wrong_names(name, words):
    with pytest.raises(ValueError, match=words):
        get_initializer(name)


@pytest.mark.parametrize("function", [[], {}, None, 3], ids=repr)
def test_a_function_that_is_no_name_is_an_error(function):
    with pytest.raises(InvalidParameterError, match=r"unknown function .*Allowed: 'jax"):
        get_initializer(FromFramework(function))
    assert repr(FromFramework(function)) == f"FromFramework({function!r})"
    changed = get_initializer("torch.trunc_normal_").set_params(function=function)
    with pytest.raises(InvalidParameterError, match=r"unknown function .*Allowed: 'jax"):
        changed.sample((2, 3))


def test_lists():
    for framework in ("torch", "keras", "jax", "timm"):
        for name in list_initializers(framework)["name"]:
            assert name.startswith(f"{framework}.")
            get_initializer(name)
    with pytest.raises(ValueError, match="did you mean 'keras'"):
        list_initializers("kera")
