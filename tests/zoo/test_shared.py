"""Networks of other libraries under threads and interrupts: the results are the same, and the networks stay."""

import pytest
import torch
from torch import nn

from initsk import audit, inspect_activations, network
from tests.helpers import build
from tests.integration.test_threads import run_together
from tests.zoo.operators import define_missing_operators
from tests.zoo.table import isolated

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TOKENS = torch.randint(5, 60, (6, 7), generator=torch.Generator().manual_seed(0))


def imported(name):
    with isolated():
        define_missing_operators()
        library = pytest.importorskip(name)
        # Its models load at their first use, and their imports change the filters of warnings.
        _ = getattr(library, "BertForSequenceClassification", None)
    return library


def resnet():
    library = imported("torchvision")
    return build(lambda: library.models.resnet18(num_classes=3)), torch.randn(
        4, 3, 32, 32, generator=torch.Generator().manual_seed(0)
    )


def bert():
    library = imported("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    return build(lambda: library.BertForSequenceClassification(library.BertConfig(vocab_size=60, **sizes))), TOKENS


def vit():
    library = imported("timm")
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    return build(lambda: library.create_model("vit_tiny_patch16_224", num_classes=3)), images


def state_of(module):
    tensors = {name: values.double() for name, values in module.state_dict().items()}
    return (
        [part.training for part in module.modules()],
        [parameter.requires_grad for parameter in module.parameters()],
        {name: (values.sum().item(), values.norm().item()) for name, values in tensors.items()},
        [[list(held) for held in vars(part).values() if isinstance(held, dict)] for part in module.modules()],
    )


@pytest.mark.parametrize("make", [resnet, bert, vit])
def test_threads_that_share_a_network(make):
    module, X = make()
    module.train()
    next(module.parameters()).requires_grad_(False)
    before = state_of(module)
    calls = {
        "inspect": lambda: inspect_activations(module, X, measures=[]),
        "audit": lambda: audit(module, X),
        "read": lambda: network.read(module, X),
    }
    alone = run_together({0: calls["inspect"]}, times=1)[0]
    found = run_together(calls, times=2)
    assert found["inspect"] == alone * 2
    assert state_of(module) == before


@pytest.mark.parametrize("make", [resnet, bert, vit])
def test_an_interrupt_in_a_layer(make):
    module, X = make()
    layers = [part for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d)]

    def stop(*arguments):
        raise KeyboardInterrupt

    for layer in layers[:: len(layers) // 4]:
        handle = layer.register_forward_hook(stop)
        before = state_of(module)
        for call in (inspect_activations, audit):
            with pytest.raises(KeyboardInterrupt):
                call(module, X)
            assert state_of(module) == before
            assert not torch.overrides.has_torch_function((torch.ones(1),))
        handle.remove()
