"""The loss of a language model at its start is that of a uniform guess, also where table and head are tied."""

import math

import pytest
import torch

import initsk
from tests.zoo.table import isolated

pytestmark = pytest.mark.slow
VOCABULARY, WIDTH = 5000, 96


def gpt2(transformers):
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=4, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    torch.manual_seed(0)
    return transformers.GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize("initializer", ["he_normal", "glorot_normal", "auto"])
def test_gpt2_begins_with_the_loss_of_a_guess(transformers, initializer):
    r"""The logits are sums of :math:`n` products of a normalized signal and a row of the table of variance :math:`c/n`.

    So they have the variance :math:`c`, and the loss is near :math:`\ln V + c/2`; :math:`c` is 2 for He's initializer.
    A fifth of :math:`\ln V` is more than that, and far from the loss of a table of unit variance, which is above 50.
    """
    with isolated():
        model = gpt2(transformers)
        initsk.initialize(model, initializer, random_state=0)
        tokens = torch.randint(0, VOCABULARY, (8, 64), generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            loss = float(model(tokens, labels=tokens).loss)
    assert loss == pytest.approx(math.log(VOCABULARY), rel=0.2)
