import warnings

import numpy as np
import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import HeNormal, Orthogonal, RandomNormal
from initsk.modules import MLP


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def build(factory):
    """Build a module without moving the global random state."""
    with torch.random.fork_rng():
        return factory()


@pytest.mark.parametrize(
    ("initializer", "expected"),
    [
        ("random_normal", [0.198, 0.032, 0.0035, 0.00028]),
        ("xavier", [0.78, 0.64, 0.51, 0.41]),
        ("he_normal", [1.00, 1.01, 0.97, 0.97]),
        ("lecun_normal", [0.71, 0.50, 0.34, 0.24]),
        ("torch_default", [0.41, 0.17, 0.072, 0.044]),
    ],
)
def test_signal_of_the_articles_network(initializer, expected):
    # The widths are finite, so single draws scatter by some per cent; over 10 seeds the mean lies within 12 %.
    found = []
    for seed in range(10):
        module = build(lambda: MLP(784, 10, (512, 256, 128, 64)))
        initialize(module, initializer, random_state=seed)
        x = torch.randn(500, 784, generator=torch.Generator().manual_seed(seed))
        rms = []
        with torch.no_grad():
            for layer in module.children():
                x = layer(x)
                if isinstance(layer, nn.ReLU):
                    rms.append(float(x.pow(2).mean().sqrt()))
        found.append(rms)
    np.testing.assert_allclose(np.mean(found, axis=0), expected, rtol=0.12)


def test_record_says_what_was_touched_and_what_was_left_and_why():
    module = build(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(5, 2), nn.PReLU()))
    module[2].bias.requires_grad_(False)
    record = initialize(module, "he_normal", random_state=0).to_frame().set_index("name")
    assert record["touched"].to_dict() == {
        "0.weight": True,
        "0.bias": True,
        "1.weight": False,
        "1.bias": False,
        "2.weight": True,
        "2.bias": False,
        "3.weight": False,
    }
    assert record.loc["0.weight", ["fan_in", "fan_out"]].tolist() == [27, 36]
    assert "identity" in record.loc["1.weight", "why"]
    assert "frozen" in record.loc["2.bias", "why"]
    assert "no rule" in record.loc["3.weight", "why"]
    assert record.loc["0.bias", "std_after"] == 0
    after = module[2].weight.detach().double().std(correction=0).item()
    assert record.loc["2.weight", "std_after"] == pytest.approx(after, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (lambda: nn.Linear(5, 7), 5, 7),
        (lambda: nn.Conv1d(4, 6, 3), 12, 18),
        (lambda: nn.Conv2d(4, 8, 3, groups=4), 9, 18),
        (lambda: nn.ConvTranspose2d(4, 6, 3), 36, 54),
        (lambda: nn.Embedding(10, 3), 1, 3),
        (lambda: nn.LSTM(5, 7), 5, 7),
    ],
)
def test_fans(layer, fan_in, fan_out):
    record = initialize(build(layer), "glorot_normal", random_state=0).to_frame()
    assert record.loc[0, ["fan_in", "fan_out"]].tolist() == [fan_in, fan_out]


def test_gates_and_projections_are_matrices_of_their_own():
    lstm = build(lambda: nn.LSTM(6, 6))
    attention = build(lambda: nn.MultiheadAttention(6, 2))
    for module, weight in ((lstm, lstm.weight_hh_l0), (attention, attention.in_proj_weight)):
        initialize(module, "orthogonal", random_state=0)
        for block in weight.detach().split(6):
            torch.testing.assert_close(block @ block.T, torch.eye(6), rtol=0, atol=1e-5)


def test_projections_of_unequal_widths():
    attention = build(lambda: nn.MultiheadAttention(6, 2, kdim=4, vdim=3))
    record = initialize(attention, "orthogonal", random_state=0).to_frame().set_index("name")
    assert record["touched"].all()
    weight = attention.k_proj_weight.detach()
    torch.testing.assert_close(weight.T @ weight, torch.eye(4), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_padding_stays_zero(kind):
    embedding = build(lambda: kind(5, 3, padding_idx=2))
    initialize(embedding, "random_normal", random_state=0)
    assert (embedding.weight == 0).all(dim=1).tolist() == [False, False, True, False, False]


def test_streams_belong_to_names():
    small = build(lambda: nn.ModuleDict({"a": nn.Linear(4, 3)}))
    large = build(lambda: nn.ModuleDict({"z": nn.Linear(9, 9), "a": nn.Linear(4, 3)}))
    for module in (small, large):
        initialize(module, "he_normal", random_state=5)
    assert torch.equal(small["a"].weight, large["a"].weight)


def test_tied_parameters_are_set_once():
    module = build(lambda: nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)}))
    module["b"].weight = module["a"].weight
    record = initialize(module, "he_normal", random_state=0).to_frame()
    assert record["name"].tolist() == ["a.weight", "a.bias", "b.bias"]


def test_bias_initializer():
    module = build(lambda: nn.Linear(400, 400))
    initialize(module, "he_normal", bias_initializer=RandomNormal(0.5), random_state=0)
    # Five standard errors.
    assert abs(float(module.bias.detach().std()) - 0.5) < 5 * 0.5 / 800**0.5
    initialize(module, "torch_default", random_state=0)
    assert 0 < float(module.bias.detach().abs().max()) <= 0.05


def fail_on_square(tensor):
    if tensor.shape[0] == tensor.shape[-1]:
        raise RuntimeError("no squares")
    tensor.fill_(7.0)


@pytest.mark.parametrize(
    "arguments",
    [{"initializer": "nothing"}, {"initializer": fail_on_square}, {"bias_initializer": Orthogonal()}],
    ids=str,
)
def test_failure_leaves_the_module_as_it_was(arguments):
    module = build(lambda: nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)))
    before = state(module)
    with pytest.raises((ValueError, RuntimeError)):
        initialize(module, **arguments)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_lazy_and_foreign_modules_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some versions of torch announce that lazy modules are new
        lazy = nn.LazyLinear(3)
    with pytest.raises(ValueError, match="lazy"):
        initialize(lazy)
    with pytest.raises(ValueError, match=r"torch\.nn\.Module"):
        initialize("he_normal")


def test_buffers_stay():
    module = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))
    module[1].running_mean.fill_(4.0)
    initialize(module, HeNormal(), random_state=0)
    assert module[1].running_mean.tolist() == [4.0] * 3
