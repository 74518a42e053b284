"""No weight is left without a word."""

import warnings

import pytest
import torch
from torch import nn

from initsk import initialize, network
from initsk.exceptions import InvalidParameterError, UninitializedWarning
from tests.helpers import batch, build


class Reordered(nn.Module):
    """A layer that multiplies the signal by columns of its weight in another order."""

    def __init__(self):
        super().__init__()
        self.weight, self.head = nn.Parameter(torch.randn(4, 6)), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(nn.functional.linear(x, self.weight[:, torch.tensor([2, 0, 1, 3, 5, 4])]))


def test_weights_that_are_left_are_warned_of():
    with pytest.warns(UninitializedWarning, match=r"leaves 1 weight unfilled, with 70\.6 % of the values: weight"):
        record = initialize(build(Reordered), X=batch(2, 6))
    assert record.to_frame().set_index("name").loc["weight", "outcome"] == "left"
    assert record.summary() == (
        "filled 29.4 % of 34 values (2 parameters), kept 0.0 % (0), left 70.6 % (1); read by a forward pass on 2 x 6"
    )


def triangular(x, weight):
    matrix = torch.zeros(4, 4)
    rows, columns = torch.tril_indices(4, 4)
    matrix[rows, columns] = weight
    return x @ matrix


HIDDEN = {
    "vmap": (lambda x, weight: torch.vmap(lambda one: x @ one)(weight).mean(0), (3, 4, 4), "may use"),
    "numpy": (lambda x, weight: torch.from_numpy(x.numpy() @ weight.detach().numpy()), (4, 4), "may use"),
    "mean": (lambda x, weight: (x[:, :, None] * weight).mean(1), (4, 4), "in a way that is not known"),
    "loop": (lambda x, weight: sum(x[:, j, None] * weight[j] for j in range(4)), (4, 4), "in a way that is not known"),
    "packed": (triangular, (10,), "in a way that is not known"),
    "memory": (
        lambda x, weight: nn.functional.scaled_dot_product_attention(x[:, None], weight[None], weight[None])[:, 0],
        (5, 4), "in a way that is not known",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_weights_that_the_reading_does_not_see_are_warned_of(name):
    function, shape, why = HIDDEN[name]

    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.head = nn.Parameter(torch.randn(shape)), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(function(x, self.weight))

    with pytest.warns(UninitializedWarning, match=f"weight .*{why}"):
        initialize(build(Hidden), X=batch(6, 4))


def test_nothing_filled_raises():
    module = build(lambda: nn.Linear(3, 2)).requires_grad_(False)
    with pytest.raises(InvalidParameterError, match=r"filled no weight: frozen \(requires_grad is False\)"):
        initialize(module)


def test_networks_without_weights_are_no_error():
    assert len(initialize(build(lambda: nn.Sequential(nn.LayerNorm(3), nn.ReLU()))).rows) == 2


class ByKeyword(nn.Module):
    """A layer of which no input can be guessed."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Parameter(torch.randn(3, 4)), nn.Linear(4, 2)

    def forward(self, x, *, scale):
        return self.head(x @ self.table) * scale


def test_without_an_input_the_warning_says_what_to_give():
    with pytest.warns(UninitializedWarning, match=r"table .*give X, or register the layers"):
        initialize(build(ByKeyword))
    X = {"x": batch(2, 3), "scale": torch.ones(())}
    assert initialize(build(ByKeyword), X=X).to_frame().set_index("name").loc["table", "fan_in"] == 3


@pytest.mark.parametrize("name", ["he_normal", "auto"])
def test_a_network_without_layers_needs_an_input(name):
    class OneTable(ByKeyword):
        def __init__(self):
            nn.Module.__init__(self)
            self.table = nn.Parameter(torch.randn(3, 4))

    with pytest.raises(InvalidParameterError, match="filled no weight: no rule for table of OneTable"):
        initialize(build(OneTable), name)


def test_registered_layers_need_no_input():
    class Registered(ByKeyword):
        pass

    network.register_layer(Registered, {"table": ("in", "out")})
    assert initialize(build(Registered)).to_frame().set_index("name").loc["table", "fan_in"] == 3


class Experts(nn.Module):
    """Experts with biases, of which no input can be guessed."""

    def __init__(self):
        super().__init__()
        self.up, self.shift = nn.Parameter(torch.randn(3, 4, 5)), nn.Parameter(torch.randn(3, 5))

    def forward(self, x, *, scale):
        return (torch.einsum("bi,eio->ebo", x, self.up) + self.shift.unsqueeze(1)) * scale


def test_registered_biases_are_biases_of_their_weights():
    class Registered(Experts):
        pass

    network.register_layer(Registered, {"up": ("block", "in", "out"), "shift": ("block", "out")})
    module = build(Registered)
    record = initialize(module).to_frame().set_index("name")
    assert record.loc["shift", ["role", "outcome", "fan_in", "fan_out"]].tolist() == ["bias", "filled", 4, 5]
    assert not module.shift.any()


def test_matrices_of_experts_are_no_convolution_to_a_framework():
    """The axis that counts the experts counts no units, so each framework draws every matrix with its own fans."""

    class Registered(Experts):
        pass

    network.register_layer(Registered, {"up": ("block", "in", "out"), "shift": ("block", "out")})
    for name in ("torch.kaiming_normal_", "keras.he_normal", "jax.he_normal"):
        record = initialize(build(Registered), name).to_frame().set_index("name")
        assert record.loc["up", ["fan_in", "fan_out"]].tolist() == [4, 5]


def test_registered_layers_keep_what_they_name():
    class Kept(ByKeyword):
        pass

    network.register_layer(Kept, {}, keep=["table"])
    assert initialize(build(Kept)).to_frame().set_index("name").loc["table", "outcome"] == "kept"


def test_wrong_registrations_raise():
    with pytest.raises(InvalidParameterError, match=r"cls=3 is not allowed.*; axes\['weight'\]=\('up',\)"):
        network.register_layer(3, {"weight": ("up",)})


class Apply(nn.Module):
    """Network that calls a function with itself and its input."""

    def __init__(self, function, **parameters):
        super().__init__()
        self.function = function
        for name, shape in parameters.items():
            setattr(self, name, nn.Parameter(torch.full(shape, 0.02) + torch.rand(shape)))

    def forward(self, x):
        return self.function(self, x)


def flat(net, x):
    return x @ net.w[:256].view(32, 8) @ net.w[256:].view(8, 2)


def test_weights_in_a_flat_parameter_are_not_left_in_silence():
    network = build(lambda: Apply(flat, w=(272,)))
    with pytest.raises(InvalidParameterError, match="multiplies the signal in a way that is not known"):
        initialize(network, "he_normal", X=batch(4, 32))
    also = build(lambda: Apply(lambda net, x: flat(net, x) @ net.v, w=(272,), v=(2, 2)))
    with pytest.warns(UninitializedWarning, match="leaves 1 weight unfilled, with 98.6 % of the values"):
        initialize(also, "he_normal", X=batch(4, 32))


def test_a_warning_that_is_an_error_leaves_the_module_as_it_was():
    network = build(lambda: Apply(lambda net, x: flat(net, x) @ net.v, w=(272,), v=(2, 2)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UninitializedWarning)
        with pytest.raises(UninitializedWarning):
            initialize(network, "he_normal", X=batch(4, 32))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("function", "shape", "fans"),
    [
        (lambda net, x: (x[:, :, None] * net.w).sum(1), (32, 8), (32, 8)),
        (lambda net, x: (x * net.w).sum(-1, keepdim=True), (32,), (32, 1)),
        (lambda net, x: (x[:, None, :] * net.w).sum(2), (8, 32), (32, 8)),
    ],
)
def test_sums_of_products_value_by_value_are_products_with_a_matrix(function, shape, fans):
    row = initialize(build(lambda: Apply(function, w=shape)), "he_normal", X=batch(4, 32)).to_frame().iloc[0]
    assert (row["outcome"], row["fan_in"], row["fan_out"]) == ("filled", *fans)
