"""Needs of public reports about drawing weights; README.md has the reports."""

import math
import time

import pytest
import torch
from torch import nn

from initsk import initialize, theory
from initsk.exceptions import ModuleError
from initsk.initializers import (
    ForgetGateBias,
    GlorotUniform,
    HeNormal,
    Orthogonal,
    PerParameter,
    RandomNormal,
    TruncatedNormal,
    VarianceScaling,
)
from tests.helpers import batch, build, record, variance_fits


@pytest.mark.parametrize("initializer", ["random_normal", "glorot_uniform", "orthogonal", "auto"])
def test_the_row_of_padding_stays_zero(initializer):
    table = build(lambda: nn.Embedding(12, 6, padding_idx=5))
    initialize(table, initializer, random_state=0)
    zero = (table.weight == 0).all(dim=1)
    assert zero.tolist() == [row == 5 for row in range(12)]


def test_layers_copied_by_an_encoder_get_values_of_their_own():
    encoder = build(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 3))
    initialize(encoder, "glorot_uniform", random_state=0)
    matrices = [dict(layer.named_parameters()) for layer in encoder.layers]
    for name, values in matrices[0].items():
        if values.ndim == 2:
            others = [matrix[name] for matrix in matrices[1:]]
            assert not any(torch.equal(values, other) for other in others), name
            assert not torch.equal(*others), name


@pytest.mark.parametrize("std", [1e-3, 1e-2])
def test_wide_bounds_of_a_truncation_give_no_outliers(std):
    """A normal distribution has fewer than 1 in 1e9 values beyond seven standard deviations."""
    values = TruncatedNormal(std=std, bounds=(-2 / std, 2 / std)).sample((1000, 1000), random_state=0)
    assert float(values.abs().max()) < 7 * std
    assert variance_fits(values, std**2)


def test_packed_projections_of_attention_are_drawn_like_separate_ones():
    """Glorot's bound for a square matrix, whether torch stores one matrix or three."""
    width, bound = 24, math.sqrt(6 / 48)
    packed = build(lambda: nn.MultiheadAttention(width, 4))
    separate = build(lambda: nn.MultiheadAttention(width, 4, kdim=width + 1))
    initialize(packed, GlorotUniform(), random_state=0)
    initialize(separate, GlorotUniform(), random_state=0)
    for matrix in (*packed.in_proj_weight.chunk(3), separate.q_proj_weight):
        largest = float(matrix.detach().abs().max())
        assert 0.95 * bound < largest <= bound * (1 + 1e-6)


def test_values_reach_a_weight_behind_a_parametrization():
    plain = build(lambda: nn.Linear(20, 30))
    wrapped = nn.utils.parametrizations.weight_norm(build(lambda: nn.Linear(20, 30)))
    initialize(plain, "he_normal", random_state=0)
    initialize(wrapped, "he_normal", random_state=0)
    torch.testing.assert_close(wrapped.weight, plain.weight)
    assert variance_fits(wrapped.weight, 2 / 20)


@pytest.mark.parametrize("channels", [6, 16])
def test_both_fans_of_a_depthwise_convolution_are_the_size_of_its_kernel(channels):
    row = record(build(lambda: nn.Conv2d(channels, channels, (3, 5), groups=channels)), "glorot_normal").loc["weight"]
    assert (row["fan_in"], row["fan_out"]) == (15, 15)


def test_the_fan_in_of_a_grouped_convolution_counts_the_channels_of_its_group():
    row = record(build(lambda: nn.Conv1d(12, 8, 5, groups=4)), "he_normal").loc["weight"]
    assert (row["fan_in"], row["fan_out"]) == (3 * 5, 2 * 5)


