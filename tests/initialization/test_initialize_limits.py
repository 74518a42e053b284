"""`initialize` on wrapped, tied, pruned and extended modules, and calls that fail."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.exceptions import ModuleError
from initsk.initializers import (
    LSUV,
    AutoInit,
    DataDependentWeightNorm,
    Fixup,
    ForgetGateBias,
    HeNormal,
    Initializer,
    PerParameter,
    RandomNormal,
    Scaled,
)
from initsk.network import MLP
from tests.helpers import build

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(module, before):
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def why(record):
    return record.to_frame().set_index("name")["why"]


def fills_all_but_one_unit(tensor):
    tensor[1:].zero_()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda tensor: None, "left 48 of 48 values NaN, as they were before .*a function that fills the tensor"),
        (fills_all_but_one_unit, "left 6 of 48 values NaN"),
        (lambda tensor: torch.full((8, 6), float("nan")), r"drew NaN \(allowed: finite numbers\); at hidden_1.weight"),
        (lambda tensor: tensor.fill_(float("inf")), r"drew infinity \("),
        (lambda tensor: torch.zeros(3, 3), r"drew the shape \(3, 3\), not \(8, 6\); at hidden_1.weight"),
        (lambda tensor: tensor.nothing(), r"failed on a tensor of shape \(8, 6\) at hidden_1.weight .*nothing"),
    ],
)
def test_functions_that_do_not_fill_a_tensor(function, words):
    module = build(lambda: MLP(6, 3, (8,)))
    before = state(module)
    with pytest.raises(ValueError, match=words):
        initialize(module, function, random_state=0)
    assert same(module, before)


def test_functions_may_use_numpys_global_state():
    def fill(tensor):
        return torch.from_numpy(np.random.normal(size=tensor.shape))  # noqa: NPY002

    first, again = build(lambda: nn.Linear(6, 4)), build(lambda: nn.Linear(6, 4))
    initialize(first, fill, random_state=0)
    initialize(again, fill, random_state=0)
    assert torch.equal(first.weight, again.weight)


class Transposed(Initializer):
    def draw_values(self, spec, generator, dtype):
        return torch.zeros(spec.shape[::-1], dtype=dtype)


def test_a_draw_of_another_shape_raises():
    with pytest.raises(ValueError, match=r"drew the shape \(6, 4\), not \(4, 6\)"):
        initialize(build(lambda: nn.Linear(6, 4)), Transposed())


class Fails(HeNormal):
    """Initializer that inherits `draw_never_fails` and overrides `draw_values`."""

    def draw_values(self, spec, generator, dtype):
        if spec.name.startswith("2"):
            raise ValueError("on purpose")
        return super().draw_values(spec, generator, dtype)


def test_a_subclass_that_overrides_the_draw_may_fail():
    assert HeNormal().draw_never_fails
    assert not Fails().draw_never_fails


def test_an_error_restores_the_buffers_of_a_parametrization():
    module = build(lambda: nn.Sequential(nn.utils.parametrizations.orthogonal(nn.Linear(8, 8)), nn.Linear(8, 4)))
    before = state(module)
    with pytest.raises(ModuleError, match="failed at layer '0' on X of shape 16 x 5"):
        initialize(module, "lsuv", X=torch.randn(16, 5, generator=torch.Generator().manual_seed(0)))
    assert same(module, before)


@pytest.mark.filterwarnings("ignore:`torch.jit.*` is:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
def test_scripted_modules_raise():
    with pytest.raises(ValueError, match=r"the module before torch\.jit"):
        initialize(torch.jit.script(build(lambda: nn.Linear(6, 4))))


def test_wrapped_modules_get_the_values_of_plain_modules():
    plain, parallel, compiled = (build(lambda: MLP(6, 3, (8,))) for _ in range(3))
    names = [row["name"] for row in initialize(plain, random_state=0).rows]
    for wrapped in (nn.DataParallel(parallel), torch.compile(compiled, backend="eager")):
        assert [row["name"] for row in initialize(wrapped, random_state=0).rows] == names
    for module in (parallel, compiled):
        assert same(module, state(plain))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.head = nn.Linear(8, 10, bias=False)
        self.head.weight = self.embed.weight
        self.shared = nn.Linear(8, 8, bias=False)
        self.view = nn.Linear(8, 8, bias=False)
        self.view.weight.data = self.shared.weight.data

    def forward(self, tokens):
        return self.head(self.view(self.shared(self.embed(tokens))))


def test_tied_parameters_are_filled_once_and_the_record_has_all_names():
    module = build(Tied)
    record = initialize(module, random_state=0)
    assert "the same as head.weight" in why(record)["embed.weight"]
    assert why(record)["view.weight"] == "tied to shared.weight"
    assert torch.equal(module.view.weight, module.shared.weight)
    single = build(lambda: nn.ModuleDict({"shared": nn.Linear(8, 8, bias=False)}))
    initialize(single, random_state=0)
    assert torch.equal(single["shared"].weight, module.shared.weight)


def test_an_output_initializer_needs_an_output_layer():
    with pytest.raises(ValueError, match="output_initializer has nothing to fill"):
        initialize(build(Tied), output_initializer="zeros")


def test_normalizations_do_not_change_and_the_record_describes_them():
    module = build(lambda: nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.LayerNorm(4)))
    with torch.no_grad():
        module[2].weight.fill_(-3)
    found = why(initialize(module))
    assert found["1.weight"] == found["1.bias"] == found["2.bias"] == "LayerNorm keeps its values, the identity"
    assert found["2.weight"] == "LayerNorm keeps its values, which are not the identity"
    assert float(module[2].weight.detach().mean()) == -3


class Autocast(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 50), nn.Linear(50, 40)

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.b(torch.relu(self.a(x)))


@pytest.mark.parametrize("scheme", [LSUV(tol=0.02), DataDependentWeightNorm()])
def test_calibration_under_autocast(scheme):
    module = build(Autocast)
    initialize(module, scheme, X=X, random_state=0)
    with torch.no_grad():
        # bfloat16 has three digits.
        assert float(module(X).float().std()) == pytest.approx(1, abs=0.05)


class Counting(nn.Module):
    """Module whose forward replaces its buffer and appends to a list."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.register_buffer("count", torch.zeros(()))
        self.log = []

    def forward(self, x):
        self.count = self.count + 1
        x = self.layer(x)
        self.log.append(x)
        return x


