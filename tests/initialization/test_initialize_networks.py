"""`initialize` on whole networks of kinds that are easily read wrong: what multiplies the signal is filled right."""

import warnings
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from initsk import initialize, network
from tests.helpers import batch, build, variance_fits


def dcgan(width, norm):
    """The generator of Radford et al. (2015): kernels of 4, strides of 2, five transposed convolutions."""
    sizes = [100, 8 * width, 4 * width, 2 * width, width, 3]
    layers = []
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        first, last = number == 0, n_out == 3
        layers.append(nn.ConvTranspose2d(n_in, n_out, 4, 1 if first else 2, 0 if first else 1, bias=False))
        if norm and not last:
            layers.append(nn.BatchNorm2d(n_out))
        layers.append(nn.Tanh() if last else nn.ReLU())
    return nn.Sequential(*layers)


@pytest.mark.parametrize("norm", [True, False])
def test_the_signal_of_a_transposed_convolution_keeps_its_size(norm):
    """Each output sums over a quarter of the taps of a kernel of 4 with a stride of 2."""
    module = build(lambda: dcgan(16, norm)).eval()
    x = batch(64, 100, 1, 1)
    assert initialize(module, "auto", X=x).to_frame().loc[lambda frame: frame["role"] == "weight"].shape[0] > 0
    sizes = []
    with torch.no_grad():
        for layer in module:
            x = layer(x)
            if isinstance(layer, nn.ConvTranspose2d):
                sizes.append(float(x.square().mean()) ** 0.5)
    assert len(sizes) == 5
    assert max(sizes[:-1]) / min(sizes[:-1]) < 2
    # The last layer feeds tanh and is the output: it begins small.
    assert sizes[-1] < min(sizes[:-1])


class LanguageModel(nn.Module):
    """A table and a head that share one tensor, registered in either order."""

    def __init__(self, head_first):
        super().__init__()
        parts = {"embed": nn.Embedding(50, 16), "head": nn.Linear(16, 50, bias=False)}
        for name in sorted(parts, reverse=head_first):
            self.add_module(name, parts[name])
        self.inner = nn.Linear(16, 16)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(torch.relu(self.inner(self.embed(tokens))))


@pytest.mark.parametrize("initializer", ["he_normal", "glorot_normal", "auto"])
def test_tied_tables_have_one_answer(initializer):
    answers = []
    for head_first in (False, True):
        module = build(lambda first=head_first: LanguageModel(first))
        frame = initialize(module, initializer, X=torch.tensor([[1, 2]])).to_frame().set_index("name")
        name = "head.weight" if head_first else "embed.weight"
        assert name in frame.index
        row = frame.loc[name]
        assert (row["fan_in"], row["fan_out"]) == (16, 16)
        answers.append((row["initializer"], row["std_after"]))
    (first, std), (second, other_std) = answers
    assert first == second
    # Other streams; the tolerance is six standard errors of 800 values.
    assert std == pytest.approx(other_std, rel=6 / 1600**0.5)


def test_the_padding_row_of_a_tied_table_stays_zero():
    module = build(lambda: LanguageModel(head_first=True))
    module.embed.padding_idx = 3
    initialize(module)
    assert module.embed.weight[3].abs().max() == 0
    assert module.embed.weight[4].abs().max() > 0


class Choosing(nn.Module):
    """A network that decides by the values of its input."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 12), nn.Linear(6, 12), nn.Linear(12, 2)

    def forward(self, x):
        hidden = torch.relu(self.first(x)) if x.sum() > 0 else torch.tanh(self.second(x))
        return self.head(hidden)


class Fourier(nn.Module):
    """A product with complex weights in the Fourier space, of a real signal."""

    def __init__(self):
        super().__init__()
        self.enter, self.leave = nn.Conv1d(1, 8, 1), nn.Conv1d(8, 1, 1)
        self.spectral = nn.Parameter(torch.randn(8, 8, 5, dtype=torch.cfloat))

    def forward(self, x):
        modes = torch.einsum("bim,iom->bom", torch.fft.rfft(self.enter(x))[..., :5], self.spectral)
        return self.leave(torch.relu(torch.fft.irfft(modes, n=x.shape[-1])))


class Checkpointed(nn.Module):
    """A network that computes its first block again in the backward pass."""

    def __init__(self):
        super().__init__()
        self.block, self.head = nn.Sequential(nn.Linear(6, 12), nn.ReLU()), nn.Linear(12, 2)

    def forward(self, x):
        return self.head(checkpoint(self.block, x, use_reentrant=True))


def quantized():
    """Return a network with the fake quantization of training that is aware of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.ao import quantization

        module = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 2)).train()
        module.qconfig = quantization.get_default_qat_qconfig("fbgemm")
        return quantization.prepare_qat(module)


NETWORKS = {
    "condition": (Choosing, (4, 6), {"first.weight": 6, "head.weight": 12}),
    "fourier": (Fourier, (4, 1, 16), {"enter.weight": 1, "spectral": 8, "leave.weight": 8}),
    "checkpoint": (Checkpointed, (4, 6), {"block.0.weight": 6, "head.weight": 12}),
    "quantized": (quantized, (4, 6), {"0.weight": 6, "2.weight": 12}),
}


# torch warns of checkpoints in each forward pass without gradients.
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("given", [True, False], ids=["X", "no X"])
def test_networks_of_other_kinds_are_filled(name, given):
    factory, shape, fans = NETWORKS[name]
    module = build(factory)
    X = batch(*shape).abs() if given else None
    graph = network.read(module, X)
    assert set(graph.activations) & {"relu", "tanh"}
    record = initialize(module, "he_normal", X=X).to_frame().set_index("name")
    parameters = dict(module.named_parameters())
    # Without X, the example of the reading decides which path runs.
    assert given or "head.weight" not in fans or "head.weight" in graph.uses
    for parameter, fan_in in fans.items() if given else [item for item in fans.items() if item[0] in graph.uses]:
        assert record.loc[parameter, "outcome"] == "filled", record.loc[parameter, "why"]
        assert record.loc[parameter, "fan_in"] == fan_in
        values = parameters[parameter]
        parts = torch.view_as_real(values) if values.is_complex() else values
        assert variance_fits(parts, 2 / fan_in / (2 if values.is_complex() else 1))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_other_kinds_train_after_it(name):
    factory, shape, _ = NETWORKS[name]
    module = build(factory)
    X = batch(*shape)
    X.requires_grad_(True)
    initialize(module, X=X)
    module(X).square().mean().backward()
    assert any(parameter.grad is not None for parameter in module.parameters())
