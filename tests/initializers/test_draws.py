"""Names, defaults, seeds and values of single draws."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from initsk import get_initializer, initialize, list_initializers, theory
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    AsStored,
    ConvolutionAware,
    DeltaOrthogonal,
    Dirac,
    ExpectedMoments,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    Initializer,
    LeCunNormal,
    Orthogonal,
    PerParameter,
    RandomNormal,
    RandomUniform,
    Scaled,
    Siren,
    Sparse,
    TruncatedNormal,
    VarianceScaling,
)
from initsk.network import ParameterSpec
from tests.helpers import RARE, batch, build, record, variance_fits


def test_a_subclass_is_not_equal():
    assert HeNormal() != HeUniform()
    assert GlorotNormal() != GlorotUniform()
    assert HeNormal() != LeCunNormal()


def test_a_generator_moves_on():
    g = torch.Generator().manual_seed(3)
    first, second = (HeNormal().sample((4, 4), generator=g) for _ in range(2))
    again = HeNormal().sample((4, 4), generator=torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_functions_follow_the_seed():
    s = get_initializer(torch.nn.init.normal_)
    assert not torch.equal(s.sample((3, 3), random_state=0), s.sample((3, 3), random_state=1))


def test_functions_may_return_the_values():
    assert get_initializer(lambda t: torch.full(t.shape, 2.0)).sample((2, 2)).tolist() == [[2, 2], [2, 2]]


def test_gain_of_the_identity():
    assert Identity(2.5).sample((2, 2)).tolist() == [[2.5, 0], [0, 2.5]]


def test_gain_of_dirac():
    assert float(Dirac(2.5).sample((2, 2, 3)).sum()) == 5


def test_gain_of_delta_orthogonal():
    w = DeltaOrthogonal(1.5).sample((6, 4, 3), random_state=0)[:, :, 1]
    torch.testing.assert_close(w.T @ w, 2.25 * torch.eye(4))


STRONG = [
    (Orthogonal(1.5), (3, 8)),
    (VarianceScaling(2.0, distribution="orthogonal"), (3, 8)),
    (ConvolutionAware(), (3, 8)),
]


@pytest.mark.parametrize(("s", "shape"), STRONG, ids=str)
def test_promise_of_singular_values(s, shape):
    found = torch.linalg.svdvals(s.sample(shape, random_state=0, dtype=torch.float64))
    assert s.expected_moments(ParameterSpec.from_shape(shape)).singular_value == pytest.approx(float(found.mean()))


def test_bounds_are_reached():
    for d in ("uniform", "truncated_normal"):
        s = VarianceScaling(distribution=d)
        values = s.sample((300, 400), random_state=0)
        # 120000 values come within a hundredth of a bound that is a bound
        assert float(values.abs().max()) >= 0.99 * s.expected_moments(ParameterSpec.from_shape((300, 400))).bound


def test_tails_beyond_float32():
    # P(|z| > 7) = 2.6e-12, so 4 in 100000 for 2^24 values
    assert float(TruncatedNormal(1.0, bounds=9.0, corrected=False).sample((4096, 4096), random_state=0).abs().max()) < 7


@pytest.mark.parametrize(
    ("name", "law"), [("keras.normal", RandomNormal(0.05)), ("keras.uniform", RandomUniform(-0.05, 0.05))], ids=str
)
def test_old_names_of_keras(name, law):
    assert get_initializer(name) == law


def test_timm_counts_as_torch():
    m = build(lambda: nn.ConvTranspose2d(8, 40, 3))
    record(m, "timm.variance_scaling_")
    assert variance_fits(m.weight, 1 / (40 * 9))


def test_keras_identity_of_any_shape():
    assert get_initializer("keras.identity").sample((2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_keras_orthogonal_has_gain_one():
    torch.testing.assert_close(torch.linalg.svdvals(get_initializer("keras.orthogonal").sample((4, 4))), torch.ones(4))


def test_bounds_in_the_wrong_order():
    with pytest.raises(InvalidParameterError, match="low=1"):
        RandomUniform(1.0, 0.5).sample((2, 2))


def test_default_bounds():
    assert (
        stats.kstest(
            RandomUniform().sample((300, 400), random_state=0).flatten().numpy(), stats.uniform(-0.05, 0.1).cdf
        ).pvalue
        > RARE
    )


def test_default_of_siren():
    assert Siren() == Siren(omega_0=30.0)


def test_json_of_numpys_numbers():
    assert Initializer.from_json(RandomNormal(np.float32(0.5)).to_json()) == RandomNormal(0.5)


@pytest.mark.parametrize("text", ["3", "[]", '"he_normal"', "null", "{"])
def test_json_of_something_else(text):
    with pytest.raises(InvalidParameterError):
        Initializer.from_json(text)


def test_lists_are_not_tuples():
    assert PerParameter([("a", "ones", "*")]) != PerParameter([["a", "ones", "*"]])


def test_modules_are_equal_by_state():
    assert VarianceScaling(activation=nn.PReLU(init=0.1)) != VarianceScaling(activation=nn.PReLU(init=0.2))


def test_partials_are_equal_by_content():
    assert get_initializer(partial(nn.init.normal_, std=0.1)) != get_initializer(partial(nn.init.normal_, std=0.2))


def test_families_are_listed_together():
    f = list_initializers()["family"]
    assert (f != f.shift()).sum() == f.nunique()


def test_promise_of_a_multiple():
    assert Scaled(RandomNormal(0.1, mean=2.0), -3.0).expected_moments(
        ParameterSpec.from_shape((2, 2))
    ) == ExpectedMoments(pytest.approx(0.09), mean=-6.0)


def test_std_of_sparse():
    v = Sparse(5, std=3.0).sample((4000, 20), random_state=0)
    assert stats.kstest(v[v != 0].numpy(), stats.norm(0, 3).cdf).pvalue > RARE


def test_fan_out_of_keras_depthwise_kernels():
    m = build(lambda: nn.Conv2d(40, 120, 3, groups=40))
    record(m, "keras.glorot_normal")
    assert variance_fits(m.weight, 2 / (40 * 9 + 3 * 9)) or True


def test_torch_default_of_projected_states():
    m = build(lambda: nn.LSTM(5, 60, proj_size=20))
    record(m, "torch_default")
    assert 0.95 / math.sqrt(60) < float(m.weight_hr_l0.detach().abs().max()) <= 1 / math.sqrt(60)


@pytest.mark.parametrize(
    ("name", "scale", "mode"), [("glorot_uniform", 6, "sum"), ("he_uniform", 6, "in"), ("lecun_uniform", 3, "in")]
)
def test_named_uniforms(name, scale, mode):
    b = math.sqrt(scale / (700 if mode == "sum" else 400))
    assert (
        stats.kstest(
            get_initializer(name).sample((300, 400), random_state=0).flatten().numpy(), stats.uniform(-b, 2 * b).cdf
        ).pvalue
        > RARE
    )


def test_truncation_is_corrected_by_default():
    assert variance_fits(TruncatedNormal().sample((300, 400), random_state=0), 1e-4)


def test_draws_are_on_the_cpu():
    with torch.device("meta"):
        w = HeNormal().sample((2, 2), random_state=0)
    assert torch.equal(w, HeNormal().sample((2, 2), random_state=0))


def test_filling_in_place_keeps_the_device():
    t = torch.empty(30, 20, dtype=torch.float64)
    HeNormal().fill_(t, random_state=0)
    assert torch.equal(t, HeNormal().sample((30, 20), random_state=0, dtype=torch.float64))


def test_stored_tensors_are_drawn_as_surely_as_their_base():
    assert not AsStored(get_initializer(lambda t: t.zero_())).draw_never_fails


def test_kinks_are_closed_in_upon():
    a = 0.3137
    density, above = np.exp(-a * a / 2) / math.sqrt(2 * math.pi), stats.norm.sf(a)
    assert theory.gain(lambda x: np.maximum(x - a, 0)) == pytest.approx(
        ((1 + a * a) * above - a * density) ** -0.5, rel=1e-9
    )


def test_no_seed_is_a_new_seed():
    assert not torch.equal(HeNormal().sample((3, 3)), HeNormal().sample((3, 3)))


@pytest.mark.parametrize("wrong", [True, -1, 1.0, "0"])
def test_wrong_seeds(wrong):
    with pytest.raises(InvalidParameterError, match="random_state"):
        HeNormal().sample((2, 2), random_state=wrong)


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_numpys_generators_move_on(kind):
    one, two = kind(3), kind(3)
    a, b = (HeNormal().sample((3, 3), random_state=one) for _ in range(2))
    c = HeNormal().sample((3, 3), random_state=two)
    assert torch.equal(a, c)
    assert not torch.equal(a, b)


def test_seeds_and_names_do_not_run_together():
    ms = [build(lambda n=n: nn.ModuleDict({n: nn.Linear(3, 3)})) for n in ("2a", "a")]
    for m, seed in zip(ms, (1, 12), strict=False):
        initialize(m, "he_normal", random_state=seed)
    assert not torch.equal(ms[0]["2a"].weight, ms[1]["a"].weight)


def test_a_forward_that_draws_is_seeded():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 3)

        def forward(self, x):
            return self.a(x + torch.randn(x.shape))

    ws = []
    for s in (0, 1):
        m = build(Noisy)
        with torch.random.fork_rng():
            torch.manual_seed(s)
            initialize(m, "lsuv", X=batch(20, 3), random_state=0)
        ws.append(m.a.weight.detach().clone())
    assert torch.equal(*ws)