def test_the_fan_in_of_a_transposed_convolution_counts_its_input_channels():
    row = record(build(lambda: nn.ConvTranspose2d(10, 4, 3)), "he_normal").loc["weight"]
    assert (row["fan_in"], row["fan_out"]) == (10 * 9, 4 * 9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_orthogonal_in_half_precision(dtype):
    layer = build(lambda: nn.Linear(24, 24, dtype=dtype))
    initialize(layer, Orthogonal(), random_state=0)
    assert layer.weight.dtype == dtype
    product = layer.weight.double() @ layer.weight.double().T
    rounding = 2 * math.sqrt(24) * torch.finfo(dtype).eps
    torch.testing.assert_close(product, torch.eye(24).double(), atol=rounding, rtol=0)


@pytest.mark.parametrize("initializer", [RandomNormal(), HeNormal(), Orthogonal(), TruncatedNormal()])
def test_equal_seeds_give_equal_values_whatever_was_drawn_before(initializer):
    first = initializer.sample((4, 6), random_state=3)
    other = initializer.sample((4, 6), random_state=4)
    assert torch.equal(initializer.sample((4, 6), random_state=3), first)
    assert not torch.equal(other, first)


class AdaptedTable(nn.Module):
    """A table of fixed rows plus a product of two narrow matrices, of which one is zero."""

    def __init__(self, zero):
        super().__init__()
        self.base, self.down, self.up = nn.Embedding(9, 6), nn.Embedding(9, 2), nn.Linear(2, 6, bias=False)
        nn.init.zeros_(getattr(self, zero).weight)

    def forward(self, words):
        return self.base(words) + self.up(self.down(words))


@pytest.mark.parametrize("zero", ["down", "up"])
def test_an_adapter_begins_as_no_change_whichever_factor_is_zero(zero):
    words = torch.arange(9)[None]
    model = build(lambda: AdaptedTable(zero))
    initialize(model, "random_normal", X=words, random_state=0)
    other = {"down": model.up, "up": model.down}[zero]
    assert torch.equal(model(words), model.base(words))
    assert (other.weight != 0).all()


def test_a_truncated_normal_takes_little_time():
    """The draw of the report took about 8 microseconds a value; a fast one takes less than a tenth of one."""
    spent = []
    for _ in range(3):
        start = time.perf_counter()
        TruncatedNormal(0.1).sample((500, 500), random_state=0)
        spent.append(time.perf_counter() - start)
    assert min(spent) < 2e-6 * 500**2


def test_a_rule_for_a_block_reaches_the_layers_inside_it():
    def block():
        return nn.Sequential(nn.Conv2d(3, 40, 3, bias=False), nn.BatchNorm2d(40), nn.ReLU())

    model = build(lambda: nn.Sequential(nn.Conv2d(3, 3, 3), block(), nn.Flatten(), nn.Linear(640, 2)))
    rules = PerParameter([("block", TruncatedNormal(0.01), "1.*"), ("others", RandomNormal(0.1), "*")])
    frame = record(model, rules, X=batch(2, 3, 8, 8))
    assert variance_fits(model[1][0].weight, 1e-4)
    assert "block" in frame.loc["1.0.weight", "why"]
    assert "others" in frame.loc["0.weight", "why"]


def test_a_layer_more_does_not_change_the_values_of_the_others():
    def drawn(*names):
        model = build(lambda: nn.ModuleDict({name: nn.Linear(4, 4) for name in names}))
        return initialize(model, "he_normal", random_state=0) and model.state_dict()

    few, many = drawn("first", "last"), drawn("new", "first", "another", "last")
    assert all(torch.equal(many[name], values) for name, values in few.items())


@pytest.mark.parametrize("initializer", ["orthogonal", "he_normal"])
def test_a_lazy_layer_takes_any_initializer(initializer):
    lazy, usual = build(lambda: (nn.LazyLinear(5), nn.Linear(7, 5)))
    initialize(lazy, initializer, X=batch(3, 7), random_state=0)
    initialize(usual, initializer, random_state=0)
    assert torch.equal(lazy.weight, usual.weight)


def test_a_self_normalizing_network_keeps_its_variance():
    """The gain of SELU is 1, so that the variance stays 1 in every layer, up to the spread of random weights."""
    assert theory.gain("selu") == pytest.approx(1, abs=1e-4)
    layers = [lambda: nn.Linear(200, 200, bias=False), nn.SELU] * 16
    model = build(lambda: nn.Sequential(*(layer() for layer in layers)))
    initialize(model, VarianceScaling(activation="selu"), random_state=0)
    signal = batch(500, 200)
    for layer in model:
        signal = layer(signal)
        assert float(signal.detach().var()) == pytest.approx(1, abs=0.25)


def test_a_generator_is_an_argument_and_the_global_one_stays():
    def draw(seed):
        return TruncatedNormal(0.02).sample((3, 4), generator=torch.Generator().manual_seed(seed))

    before = torch.get_rng_state()
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_forget_gate_alone_begins_open():
    """torch adds two biases; their sum is what the gate sees."""
    lstm = build(lambda: nn.LSTM(3, 4, num_layers=2))
    initialize(lstm, "orthogonal", bias_initializer=ForgetGateBias(2.0), random_state=0)
    for k in range(2):
        total = getattr(lstm, f"bias_ih_l{k}") + getattr(lstm, f"bias_hh_l{k}")
        assert [gate.unique().tolist() for gate in total.detach().chunk(4)] == [[0], [2], [0], [0]]


def test_the_matrix_of_each_gate_is_orthogonal():
    lstm = build(lambda: nn.LSTM(6, 6))
    initialize(lstm, "orthogonal", random_state=0)
    for gate in (*lstm.weight_hh_l0.detach().chunk(4), *lstm.weight_ih_l0.detach().chunk(4)):
        torch.testing.assert_close(gate @ gate.T, torch.eye(6), atol=1e-5, rtol=0)


@pytest.mark.parametrize("initializer", ["orthogonal", "he_normal", "glorot_uniform"])
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_weight_without_values_is_no_error(initializer):
    layer = build(lambda: nn.Linear(0, 3))
    initialize(layer, initializer, random_state=0)
    assert layer.weight.shape == (3, 0)
    assert layer.bias.isfinite().all()


@pytest.mark.parametrize("std", [0.02, 3.0])
def test_default_bounds_of_a_truncation_follow_the_standard_deviation(std):
    """The shape is the same for every standard deviation: values cut at two of those of the normal distribution."""
    unit = TruncatedNormal(1.0).sample((100, 100), random_state=0)
    torch.testing.assert_close(TruncatedNormal(std).sample((100, 100), random_state=0), std * unit)
    assert variance_fits(unit, 1.0)
    assert float(unit.abs().max()) < 2.3


def test_the_top_of_a_trained_network_begins_anew_alone():
    model = build(lambda: nn.Sequential(*[nn.Linear(5, 5) for _ in range(4)]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    initialize(model[2:], "he_normal", random_state=1)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"2.weight", "2.bias", "3.weight", "3.bias"}


@pytest.mark.parametrize("initializer", ["glorot_normal", "he_uniform", "orthogonal"])
def test_biases_are_no_error_for_initializers_of_matrices(initializer):
    layer = build(lambda: nn.Linear(4, 3))
    assert record(layer, initializer).loc["bias", "outcome"] == "filled"
    assert layer.bias.tolist() == [0, 0, 0]


class Rotated(nn.Module):
    """Layer behind a table that only the constructor can fill."""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", torch.arange(1.0, 6.0), persistent=False)
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x * self.frequencies.cos())


def test_memory_that_nothing_can_fill_is_an_error_with_its_name():
    with torch.device("meta"):
        model = Rotated()
    with pytest.raises(ModuleError, match="frequencies"):
        initialize(model, "he_normal", device="cpu", random_state=0)
    assert model.layer.weight.is_meta
