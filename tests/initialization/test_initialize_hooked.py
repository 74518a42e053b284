"""`initialize` on weights that hooks compute: older weight and spectral normalization, and pruning."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from initsk import initialize
from initsk.exceptions import ModuleError
from initsk.initializers import GradInit, MetaInit
from tests.helpers import batch, build, label

pytestmark = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")


def weight_norm(layer):
    return nn.utils.weight_norm(layer)


def weight_norm_of_the_whole(layer):
    return nn.utils.weight_norm(layer, dim=None)


def spectral_norm(layer):
    return nn.utils.spectral_norm(layer)


def pruned(layer):
    return prune.l1_unstructured(layer, "weight", amount=0.5)


def pruned_twice(layer):
    return prune.l1_unstructured(pruned(layer), "bias", amount=1)


LAYERS = [lambda: nn.Linear(6, 4), lambda: nn.Conv1d(6, 4, 3, groups=2), lambda: nn.ConvTranspose2d(6, 4, 3)]
HOOKS = [weight_norm, weight_norm_of_the_whole, spectral_norm, pruned, pruned_twice]
NORMS = (weight_norm, weight_norm_of_the_whole)


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def forward(module):
    """Return the weight that the hooks compute before a forward pass in evaluation mode."""
    x = torch.zeros(2, 6, *[5] * (module[0].weight.dim() - 2))
    module.eval()(x)
    return module[0].weight.detach()


@pytest.mark.parametrize("factory", LAYERS)
@pytest.mark.parametrize("hook", HOOKS, ids=label)
def test_the_parameters_get_the_draw_of_the_plain_layer(hook, factory):
    plain, hooked = build(lambda: nn.Sequential(factory())), build(lambda: nn.Sequential(hook(factory())))
    initialize(plain, random_state=2)
    record = initialize(hooked, random_state=2).to_frame().set_index("name")
    drawn, found = plain[0].weight.detach(), hooked[0].weight.detach().clone()
    torch.testing.assert_close(forward(hooked), found, rtol=0, atol=0)
    if hook in NORMS:
        torch.testing.assert_close(found, drawn)
        assert torch.equal(hooked[0].weight_v, drawn)
        names = {"0.weight_g", "0.weight_v"}
    else:
        assert torch.equal(hooked[0].weight_orig, drawn)
        names = {"0.weight_orig"}
    names |= {"0.bias_orig"} if hook is pruned_twice else {"0.bias"}
    assert set(record.index) == names
    assert record["touched"].all()


def test_masks_stay():
    module = build(lambda: pruned_twice(nn.Linear(6, 4)))
    masks = {name: mask.clone() for name, mask in module.named_buffers()}
    initialize(module, bias_initializer="ones", random_state=0)
    assert all(torch.equal(mask, masks[name]) for name, mask in module.named_buffers())
    assert torch.equal(module.weight == 0, masks["weight_mask"] == 0)
    assert bool((module.bias_orig == 1).all())
    assert torch.equal(module.bias, masks["bias_mask"])


def test_a_buffer_called_mask_is_no_pruning():
    module = build(lambda: pruned(nn.Linear(6, 4)))
    module.register_buffer("causal_mask", torch.ones(4))
    assert initialize(module).to_frame()["name"].tolist() == ["bias", "weight_orig"]


def test_spectral_normalization_follows_the_new_weight():
    module = build(lambda: spectral_norm(nn.Linear(5, 4)))
    initialize(module, random_state=0)
    # Both kinds of spectral normalization take 15 steps of power iteration.
    assert float(torch.linalg.matrix_norm(module.weight.detach(), ord=2)) == pytest.approx(1, abs=0.05)


def test_recurrent_weights():
    module = build(lambda: nn.utils.weight_norm(nn.LSTM(3, 4), "weight_hh_l0"))
    plain = build(lambda: nn.LSTM(3, 4))
    for each in (module, plain):
        initialize(each, "orthogonal", random_state=0)
    torch.testing.assert_close(module.weight_hh_l0.detach(), plain.weight_hh_l0.detach())
    assert torch.equal(module.weight_ih_l0, plain.weight_ih_l0)


@pytest.mark.parametrize("hook", HOOKS, ids=label)
def test_an_error_does_not_change_the_module(hook):
    module = build(lambda: nn.Sequential(hook(nn.Linear(6, 4)), nn.Linear(4, 2)))
    before, weight = state(module), module[0].weight.detach().clone()
    with pytest.raises(ModuleError, match="failed at layer '0' on X of shape 16 x 5"):
        initialize(module, "lsuv", X=batch(16, 5))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(module[0].weight, weight)


@pytest.mark.parametrize("hook", [weight_norm, pruned], ids=label)
def test_calibration_sets_what_the_hook_computes(hook):
    module = build(lambda: nn.Sequential(hook(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3)))
    X = batch(64, 6)
    initialize(module, "lsuv", X=X, random_state=0)
    with torch.no_grad():
        assert float(module[0](X).std(correction=0)) == pytest.approx(1, abs=0.02)


def test_frozen_weights_stay():
    module = build(lambda: weight_norm(nn.Linear(6, 4)))
    module.weight_g.requires_grad_(False)
    before = state(module)
    record = initialize(module, random_state=0).to_frame().set_index("name")
    assert torch.equal(module.weight_v, before["weight_v"])
    assert "frozen" in record.loc["weight_g", "why"]


def test_several_hooks_on_one_weight_raise():
    module = build(lambda: prune.identity(weight_norm(nn.Linear(6, 4)), "weight_v"))
    before = state(module)
    with pytest.raises(ValueError, match="several hooks compute weight"):
        initialize(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("scheme", [GradInit(n_steps=20), MetaInit(n_steps=20)], ids=["gradinit", "metainit"])
@pytest.mark.parametrize("hook", HOOKS, ids=label)
def test_learned_factors_reach_what_the_hook_computes(hook, scheme):
    module = build(lambda: nn.Sequential(hook(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3)))
    before = state(module)
    record = initialize(module, scheme, X=batch(32, 6), y=torch.arange(32) % 3, random_state=0)
    why = record.to_frame().set_index("name")["why"]
    behind = "0.weight_g" if hook in NORMS else "0.weight_orig"
    assert ("left as drawn" if hook is spectral_norm else "times") in why[behind]
    assert list(module.state_dict()) == list(before)
    assert not module[0].weight.requires_grad
    found = module[0].weight.clone()
    torch.testing.assert_close(forward(module), found, rtol=0, atol=0)
