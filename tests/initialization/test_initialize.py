"""`initialize`: values, fans, streams, records, parametrizations and errors."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.exceptions import ModuleError
from initsk.initializers import ForgetGateBias, HeNormal, Orthogonal, RandomNormal
from initsk.network import MLP
from tests.helpers import batch, build, label


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


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
    # Single draws scatter because the widths are finite; the mean over 10 seeds is within 12 %.
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


def test_the_record_has_a_reason_for_every_parameter():
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
        (lambda: nn.Conv1d(6, 12, 5, groups=6), 5, 10),
        (lambda: nn.Conv3d(2, 4, 3), 54, 108),
        (lambda: nn.ConvTranspose1d(4, 6, 3, groups=2), 6, 9),
        (lambda: nn.Bilinear(3, 4, 5), 12, 20),
        (lambda: nn.Embedding(10, 3), 3, 3),
        (lambda: nn.Conv2d(4, 6, 4, stride=2), 64, 24),
        (lambda: nn.ConvTranspose2d(4, 6, 4, stride=2), 16, 96),
        (lambda: nn.LSTM(5, 7), 5, 7),
    ],
)
def test_fans(layer, fan_in, fan_out):
    record = initialize(build(layer), "glorot_normal", random_state=0).to_frame()
    assert record.loc[0, ["fan_in", "fan_out"]].tolist() == [fan_in, fan_out]


def test_gates_and_projections_are_separate_matrices():
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


def test_each_name_has_its_own_stream():
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
    ids=label,
)
def test_an_error_does_not_change_the_module(arguments):
    module = build(lambda: nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)))
    before = state(module)
    with pytest.raises((ValueError, RuntimeError)):
        initialize(module, **arguments)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_lazy_modules_and_other_objects_raise():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some versions of torch warn that lazy modules are new
        lazy = nn.LazyLinear(3)
    with pytest.raises(ValueError, match="lazy"):
        initialize(lazy)
    with pytest.raises(ValueError, match=r"torch\.nn\.Module"):
        initialize("he_normal")


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_groups_are_separate_matrices(kind, groups):
    module = build(lambda: kind(4, 8, 3, groups=groups))
    initialize(module, "orthogonal", random_state=0)
    weight = module.weight.detach()
    if kind is nn.ConvTranspose2d:  # stored as (in, out / groups, *kernel)
        weight = torch.cat([block.transpose(0, 1) for block in weight.chunk(groups)])
    for block in weight.chunk(groups):
        rows = block.flatten(1)
        torch.testing.assert_close(rows @ rows.T, torch.eye(8 // groups), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.complex64])
def test_types(dtype):
    module, single = build(lambda: nn.Linear(40, 30, dtype=dtype)), build(lambda: nn.Linear(40, 30))
    for each in (module, single):
        initialize(each, "orthogonal", random_state=0)
    weight = module.weight.detach()
    assert weight.dtype == dtype
    if dtype in (torch.float16, torch.bfloat16):
        assert torch.equal(weight, single.weight.detach().to(dtype))
    else:
        gram = weight @ weight.mH
        torch.testing.assert_close(gram, torch.eye(30, dtype=dtype), rtol=0, atol=1e-5)


def test_complex_weights_keep_the_variance_of_their_magnitude():
    module = build(lambda: nn.Linear(400, 300, dtype=torch.complex64))
    initialize(module, "he_normal", random_state=0)
    square = module.weight.detach().abs().square().double()
    # Six standard errors; the squared magnitude of a complex normal has a standard deviation equal to its mean.
    assert abs(float(square.mean()) - 2 / 400) < 6 * 2 / 400 / 120_000**0.5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_same_values_on_a_gpu():
    here, there = build(lambda: MLP(9, 3, (8,))), build(lambda: MLP(9, 3, (8,))).to("cuda")
    for module in (here, there):
        initialize(module, "orthogonal", random_state=0)
    for mine, other in zip(here.parameters(), there.parameters(), strict=True):
        assert torch.equal(mine, other.cpu())


def test_parametrized_weights():
    module = build(lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)))
    plain = build(lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)))
    nn.utils.parametrizations.weight_norm(module[0])
    record = initialize(module, "he_normal", random_state=0).to_frame().set_index("name")
    initialize(plain, "he_normal", random_state=0)
    torch.testing.assert_close(module[0].weight, plain[0].weight)
    assert torch.equal(module[1].weight, plain[1].weight)
    assert set(record.index) == {name for name, _ in module.named_parameters()}
    behind = record.loc["0.parametrizations.weight.original1"]
    assert behind["touched"]
    assert "parametrization of 0.weight" in behind["why"]


def test_forget_gates():
    lstm = build(lambda: nn.LSTM(3, 2, num_layers=2, bidirectional=True))
    initialize(lstm, "orthogonal", bias_initializer=ForgetGateBias(1.5), random_state=0)
    for name, parameter in lstm.named_parameters():
        if name.startswith("bias_ih"):
            assert parameter.tolist() == [0, 0, 1.5, 1.5, 0, 0, 0, 0], name
        elif name.startswith("bias_hh"):
            assert parameter.abs().sum() == 0, name


def test_an_open_forget_gate_keeps_the_content_of_the_cell():
    # With zero weights, each step multiplies the content of the cell by sigmoid(b).
    cell = build(lambda: nn.LSTMCell(1, 1))
    initialize(cell, "zeros", bias_initializer=ForgetGateBias(2.0))
    _, content = cell(torch.zeros(1, 1), (torch.zeros(1, 1), torch.ones(1, 1)))
    assert float(content.detach()) == pytest.approx(1 / (1 + np.exp(-2)))


def test_recurrent_layers_with_a_projection():
    lstm = build(lambda: nn.LSTM(5, 6, proj_size=3))
    record = initialize(lstm, "orthogonal", random_state=0).to_frame().set_index("name")
    assert record["touched"].all()
    assert record.loc["weight_hr_l0", ["fan_in", "fan_out"]].tolist() == [6, 3]
    weight = lstm.weight_hr_l0.detach()
    torch.testing.assert_close(weight @ weight.T, torch.eye(3), rtol=0, atol=1e-5)


def test_large_networks_get_the_same_values_as_small_ones():
    def factory():
        return nn.ModuleDict({"a": nn.Linear(4096, 4096), "b": nn.Linear(64, 64)})

    large, small = build(factory), build(lambda: nn.ModuleDict({"b": nn.Linear(64, 64)}))
    record = initialize(large, "he_normal", random_state=0).to_frame()
    initialize(small, "he_normal", random_state=0)
    assert torch.equal(large["b"].weight, small["b"].weight)
    assert record["touched"].all()
    before = large["b"].weight.detach().clone()
    with pytest.raises(ValueError, match=r"a\.bias"):
        initialize(large, "zeros", bias_initializer=Orthogonal())
    assert torch.equal(large["b"].weight, before)


def test_errors_of_shapes_name_the_parameter():
    module = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.Conv2d(4, 2, 3)))
    for initializer, words in (("identity", r"square matrix.*1\.weight"), ("delta_orthogonal", r"0\.weight")):
        with pytest.raises(ValueError, match=words):
            initialize(module, initializer)


def spectral_net():
    return nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(5, 4)), nn.BatchNorm1d(4)).train()


def test_reading_spectral_normalization_does_not_change_it():
    module = build(spectral_net)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ValueError, match="LSUV"):  # the normalization undoes every scaling
        initialize(module, "lsuv", X=3 * torch.eye(5), random_state=0)
    module.requires_grad_(False)
    with pytest.raises(ValueError, match=r"filled no weight: frozen \(requires_grad is False\)"):
        initialize(module, "he_normal", random_state=0)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("initializer", ["he_normal", "auto", RandomNormal(5.0)])
def test_spectral_normalization_follows_the_new_weight(initializer):
    module = build(spectral_net)
    statistics = {name: value.clone() for name, value in module[1].named_buffers()}
    initialize(module, initializer, random_state=0)
    module.eval()
    # torch takes 15 steps of power iteration when the normalization is registered.
    assert float(torch.linalg.matrix_norm(module[0].weight.detach(), ord=2)) == pytest.approx(1, abs=0.05)
    assert all(torch.equal(value, statistics[name]) for name, value in module[1].named_buffers())


def test_the_batch_of_the_caller_does_not_change():
    module = build(lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2)))
    X = np.array([[-1.0, 2.0, 0.5], [3.0, -4.0, 1.0], [0.2, 1.0, -1.0]], dtype=np.float32)
    before = X.copy()
    initialize(module, "lsuv", X=X, random_state=0)
    np.testing.assert_array_equal(X, before)


def test_the_output_initializer_is_not_refined():
    module = build(lambda: MLP(4, 3, (8,)))
    X = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    initialize(module, "lsuv", X=X, output_initializer="zeros", bias_initializer="ones", random_state=0)
    assert module.output.weight.abs().sum() == 0
    assert (module.hidden_1.bias == 1).all()


def test_tracing_leaves_no_attributes_in_the_module():
    class Storing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            self.last = x
            return torch.relu(self.layer(x) + torch.ones(3))

    module = build(Storing)
    before = set(vars(module))
    initialize(module, "auto")
    assert set(vars(module)) == before


def test_buffers_do_not_change():
    module = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))
    module[1].running_mean.fill_(4.0)
    initialize(module, HeNormal(), random_state=0)
    assert module[1].running_mean.tolist() == [4.0] * 3


def test_only_initializers_that_need_data_look_at_all_rows():
    """The reading takes two samples; a value that is not finite in the last one stops only an initializer with data."""
    X = batch(20, 3)
    X[-1, 0] = float("nan")
    record = initialize(build(lambda: nn.Linear(3, 2)), X=X)
    assert "a forward pass on 20 x 3" in record.summary()
    with pytest.raises(ModuleError, match=r"X holds NaN$"):
        initialize(build(lambda: nn.Linear(3, 2)), "lsuv", X=X)