@pytest.mark.parametrize("scheme", ["lsuv", "auto", "autoinit"])
def test_changes_by_the_forward_are_undone(scheme):
    module = build(Counting)
    initialize(module, scheme, X=X, random_state=0)
    assert float(module.count) == 0
    assert scheme == "lsuv" or module.log == []


class Extended(nn.LSTM):
    def __init__(self):
        super().__init__(6, 4)
        self.temperature = nn.Parameter(torch.full((3,), 7.0))


class ExtendedAttention(nn.MultiheadAttention):
    def __init__(self):
        super().__init__(8, 2)
        self.positions = nn.Parameter(torch.full((5, 8), 7.0))


class ExtendedEmbedding(nn.Embedding):
    def __init__(self):
        super().__init__(5, 3, padding_idx=0)
        self.size = nn.Parameter(torch.full((5, 3), 7.0))


@pytest.mark.parametrize("factory", [Extended, ExtendedAttention, ExtendedEmbedding])
def test_parameters_that_a_subclass_adds_do_not_change(factory):
    module = build(factory)
    found = why(initialize(module, random_state=0))
    (name,) = set(found.index) & {"temperature", "positions", "size"}
    assert found[name].startswith(f"no rule for {name}")
    assert bool((module.get_parameter(name) == 7).all())


def test_blocks_are_filled_together_or_not_at_all():
    rules = [("gate", "he_normal", lambda spec: spec.block == "i" and spec.role == "weight")]
    module = build(lambda: nn.LSTM(6, 4))
    before = state(module)
    with pytest.raises(ValueError, match=r"nothing fills f, g, o of weight_ih_l0"):
        initialize(module, PerParameter(rules, remainder=ForgetGateBias()))
    assert same(module, before)


@pytest.mark.parametrize("scheme", ["auto", "maximal_update", "lsuv", "gradinit", "metainit"])
def test_initializers_of_weights_raise_for_biases(scheme):
    module = build(lambda: MLP(6, 3, (8,)))
    with pytest.raises(ValueError, match=r"has nothing for a bias of shape \(8,\)"):
        initialize(module, bias_initializer=scheme, X=X, y=torch.zeros(64, dtype=torch.int64))


@pytest.mark.parametrize("wrapper", [Scaled, Fixup])
def test_a_base_that_would_undo_the_factor_raises(wrapper):
    with pytest.raises(ValueError, match=r"base=LSUV\(\) is not allowed"):
        initialize(build(lambda: MLP(6, 3, (8,))), wrapper(LSUV()), X=X)


def test_draws_ignore_the_default_device():
    module = build(lambda: MLP(6, 3, (8,)))
    expected = HeNormal().sample((4, 3), random_state=0)
    with torch.device("meta"):
        values = HeNormal().sample((4, 3), random_state=0)
        initialize(module, LSUV(), X=X, random_state=0)
    assert torch.equal(values, expected)


