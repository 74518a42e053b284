"""Networks that Hypothesis makes: each entry point gives the right result, or one error in one line."""

import warnings

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from initsk import inspect_activations
from initsk.exceptions import InitskError
from initsk.testing._global_state import global_state
from tests.entry_points import entry_points
from tests.fuzz.support import fuzz, on_examples

WIDTH, N_SAMPLES = 4, 24
ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.GELU, nn.Identity, nn.Softplus]


class Residual(nn.Module):
    def __init__(self, branch):
        super().__init__()
        self.branch = branch

    def forward(self, x):
        return x + self.branch(x)


class Twice(nn.Module):
    """Calls one part twice."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return self.part(self.part(x))


class Functional(nn.Module):
    """Has a parameter and a buffer of its own, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH, WIDTH))
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("nothing", None)
        self.seen = []

    def forward(self, x):
        self.calls += 1
        self.seen.append(len(x))
        return torch.nn.functional.silu(x @ self.weight)


class Raising(nn.Module):
    def forward(self, x):
        raise NotImplementedError("this part does not run")


class Dict(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return {"logits": self.part(x), "hidden": [x], "none": None}


def add_hook(part):
    part.register_forward_hook(lambda module, arguments, output: None)
    return part


def freeze(part):
    for parameter in part.parameters():
        parameter.requires_grad_(False)
    return part


def pruned(part):
    return prune.random_unstructured(part, "weight", 0.5)


def layers():
    """Draw a function that makes a layer: torch's modules are made from one seed at the end."""
    return st.sampled_from(
        [
            lambda: nn.Linear(WIDTH, WIDTH),
            lambda: nn.Linear(WIDTH, WIDTH, bias=False),
            lambda: spectral_norm(nn.Linear(WIDTH, WIDTH)),
            lambda: weight_norm(nn.Linear(WIDTH, WIDTH)),
            lambda: pruned(nn.Linear(WIDTH, WIDTH)),
            lambda: nn.BatchNorm1d(WIDTH),
            lambda: nn.LayerNorm(WIDTH),
            lambda: nn.Dropout(0.3),
            Functional,
            lambda: add_hook(nn.Linear(WIDTH, WIDTH)),
            lambda: freeze(nn.Linear(WIDTH, WIDTH)),
            lambda: nn.Linear(WIDTH, WIDTH).eval(),
            *ACTIVATIONS,
        ]
    )


def wrapped(parts):
    """Draw modules around others."""
    return st.one_of(
        st.lists(parts, min_size=1, max_size=4).map(lambda made: lambda: nn.Sequential(*(make() for make in made))),
        parts.map(lambda make: lambda: Residual(make())),
        parts.map(lambda make: lambda: Twice(make())),
    )


@st.composite
def networks(draw):
    """Draw a network on rows of WIDTH numbers, and whether a part of it raises."""
    body = draw(st.recursive(layers(), wrapped, max_leaves=8))
    first = draw(st.sampled_from([lambda: nn.Linear(WIDTH, WIDTH), lambda: nn.LazyLinear(WIDTH)]))
    last = draw(st.sampled_from([lambda: nn.Linear(WIDTH, 3), lambda: Dict(nn.Linear(WIDTH, 3))]))
    fails = draw(st.integers(0, 5)) == 0
    dtype = draw(st.sampled_from([torch.float32] * 4 + [torch.float64, torch.bfloat16]))
    training = draw(st.booleans())
    seed = draw(st.integers(0, 9))

    def make():
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"):
            torch.manual_seed(seed)
            parts = [first(), body(), *([Raising()] if fails else []), nn.Tanh(), last()]
            module = nn.Sequential(*parts)
            module(torch.zeros(2, WIDTH)) if not fails and seed < 5 else None
            return module.to(dtype).train(training)

    return make, fails


def state_of(module):
    """Return all of a module that a call could leave changed."""
    parts = list(module.named_modules())
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return (
        [(name, part.training) for name, part in parts],
        [(name, tensor.requires_grad, tensor.grad is None) for name, tensor in module.named_parameters()],
        [(name, None if nn.parameter.is_lazy(tensor) else tensor.float().tolist()) for name, tensor in tensors],
        [[list(held) for held in vars(part).values() if isinstance(held, dict)] for _, part in parts],
        [list(part.seen) for _, part in parts if isinstance(part, Functional)],
    )


X = torch.randn(N_SAMPLES, WIDTH, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N_SAMPLES) % 3
READING = entry_points(
    X, Y, "read", "read X", "inspect", "gradients", "transform", "audit", "audit without X", "recommend", "diagnose"
)
WRITING = entry_points(X, Y, "initialize", "initialize X", "lsuv")


def check(error):
    """Check that an error has one line, and names the layer if the network's own code has raised it."""
    assert str(error)
    assert "\n" not in str(error)
    if isinstance(error.__cause__, NotImplementedError):
        assert "NotImplementedError: this part does not run" in str(error)


def attempt(call, module):
    """Return the result of a call, or None after one error in one line."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return call(module)
        except InitskError as error:
            check(error)
    return None


@on_examples(quick=6, long=420)
def test_reading_a_network_leaves_it_as_it_was(examples):
    def law(drawn, names):
        make, fails = drawn
        for name in names:
            module = make()
            settings = global_state()
            before = state_of(module)
            result = attempt(READING[name], module)
            assert state_of(module) == before
            after = global_state()
            assert [key for key in settings if settings[key] != after[key]] == []
            if fails and name in ("inspect", "gradients", "transform", "diagnose", "read X"):
                assert result is None

    fuzz(
        law,
        networks(),
        st.sets(st.sampled_from(sorted(READING)), min_size=2, max_size=3).map(sorted),
        examples=examples,
    )


@on_examples(quick=6, long=400)
def test_the_statistics_are_those_that_a_hook_computes(examples):
    def law(drawn):
        make, fails = drawn
        module = make()
        if not fails and any(map(nn.parameter.is_lazy, module.parameters())):
            # The inspection would draw weights for itself only.
            with torch.random.fork_rng(), torch.no_grad():
                module.eval()(X.to(next(module.parameters()).dtype))
        summary = attempt(lambda module: inspect_activations(module, X, positions="both"), module)
        if fails or summary is None:
            assert fails or summary is not None
            return
        frame = summary.to_frame().set_index(["layer", "position"])
        outputs = {}

        def keep(name):
            def hook(part, arguments, output):
                outputs.setdefault(name, output)

            return hook

        for name, part in module.named_modules():
            if type(part) is nn.Linear:
                part.register_forward_hook(keep(name))
        for part in module.modules():
            # Moments that no batch has changed mean nothing, so that the batch's own are used.
            part.training = isinstance(part, nn.BatchNorm1d) and not part.num_batches_tracked
        module(X.to(next(module.parameters()).dtype))
        for name, values in outputs.items():
            tolerance = 1e-4 if values.dtype != torch.bfloat16 else 2e-2
            values = values.detach().double()
            rows = frame.loc[[name]].reset_index()
            row = rows[rows["position"] != "activation"].iloc[0]
            np.testing.assert_allclose(row["rms"], values.square().mean().sqrt(), rtol=tolerance, atol=1e-6)
            np.testing.assert_allclose(
                [row["min"], row["max"]], [values.min(), values.max()], rtol=tolerance, atol=1e-6
            )

    fuzz(law, networks(), examples=examples)


@on_examples(quick=6, long=400)
def test_an_initialization_repeats_or_changes_nothing(examples):
    def law(drawn, name):
        make, _ = drawn
        first, second = make(), make()
        is_lazy = any(map(nn.parameter.is_lazy, first.parameters()))
        before = None if is_lazy else state_of(first)
        record = attempt(WRITING[name], first)
        if record is None:
            assert before is None or state_of(first) == before
            return
        attempt(WRITING[name], second)
        values, others = ({name: p.float().tolist() for name, p in net.named_parameters()} for net in (first, second))
        assert values == others
        frame = record.to_frame().set_index("name")
        for parameter_name, parameter in first.named_parameters():
            if parameter_name in frame.index and frame.loc[parameter_name, "outcome"] == "filled":
                assert parameter.isfinite().all()
        if before is not None:
            kept = dict(before[2])
            for parameter_name, parameter in first.named_parameters():
                if parameter_name in frame.index and frame.loc[parameter_name, "outcome"] != "filled":
                    assert parameter.float().tolist() == kept[parameter_name]

    fuzz(law, networks(), st.sampled_from(sorted(WRITING)), examples=examples)
