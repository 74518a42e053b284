from math import prod, sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.linalg import hadamard
from torch import nn

from initsk import get_initializer, initialize
from initsk.exceptions import InvalidParameterError
from initsk.initializers import ConvolutionAware, GlorotUniform, HeNormal, MimeticAttention, PerParameter, ZerO
from initsk.network import ParameterSpec
from tests.helpers import build

# The chance that a test below raises a false alarm; seeds are fixed.
RARE = 1e-6


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


# ZerO


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 2), [[1, 0], [0, 1]]),
        ((2, 4), [[1, 0, 0, 0], [0, 1, 0, 0]]),
        ((2, 1), [[sqrt(0.5)], [sqrt(0.5)]]),
        # m = 2, so c = 1 / 2, also for three outputs.
        ((3, 2), [[0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]),
        ((4, 3), [[0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5], [0.5, -0.5, -0.5]]),
        ((1, 1), [[1]]),
    ],
)
def test_zero_matrices_by_hand(shape, expected):
    torch.testing.assert_close(ZerO().sample(shape), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize(("rows", "columns"), [(8, 4), (8, 7), (9, 8), (100, 13), (37, 36), (64, 1)])
def test_zero_widens_by_the_corner_of_a_hadamard_matrix(rows, columns):
    size = 2 ** int(np.ceil(np.log2(rows)))
    expected = hadamard(size)[:rows, :columns] / sqrt(size)
    np.testing.assert_allclose(ZerO().sample((rows, columns), dtype=torch.float64).numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize("shape", [(5, 5), (4, 8), (8, 4), (64, 33)])
def test_zero_is_an_isometry_where_widths_are_kept_shrunk_or_a_power_of_two(shape):
    singular = torch.linalg.svdvals(ZerO().sample(shape, dtype=torch.float64))
    torch.testing.assert_close(singular, torch.ones_like(singular))


def test_zero_with_the_constant_that_the_paper_prints():
    # c = 2^(-(m - 1) / 2) with m = 3; identities have no constant.
    printed = ZerO(hadamard_gain=2**0.5)
    torch.testing.assert_close(printed.sample((8, 4)), 2.0**-1 * torch.tensor(hadamard(8)[:, :4]).float())
    assert torch.equal(printed.sample((4, 4)), torch.eye(4))


@pytest.mark.parametrize(
    ("kernel", "centre"), [((3,), (1,)), ((5, 3), (2, 1)), ((4, 1), (2, 0)), ((3, 3, 2), (1, 1, 1))]
)
@pytest.mark.parametrize("channels", [(4, 6), (6, 6), (8, 3)])
def test_zero_convolution_has_the_matrix_at_the_centre(channels, kernel, centre):
    values = ZerO().sample((*channels, *kernel))
    middle = (slice(None), slice(None), *centre)
    assert torch.equal(values[middle], ZerO().sample(channels))
    values[middle] = 0
    assert not values.any()


def test_zero_starts_convolutions_as_the_identity_group_by_group():
    options = {"kernel_size": 3, "padding": 1, "groups": 2}
    module = build(lambda: nn.Sequential(nn.Conv2d(4, 4, **options), nn.ConvTranspose2d(4, 4, **options)))
    initialize(module, "zer_o")
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module(x), x)


def test_zero_is_without_chance_and_leaves_embeddings():
    module = build(lambda: nn.ModuleDict({"words": nn.Embedding(10, 4), "wide": nn.Linear(4, 6), "rnn": nn.GRU(6, 6)}))
    words = module["words"].weight.clone()
    record = initialize(module, "zero_hadamard", random_state=0).to_frame().set_index("name")
    first = state(module)
    initialize(module, ZerO(), random_state=1)
    assert all(torch.equal(value, first[name]) for name, value in module.state_dict().items())
    assert torch.equal(module["words"].weight, words)
    assert not record.loc["words.weight", "touched"]
    assert torch.equal(module["rnn"].weight_hh_l0, torch.eye(6).repeat(3, 1))
    assert not module["wide"].bias.any()


def test_zero_refuses_what_has_no_matrix():
    with pytest.raises(InvalidParameterError, match=r"ZerO needs a matrix or a convolution's kernel.*\(5,\)"):
        ZerO().sample((5,))
    with pytest.raises(InvalidParameterError, match="hadamard_gain=0 is not allowed"):
        ZerO(hadamard_gain=0).sample((4, 2))


# ConvolutionAware


@pytest.mark.parametrize(
    "shape", [(5, 3, 3), (4, 7, 4), (6, 20, 3, 3), (2, 5, 7, 5), (3, 1, 3, 3), (3, 17, 2, 3, 2), (2, 40, 3, 3, 3)]
)
@pytest.mark.parametrize("scale", [2.0, 0.5])
def test_kernels_of_a_block_are_orthogonal_in_fourier_space(shape, scale):
    values = ConvolutionAware(scale).sample(shape, random_state=0, dtype=torch.float64)
    kernel, size = shape[2:], prod(shape[2:])
    spectra = torch.fft.fftn(values, dim=tuple(range(-len(kernel), 0))).flatten(2)
    length = size**2 * scale / (shape[1] * size)
    for start in range(0, shape[1], size):
        block = spectra[:, start : start + size]
        gram = block @ block.mH
        expected = length * torch.eye(block.shape[1], dtype=gram.dtype)
        torch.testing.assert_close(gram, expected.expand_as(gram), rtol=0, atol=1e-9 * length)


@pytest.mark.parametrize("shape", [(6, 5, 3), (8, 20, 3, 3), (3, 17, 2, 3, 2)])
def test_mean_square_is_exactly_that_of_he(shape):
    values = ConvolutionAware().sample(shape, random_state=1, dtype=torch.float64)
    fan_in = prod(shape[1:])
    assert float(values.square().mean()) == pytest.approx(2 / fan_in, rel=1e-12)
    assert ConvolutionAware().expected_moments(ParameterSpec.from_shape(shape)).variance == 2 / fan_in


def test_groups_count_in_the_variance():
    module = build(lambda: nn.Conv2d(8, 8, 3, groups=4))
    initialize(module, "caware", random_state=0)
    assert float(module.weight.detach().double().square().mean()) == pytest.approx(2 / (2 * 9), rel=1e-6)


@pytest.mark.parametrize("position", [(0, 0), (1, 2), (2, 2)])
def test_blocks_are_haar(position):
    # A coordinate of a uniform direction in three dimensions is uniform (Archimedes).
    values = ConvolutionAware().sample((4000, 3, 3), random_state=0)[:, *position].numpy()
    length = sqrt(2 / 3)
    assert stats.kstest(values / length, stats.uniform(-1, 2).cdf).pvalue > RARE


def test_blocks_and_units_are_independent():
    values = ConvolutionAware().sample((2000, 4, 3), random_state=0).double()
    # Squared cosines of independent directions in three dimensions have mean 1/3 and variance 4/45; five errors.
    for first, second in [(values[:, 0], values[:, 3]), (values[:-1, 0], values[1:, 0])]:
        cosines = torch.nn.functional.cosine_similarity(first, second).square()
        assert abs(float(cosines.mean()) - 1 / 3) < 5 * sqrt(4 / 45 / len(cosines))


def test_kernels_of_one_value_are_normal():
    values = ConvolutionAware().sample((40, 50, 1, 1), random_state=0).flatten().numpy()
    assert stats.kstest(values, stats.norm(0, sqrt(2 / 50)).cdf).pvalue > RARE


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_dense_layers_are_orthogonal_with_the_same_variance(shape):
    singular = torch.linalg.svdvals(ConvolutionAware().sample(shape, random_state=0, dtype=torch.float64))
    torch.testing.assert_close(singular, torch.full_like(singular, sqrt(2 / shape[1] * max(shape))))


def test_complex_kernels_are_unitary_and_empty_ones_are_drawn():
    values = ConvolutionAware().sample((3, 5, 2, 2), random_state=0, dtype=torch.complex128)[:, :4].flatten(2)
    gram = values @ values.mH
    torch.testing.assert_close(gram, (2 / 5 * torch.eye(4, dtype=gram.dtype)).expand_as(gram))
    assert ConvolutionAware().sample((0, 3, 3)).shape == (0, 3, 3)


def test_convolution_aware_follows_the_seed_and_refuses_vectors():
    first, same, other = (get_initializer("cai").sample((4, 3, 3, 3), random_state=seed) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    with pytest.raises(InvalidParameterError, match=r"ConvolutionAware needs fan_in and fan_out.*\(5,\)"):
        ConvolutionAware().sample((5,))


# MimeticAttention


def products(attention):
    """Return W_Q^T W_K of each head, and W_V^T W_O^T over all heads."""
    width, heads = attention.embed_dim, attention.num_heads
    query, key, value = attention.in_proj_weight.detach().split(width)
    by_head = [part.reshape(heads, width // heads, width) for part in (query, key)]
    return by_head[0].mT @ by_head[1], value.T @ attention.out_proj.weight.detach().T


def attention_of(width, heads, initializer="mimetic", seed=0, **options):
    attention = build(lambda: nn.MultiheadAttention(width, heads, dtype=torch.float64, **options))
    return attention, initialize(attention, initializer, random_state=seed).to_frame().set_index("name")


def assert_noise(found, alpha, beta):
    """Hold that ``(found - beta I) / alpha`` has independent entries N(0, 1 / d)."""
    width = len(found)
    noise = (found - beta * torch.eye(width, dtype=found.dtype)).numpy() / alpha * sqrt(width)
    assert stats.kstest(noise.ravel(), "norm").pvalue > RARE
    # The symmetric part and the diagonal have the variance of independent entries too.
    for part in ((noise + noise.T)[np.triu_indices(width, 1)] / sqrt(2), np.diag(noise)):
        low, high = stats.chi2.interval(1 - RARE, part.size)
        assert low < np.square(part).sum() < high
    # So the trace is near beta d: the mean of the diagonal is N(beta, (alpha / d)^2).
    assert abs(float(found.diagonal().mean()) - beta) < stats.norm.isf(RARE / 2) * alpha / width


@pytest.mark.parametrize("settings", [{}, {"alpha_qk": 0.2, "beta_qk": -0.5, "alpha_vo": 1.0, "beta_vo": -0.3}])
def test_products_of_one_head_are_the_stated_matrices(settings):
    scheme = MimeticAttention(**settings)
    attention, _ = attention_of(64, 1, scheme)
    query_key, value_out = products(attention)
    assert_noise(query_key[0], scheme.alpha_qk, scheme.beta_qk)
    assert_noise(value_out, scheme.alpha_vo, -scheme.beta_vo)


def test_defaults_are_those_of_the_paper():
    assert get_initializer("mimetic") == MimeticAttention("glorot_uniform", 0.7, 0.7, 0.4, 0.4)


def test_value_and_output_are_full_rank_over_all_heads():
    attention, _ = attention_of(48, 4)
    assert_noise(products(attention)[1], 0.4, -0.4)


def test_heads_are_low_rank_with_balanced_factors():
    attention, _ = attention_of(48, 4)
    query, key, value = attention.in_proj_weight.detach().split(48)
    for head in range(4):
        rows = slice(12 * head, 12 * (head + 1))
        sizes = query[rows].square().sum(dim=1)
        assert bool((sizes.diff() < 0).all())
        for factor in (query[rows], key[rows]):
            torch.testing.assert_close(factor @ factor.T, sizes.diag())
    torch.testing.assert_close(value @ value.T, (attention.out_proj.weight.T @ attention.out_proj.weight).detach())


def test_heads_without_noise_are_projections():
    found, _ = products(attention_of(24, 3, MimeticAttention(alpha_qk=0.0))[0])
    torch.testing.assert_close(found @ found, 0.7 * found)
    torch.testing.assert_close(found.diagonal(dim1=1, dim2=2).sum(dim=1), torch.full((3,), 0.7 * 8).double())


def test_heads_have_the_trace_of_the_best_approximation():
    def by_numpy(random, width=32, rank=8):
        wanted = 0.7 * random.normal(size=(width, width)) / sqrt(width) + 0.7 * np.eye(width)
        leading = np.linalg.eigh(wanted @ wanted.T).eigenvectors[:, -rank:]
        return np.trace(leading @ leading.T @ wanted)

    random = np.random.default_rng(0)
    expected = [by_numpy(random) for _ in range(400)]
    traces = [products(attention_of(32, 4, seed=seed)[0])[0].diagonal(dim1=1, dim2=2).sum(1) for seed in range(40)]
    traces = torch.cat(traces).numpy()
    assert stats.ttest_ind(traces, expected, equal_var=False).pvalue > RARE
    assert stats.ks_2samp(traces, expected).pvalue > RARE
    assert 0 < traces.mean() < 0.7 * 32


def test_everything_else_is_the_bases():
    mimetic, plain = (build(lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)) for _ in range(2))
    initialize(mimetic, MimeticAttention("he_normal"), random_state=0)
    initialize(plain, "he_normal", random_state=0)
    found, base = state(mimetic), state(plain)
    changed = [name for name, value in found.items() if not torch.equal(value, base[name])]
    assert changed == ["self_attn.in_proj_weight", "self_attn.out_proj.weight"]
    assert not found["self_attn.in_proj_bias"].any()


def test_streams_follow_the_seed_and_the_layers_name():
    def stack(*names):
        return build(lambda: nn.ModuleDict({name: nn.MultiheadAttention(8, 2) for name in names}))

    values = {}
    for key, seed, names in [("first", 0, "ab"), ("same", 0, "cab"), ("other", 1, "ab")]:
        module = stack(*names)
        initialize(module, MimeticAttention(), random_state=seed)
        values[key] = state(module)
    first, same, other = values["first"], values["same"], values["other"]
    assert all(torch.equal(value, same[name]) for name, value in first.items())
    for name in ("a.in_proj_weight", "a.out_proj.weight"):
        assert not torch.equal(first[name], other[name])
        assert not torch.equal(first[name], first[name.replace("a.", "b.")])
    query, key = first["a.in_proj_weight"][:8].reshape(2, 4, 8), first["a.in_proj_weight"][8:16].reshape(2, 4, 8)
    assert not torch.allclose(query[0].T @ key[0], query[1].T @ key[1], atol=0.1)


def test_record_says_what_was_done():
    _, record = attention_of(8, 2)
    assert record.loc["in_proj_weight", "why"].endswith("W_Q^T W_K ~ 0.7 Z +0.7 I; W_O W_V ~ 0.4 Z -0.4 I")
    assert record.loc["out_proj.weight", "why"].endswith("W_O W_V ~ 0.4 Z -0.4 I")


@pytest.mark.parametrize(
    ("options", "left", "done"),
    [
        ({"kdim": 5}, ["q_proj_weight", "k_proj_weight"], ["v_proj_weight", "out_proj.weight"]),
        ({"vdim": 5}, ["v_proj_weight", "out_proj.weight"], ["q_proj_weight", "k_proj_weight"]),
        ({"kdim": 5, "vdim": 6}, ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"], []),
    ],
)
def test_products_that_are_not_square_keep_the_bases_values(options, left, done):
    attention, record = attention_of(8, 2, **options)
    plain, _ = attention_of(8, 2, "glorot_uniform", **options)
    base = state(plain)
    for name in left:
        assert torch.equal(attention.get_parameter(name), base[name])
        assert "left as drawn: the product is not square" in record.loc[name, "why"]
    for name in done:
        assert not torch.equal(attention.get_parameter(name), base[name])
        assert "left" not in record.loc[name, "why"]


def test_a_frozen_weight_stays_and_its_partner_keeps_the_bases_values():
    attention = build(lambda: nn.MultiheadAttention(8, 2))
    attention.out_proj.weight.requires_grad_(False)
    frozen = attention.out_proj.weight.clone()
    record = initialize(attention, "mimetic", random_state=0).to_frame().set_index("name")
    plain = build(lambda: nn.MultiheadAttention(8, 2))
    initialize(plain, GlorotUniform(), random_state=0)
    assert torch.equal(attention.out_proj.weight, frozen)
    assert torch.equal(attention.in_proj_weight[16:], plain.in_proj_weight[16:])
    assert not torch.equal(attention.in_proj_weight[:16], plain.in_proj_weight[:16])
    assert "W_O W_V left as drawn: one of the two is not set here" in record.loc["in_proj_weight", "why"]


def test_a_rule_limits_it_to_some_layers():
    def stack():
        return build(lambda: nn.ModuleDict({name: nn.MultiheadAttention(8, 2) for name in "ab"}))

    module, plain = stack(), stack()
    rule = ("some", MimeticAttention(), lambda spec: spec.name.startswith("a.") and spec.role == "weight")
    initialize(module, PerParameter([rule]), random_state=0)
    initialize(plain, HeNormal(), random_state=0)
    query_key, value_out = products(module["a"])
    assert bool((torch.linalg.matrix_rank(query_key) == 4).all())
    assert float(value_out.trace()) < 0
    assert torch.equal(module["b"].in_proj_weight, plain["b"].in_proj_weight)
    assert torch.equal(module["b"].out_proj.weight, plain["b"].out_proj.weight)


def test_half_precision_is_computed_in_float32():
    rough = build(lambda: nn.MultiheadAttention(32, 2, dtype=torch.bfloat16))
    fine = build(lambda: nn.MultiheadAttention(32, 2))
    for attention in (rough, fine):
        initialize(attention, "mimetic", random_state=0)
    assert torch.equal(rough.in_proj_weight, fine.in_proj_weight.bfloat16())


def test_it_promises_nothing_of_attention_and_the_bases_of_the_rest():
    attention = ParameterSpec.from_shape((8, 8))
    assert MimeticAttention().expected_moments(attention) == GlorotUniform().expected_moments(attention)
    projection = ParameterSpec((8, 8), 8, 8, kind="attention", block="q")
    assert MimeticAttention().expected_moments(projection) is None


@pytest.mark.parametrize("frozen", [False, True])
def test_without_attention_it_says_so_and_touches_nothing(frozen):
    module = build(lambda: nn.MultiheadAttention(4, 1) if frozen else nn.Sequential(nn.Linear(3, 2)))
    module.requires_grad_(not frozen)
    before = state(module)
    with pytest.raises(ValueError, match="MimeticAttention found no attention layer"):
        initialize(module, "mimetic_attention", random_state=0)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_settings_are_checked_together():
    with pytest.raises(InvalidParameterError, match=r"alpha_qk=-1 is not allowed.*beta_vo=nan is not allowed"):
        get_initializer(MimeticAttention(alpha_qk=-1, beta_vo=float("nan")))
