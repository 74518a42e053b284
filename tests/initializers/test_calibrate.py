"""Properties of all initializers that calibrate layers on a batch."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from initsk import initialize, list_initializers
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import (
    LSUV,
    AutoInit,
    DataDependentWeightNorm,
    Initializer,
    MimeticAttention,
    PerParameter,
    WithinLayer,
)
from initsk.network import MLP, ParameterSpec
from tests.helpers import batch, build, record
from tests.initializers.support import DATA_DEPENDENT, NETWORKS, assert_same_state, outputs, state


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


@pytest.mark.parametrize("initializer", DATA_DEPENDENT[2:], ids=repr)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_unit_has_mean_zero_and_variance_one(initializer, network):
    factory, shape = NETWORKS[network]
    module, X = build(factory), batch(*shape) * 2 + 1
    initialize(module, initializer, X=X, random_state=0)
    for name, (output,) in outputs(module, X).items():
        part = module.get_submodule(name)
        axis = -1 if isinstance(part, nn.Linear) else 1
        units = output.movedim(axis, 0).flatten(1)
        assert float(units.mean(1).abs().max()) < 1e-4
        assert float((units.std(1, correction=0) - 1).abs().max()) < 1e-4


def test_bilinear_layers():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = nn.Bilinear(4, 5, 6)

        def forward(self, a, b):
            return self.pair(a, b)

    X = batch(50, 4), batch(50, 5, seed=1)
    for initializer in DATA_DEPENDENT:
        module = build(Pair)
        initialize(module, initializer, X=X, random_state=0)
        assert abs(float(outputs(module, X)["pair"][0].std(correction=0)) - 1) <= 0.01


ALL = [*DATA_DEPENDENT, AutoInit(), AutoInit(distribution="uniform", input_shape=(3,))]


class Overflows(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.second(self.norm(self.first(x) * 1e30) * 1e30)


@pytest.mark.parametrize("initializer", DATA_DEPENDENT, ids=repr)
@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (None, InvalidParameterError, r"needs a batch \(allowed: initialize\(\.\.\., X=\.\.\.\)\)"),
        (torch.full((5, 3), float("nan")), ModuleError, "X holds NaN$"),
        (batch(0, 3), ModuleError, "no values reach layer 'first'"),
        (torch.zeros(5, 3), ModuleError, "layer 'first' is constant"),
        (batch(5, 3), ModuleError, "the input of layer 'second' holds infinity$"),
    ],
    ids=["missing", "nan", "empty", "constant", "overflow"],
)
def test_errors_name_the_layer_and_the_module_does_not_change(initializer, X, error, message):
    module = build(Overflows).train()
    module.first.register_forward_hook(lambda layer, arguments, output: None)
    before = state(module)
    with pytest.raises(error, match=message):
        initialize(module, initializer, X=X, random_state=0)
    assert_same_state(module, before)


def test_spectral_normalization_raises():
    module = build(lambda: nn.Sequential(spectral_norm(nn.Linear(4, 5))))
    for initializer in DATA_DEPENDENT:
        with pytest.raises(ModuleError, match=r"layer '0' changes the weight .* such as weight_norm"):
            initialize(module, initializer, X=3 * batch(20, 4), random_state=0)


@pytest.mark.parametrize("initializer", ALL, ids=repr)
def test_the_same_seed_gives_the_same_values_and_no_other_changes(initializer):
    X = batch(64, 3)
    factory = lambda: nn.Sequential(nn.Linear(3, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 2))  # noqa: E731
    modules = [build(factory) for _ in range(2)]
    given = {"X": X, "random_state": 5}
    copy = X.clone()
    for module in modules:
        module.train()
        before = state(module)
        initialize(module, initializer, **given)
        assert state(module)[1] == before[1]
        assert int(module[1].num_batches_tracked) == 0
    assert torch.equal(X, copy)
    first, second = (state(module)[0] for module in modules)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.complex64])
def test_other_types(dtype):
    X = batch(400, 20).to(dtype)
    for initializer in DATA_DEPENDENT:
        module = build(lambda: nn.Linear(20, 30, dtype=dtype))
        initialize(module, initializer, X=X, random_state=0)
        square = float(module(X).detach().to(torch.complex128).abs().square().mean())
        assert square == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("initializer", ALL, ids=repr)
def test_json_pickle_and_sample(initializer):
    assert Initializer.from_json(initializer.to_json()) == initializer
    assert pickle.loads(pickle.dumps(initializer)) == initializer
    assert initializer.sample((6, 4), random_state=0).shape == (6, 4)


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        (LSUV(tol=0), "tol=0"),
        (LSUV(max_iter=0, remove_mean="no"), "max_iter=0 .*remove_mean='no'"),
        (LSUV("orthgonal"), "did you mean 'orthogonal'"),
        (WithinLayer("zca"), "method='zca'"),
        (DataDependentWeightNorm(3), "base=3"),
        (AutoInit(input_variance=-1.0, input_shape=(0,)), "input_variance=-1.0 .*input_shape"),
    ],
)
def test_parameters_are_checked(initializer, message):
    with pytest.raises(InvalidParameterError, match=message):
        initialize(build(lambda: nn.Linear(3, 3)), initializer, X=batch(9, 3))


def test_names():
    table = list_initializers().set_index("name")
    needs = table.loc[["lsuv", "data_dependent_weight_norm", "within_layer", "autoinit"], "needs_data"]
    assert needs.tolist() == [True, True, True, False]
    module = build(lambda: nn.Linear(3, 3))
    for name in ("salimans", "krahenbuhl", "magic_init"):
        initialize(module, name, X=batch(30, 3), random_state=0)


def test_calibrated_layers_have_no_expected_moments():
    for s in (LSUV(), DataDependentWeightNorm(), WithinLayer()):
        assert s.expected_moments(ParameterSpec.from_shape((4, 3))) is None


def test_the_setting_of_fused_attention_is_restored():
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        initialize(build(lambda: nn.Linear(3, 3)), "lsuv", X=batch(20, 3))
        assert not torch.backends.mha.get_fastpath_enabled()
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_buffers_that_the_forward_replaces_are_restored():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 3)
            self.register_buffer("n", torch.zeros(()))

        def forward(self, x):
            self.n = self.n + 1
            return self.a(x)

    m = build(Counts)
    initialize(m, "lsuv", X=batch(20, 3))
    assert m.n == 0


def test_lsuv_lets_its_base_refine():
    m = build(lambda: nn.MultiheadAttention(16, 1))
    plain = copy.deepcopy(m)
    X = {k: batch(4, 3, 16, seed=i) for i, k in enumerate(("query", "key", "value"))}
    initialize(m, LSUV(MimeticAttention()), X=X, random_state=0)
    initialize(plain, MimeticAttention(), random_state=0)
    assert torch.equal(m.in_proj_weight, plain.in_proj_weight)  # LSUV does not change attention


def test_lsuv_lets_its_base_check_the_specs():
    with pytest.raises(InvalidParameterError, match="no parameter matches"):
        record(build(lambda: MLP(3, 2, (4,))), LSUV(PerParameter([("typo", "zeros", "haed")])), X=batch(9, 3))