def test_eight_bit_parameters():
    module = build(lambda: nn.Linear(6, 4, bias=False)).to(torch.float8_e4m3fn)
    initialize(module, "lecun_uniform", random_state=0)
    expected = build(lambda: nn.Linear(6, 4, bias=False))
    initialize(expected, "lecun_uniform", random_state=0)
    assert torch.equal(module.weight.float(), expected.weight.to(torch.float8_e4m3fn).float())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float64])
def test_images_of_integers(dtype):
    images = (torch.rand(64, 6, generator=torch.Generator().manual_seed(0)) * 255).to(dtype)
    module = build(lambda: MLP(6, 3, (8,)))
    initialize(module, LSUV(), X=images, random_state=0)
    with torch.no_grad():
        assert float(module.hidden_1(images.float()).std(correction=0)) == pytest.approx(1, abs=0.01)


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(6, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x, mask=None, options=None):
        if isinstance(x, nn.utils.rnn.PackedSequence):
            return self.head(self.rnn(x)[1][-1])
        return self.head(self.rnn(x)[0][:, -1] + (0 if options is None else options["shift"]))


def test_batches_of_more_than_tensors():
    series = torch.randn(30, 5, 6, generator=torch.Generator().manual_seed(0))
    packed = nn.utils.rnn.pack_padded_sequence(series, [5] * 30, batch_first=True)
    for batch in (packed, {"x": series, "mask": None}, {"x": series, "options": {"shift": np.zeros(4)}}):
        module = build(Masked)
        initialize(module, LSUV(), X=batch, random_state=0)
        with torch.no_grad():
            assert float(module(series).std(correction=0)) == pytest.approx(1, abs=0.01)


def test_autoinit_takes_the_shape_of_the_batch():
    def factory():
        return nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))

    given, batch = build(factory), build(factory)
    initialize(given, AutoInit(input_shape=(2, 9)), random_state=0)
    initialize(batch, AutoInit(), X=torch.zeros(3, 2, 9), random_state=0)
    assert same(batch, state(given))


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(200, 200) for _ in range(3))
        self.slope = nn.Parameter(torch.tensor(0.25))
        self.act = nn.PReLU(init=0.875)

    def forward(self, x, scale=False):
        x = nn.functional.prelu(self.a(x), self.slope)
        x = x + self.b(nn.functional.rrelu(x, training=self.training))
        if scale:
            x = 2 * x
        return self.act(self.c(x))


def test_auto_reads_learned_slopes_and_decisions_by_defaults():
    module = build(Learned)
    record = initialize(module, "auto", random_state=0)
    assert "traced" not in " ".join(why(record))
    for layer, slope in ((module.a, 0.25), (module.c, 0.875)):
        variance = 2 / (1 + slope**2) / 200
        found = float(layer.weight.detach().double().square().mean())
        assert abs(found - variance) <= 6 * variance * (2 / 40_000) ** 0.5
    assert (
        "last layer of a residual branch" in why(initialize(module, "zero_last_in_branch", random_state=0))["b.weight"]
    )


def test_threads_may_trace_and_run_modules_at_the_same_time():
    modules = [build(lambda: MLP(6, 3, (8, 8, 8))) for _ in range(8)]
    running = build(lambda: MLP(6, 3, (8,)))
    failures = []

    def work(module):
        try:
            for _ in range(10):
                initialize(module, "auto", random_state=0)
                running(X)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(module,)) for module in modules]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert all(same(module, state(modules[0])) for module in modules)


def test_rules_by_class_fill_normalizations_and_own_layers():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel = nn.Parameter(torch.zeros(300, 200))
            self.bias = nn.Parameter(torch.full((300,), 5.0))

    module = build(lambda: nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), Own()))
    rules = [("norm", "zeros", nn.BatchNorm1d), ("own", RandomNormal(0.5), Own)]
    found = why(initialize(module, PerParameter(rules), random_state=0))
    assert not module[1].weight.any()
    assert found["2.kernel"] == "rule 'own'"
    values = module[2].kernel.detach().double()
    assert abs(float(values.square().mean()) - 0.25) <= 6 * 0.25 * (2 / 60_000) ** 0.5
    assert bool((module[2].bias == 5).all())


def test_a_rule_that_an_earlier_rule_hides_raises():
    rules = [("all", "he_normal", "*"), ("head", "zeros", "output")]
    with pytest.raises(ValueError, match=r"PerParameter: earlier rules match all parameters of head \('output'\);"):
        initialize(build(lambda: MLP(6, 3, (8,))), PerParameter(rules))
