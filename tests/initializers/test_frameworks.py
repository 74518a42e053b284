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
from initsk.initializers import DataDependentWeightNorm, PerParameter, Scaled
from tests.helpers import build

ALARM = 1e-4  # false alarms of each Kolmogorov-Smirnov test; the seeds are fixed
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
def test_dirac_group_by_group_and_as_torch_has_it_by_default(groups):
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
def test_torch_takes_stacked_blocks_for_one_matrix(layer, name):
    module = build(layer)
    initialize(module, "torch.orthogonal_", random_state=0)
    stored = module.get_parameter(name).detach().flatten(1)
    with torch.random.fork_rng():
        theirs = nn.init.orthogonal_(torch.empty_like(stored))
    torch.testing.assert_close(torch.linalg.svdvals(stored), torch.linalg.svdvals(theirs), rtol=1e-5, atol=1e-6)
    if stored.dim() == module.get_parameter(name).dim():
        initialize(module, "torch.eye_")
        assert torch.equal(module.get_parameter(name), nn.init.eye_(torch.empty_like(stored)))


def test_keras_and_jax_have_orthogonal_matrices_by_their_own_kernels():
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
        assert stats.kstest(values, stats.uniform(-bound, 2 * bound).cdf).pvalue > ALARM


def test_one_tensor_takes_one_initializer():
    module = build(lambda: nn.LSTM(3, 4))
    before = module.weight_hh_l0.detach().clone()
    mixed = PerParameter([("forget", "torch.orthogonal_", lambda spec: spec.block == "f" and spec.role == "weight")])
    with pytest.raises(ValueError, match=r"weight_ih_l0 is one tensor to .*AsStored.*the same initializer for all"):
        initialize(module, mixed)
    assert torch.equal(module.weight_hh_l0, before)


def test_calibration_knows_the_layer_behind_the_stored_tensor():
    # Grouped and transposed: the units are not where the stored tensor's rows are.
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
def test_torch_default_is_what_the_layer_does_itself(layer):
    ours, theirs = build(layer), build(layer)
    initialize(ours, "torch.reset_parameters", random_state=0)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        mine, other = mine.detach().flatten().numpy(), other.detach().flatten().numpy()
        if other.std() == 0:
            np.testing.assert_array_equal(mine, other, err_msg=name)
        else:
            assert stats.ks_2samp(mine, other).pvalue > ALARM, name


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


def test_delta_orthogonal_in_even_kernels():
    module = build(lambda: nn.Conv1d(4, 4, 4))
    for name, centre in (("delta_orthogonal", 2), ("jax.delta_orthogonal", 1)):
        initialize(module, name, random_state=0)
        assert module.weight.detach().any(dim=0).any(dim=0).nonzero().flatten().tolist() == [centre]


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


def test_lists():
    for framework in ("torch", "keras", "jax", "timm"):
        for name in list_initializers(framework)["name"]:
            assert name.startswith(f"{framework}.")
            get_initializer(name)
    with pytest.raises(ValueError, match="did you mean 'keras'"):
        list_initializers("kera")
