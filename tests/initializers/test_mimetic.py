"""MimeticAttention."""

from math import sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from initsk import get_initializer, initialize
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    GlorotUniform,
    HeNormal,
    MimeticAttention,
    PerParameter,
)
from initsk.network import ParameterSpec
from tests.helpers import RARE, build
from tests.initializers.support import values_of


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
    """Assert that ``(found - beta I) / alpha`` has independent entries N(0, 1 / d)."""
    width = len(found)
    noise = (found - beta * torch.eye(width, dtype=found.dtype)).numpy() / alpha * sqrt(width)
    assert stats.kstest(noise.ravel(), "norm").pvalue > RARE
    # The symmetric part and the diagonal also have the variance of independent entries.
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


def test_the_base_fills_all_other_parameters():
    mimetic, plain = (build(lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)) for _ in range(2))
    initialize(mimetic, MimeticAttention("he_normal"), random_state=0)
    initialize(plain, "he_normal", random_state=0)
    found, base = values_of(mimetic), values_of(plain)
    changed = [name for name, value in found.items() if not torch.equal(value, base[name])]
    assert changed == ["self_attn.in_proj_weight", "self_attn.out_proj.weight"]
    assert not found["self_attn.in_proj_bias"].any()


def test_streams_depend_on_the_seed_and_the_name_of_the_layer():
    def stack(*names):
        return build(lambda: nn.ModuleDict({name: nn.MultiheadAttention(8, 2) for name in names}))

    values = {}
    for key, seed, names in [("first", 0, "ab"), ("same", 0, "cab"), ("other", 1, "ab")]:
        module = stack(*names)
        initialize(module, MimeticAttention(), random_state=seed)
        values[key] = values_of(module)
    first, same, other = values["first"], values["same"], values["other"]
    assert all(torch.equal(value, same[name]) for name, value in first.items())
    for name in ("a.in_proj_weight", "a.out_proj.weight"):
        assert not torch.equal(first[name], other[name])
        assert not torch.equal(first[name], first[name.replace("a.", "b.")])
    query, key = first["a.in_proj_weight"][:8].reshape(2, 4, 8), first["a.in_proj_weight"][8:16].reshape(2, 4, 8)
    assert not torch.allclose(query[0].T @ key[0], query[1].T @ key[1], atol=0.1)


def test_the_record_notes_both_products():
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
def test_products_that_are_not_square_keep_the_values_of_the_base(options, left, done):
    attention, record = attention_of(8, 2, **options)
    plain, _ = attention_of(8, 2, "glorot_uniform", **options)
    base = values_of(plain)
    for name in left:
        assert torch.equal(attention.get_parameter(name), base[name])
        assert "left as drawn: the product is not square" in record.loc[name, "why"]
    for name in done:
        assert not torch.equal(attention.get_parameter(name), base[name])
        assert "left" not in record.loc[name, "why"]


def test_a_frozen_weight_and_its_partner_do_not_change():
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


def test_a_rule_limits_mimetic_attention_to_some_layers():
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


def test_expected_moments_are_those_of_the_base_except_in_attention():
    attention = ParameterSpec.from_shape((8, 8))
    assert MimeticAttention().expected_moments(attention) == GlorotUniform().expected_moments(attention)
    projection = ParameterSpec((8, 8), 8, 8, kind="attention", block="q")
    assert MimeticAttention().expected_moments(projection) is None


@pytest.mark.parametrize("frozen", [False, True])
def test_a_module_without_attention_raises_and_does_not_change(frozen):
    module = build(lambda: nn.MultiheadAttention(4, 1) if frozen else nn.Sequential(nn.Linear(3, 2)))
    module.requires_grad_(not frozen)
    before = values_of(module)
    with pytest.raises(ValueError, match="MimeticAttention found no attention layer"):
        initialize(module, "mimetic_attention", random_state=0)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_one_message_shows_all_wrong_settings():
    with pytest.raises(InvalidParameterError, match=r"alpha_qk=-1 is not allowed.*beta_vo=nan is not allowed"):
        get_initializer(MimeticAttention(alpha_qk=-1, beta_vo=float("nan")))
