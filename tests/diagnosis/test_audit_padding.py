"""Outputs that depend on elements that are padding."""

from functools import partial

import pytest
import torch
from torch import nn

from initsk import audit
from tests.diagnosis.helpers import value_of, why_not
from tests.helpers import Net, batch, build

LENGTH = 7
LENGTHS = torch.tensor([7, 3, 5, 6, 2, 4, 7, 5, 3])
RIGHT = torch.arange(LENGTH) >= LENGTHS[:, None]
LEFT = RIGHT.flip(1)
WITHIN = torch.zeros(9, LENGTH, dtype=torch.bool).index_fill_(1, torch.tensor([2]), True)
VALUES = batch(9, LENGTH, 8)


leak, why = partial(value_of, kind="padding leak"), partial(why_not, check="padding leak")


def attend(self, src, src_key_padding_mask):
    return self.layer(src, src_key_padding_mask=src_key_padding_mask if self.uses_mask else None)


def attention(uses_mask):
    network = build(lambda: Net(attend, layer=nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)))
    network.uses_mask = uses_mask
    return network


def pool(self, x, attention_mask):
    weights = attention_mask.to(x.dtype)[:, :, None] if self.uses_mask else torch.ones_like(x[:, :, :1])
    return self.layer((x * weights).sum(1) / weights.sum(1))


def pooling(uses_mask):
    network = build(lambda: Net(pool, layer=nn.Linear(8, 3)))
    network.uses_mask = uses_mask
    return network


@pytest.mark.parametrize("mask", [RIGHT, LEFT, WITHIN], ids=["right", "left", "within"])
@pytest.mark.parametrize("uses_mask", [True, False])
def test_attention(mask, uses_mask):
    result = audit(attention(uses_mask), {"src": VALUES, "src_key_padding_mask": mask})
    assert (leak(result) is None) is uses_mask
    assert leak(result, kind="batch leak") is None
    assert why(result) is None
    assert result.exit_code == int(not uses_mask)


@pytest.mark.parametrize("mask", [RIGHT, LEFT, WITHIN], ids=["right", "left", "within"])
@pytest.mark.parametrize("uses_mask", [True, False])
@pytest.mark.parametrize("n_samples", [2, 9])
def test_pooling(mask, uses_mask, n_samples):
    X = {"x": VALUES[:n_samples], "attention_mask": (~mask[:n_samples]).long()}
    result = audit(pooling(uses_mask), X)
    assert (leak(result) is None) is uses_mask
    assert why(result) is None


def test_both_leaks_are_told_apart():
    def both(self, x, attention_mask):
        return pool(self, x - x.mean(0), attention_mask)

    X = {"x": VALUES, "attention_mask": (~LEFT).long()}
    network = pooling(True)
    network.compute = both
    result = audit(network, X)
    assert leak(result, kind="batch leak") > 0.01
    network.uses_mask = False
    result = audit(network, X)
    assert leak(result, kind="batch leak") > 0.01
    assert leak(result) > 0.01


def test_a_mask_that_is_given_apart():
    """The network does not know the padding, so elements at the end are removed to see what they change."""
    last = build(lambda: Net(lambda self, x: self.layer(x), layer=nn.Linear(8, 3)))
    assert leak(audit(last, VALUES, padding_mask=RIGHT)) is None
    mean = build(lambda: Net(lambda self, x: self.layer(x.mean(1)), layer=nn.Linear(8, 3)))
    assert leak(audit(mean, VALUES, padding_mask=RIGHT)) > 0.01
    assert leak(audit(mean, VALUES, padding_mask=lambda X: RIGHT)) > 0.01
    assert "cannot change" in why(audit(mean, VALUES, padding_mask=LEFT))


class Tokens(nn.Module):
    """Pools the tokens that are not zero, and takes no mask, or one that it does not need."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(50, 8, padding_idx=0), nn.Linear(8, 3)

    def forward(self, tokens, attention_mask=None):
        real = (tokens != 0).float()[:, :, None]
        return self.head((self.table(tokens) * real).sum(1) / real.sum(1))


@pytest.mark.parametrize("mask", [RIGHT, LEFT], ids=["right", "left"])
def test_padding_that_is_known_by_its_value_stays(mask):
    tokens = (1 + torch.arange(63).reshape(9, LENGTH) % 49).masked_fill(mask, 0)
    result = audit(build(Tokens), {"tokens": tokens, "attention_mask": (~mask).long()})
    assert leak(result) is None
    assert (why(result) is None) is (mask is RIGHT)


def test_positions_of_real_elements_only_are_compared():
    """Scores of elements that are padding may be anything."""
    network = build(lambda: Net(lambda self, x, padding_mask: self.layer(x), layer=nn.Linear(8, 3)))
    for mask in (RIGHT, LEFT, WITHIN):
        result = audit(network, {"x": VALUES, "padding_mask": mask})
        assert leak(result) is None
        assert why(result) is None


@pytest.mark.parametrize("reads_padding", [True, False])
def test_padding_that_only_a_declared_value_tells(reads_padding):
    """The embedding declares the value, and no mask is given."""

    def recurrent(self, tokens):
        states = self.rnn(self.table(tokens))[0]
        last = (tokens != 0).sum(1) - 1
        return self.head(states[:, -1] if reads_padding else states[torch.arange(len(tokens)), last])

    def factory():
        table = nn.Embedding(9, 6, padding_idx=0)
        return Net(recurrent, table=table, rnn=nn.GRU(6, 8, batch_first=True), head=nn.Linear(8, 3))

    lengths = torch.arange(12) % 6 + 2
    tokens = torch.randint(1, 9, (12, 8), generator=torch.Generator().manual_seed(0))
    result = audit(build(factory), tokens * (torch.arange(8) < lengths[:, None]))
    assert (leak(result) is not None) is reads_padding
    # A few samples may end with this value by chance.
    tokens[:2, -1] = 0
    assert leak(audit(build(factory), tokens)) is None


def test_reasons_not_to_check():
    network = build(lambda: nn.Linear(8, 3))
    assert "no mask" in why(audit(network, VALUES))
    assert "no element" in why(audit(network, VALUES, padding_mask=torch.zeros(9, LENGTH, dtype=torch.bool)))
    fixed = build(lambda: Net(lambda self, x: self.layer(x.flatten(1)), layer=nn.Linear(8 * LENGTH, 3)))
    result = audit(fixed, VALUES, padding_mask=RIGHT)
    assert "fails on samples with other padding" in why(result)
    assert leak(result, kind="batch leak") is None
    assert why(result, check="batch leak") is None


def test_the_mask_has_a_row_for_each_sample():
    with pytest.raises(ValueError, match="rows of padding_mask is 3, and that of X is 9"):
        audit(build(lambda: nn.Linear(8, 3)), VALUES, padding_mask=RIGHT[:3])


def test_drawn_samples_keep_their_masks():
    many = {"src": VALUES.repeat(20, 1, 1), "src_key_padding_mask": RIGHT.repeat(20, 1)}
    assert leak(audit(attention(True), many, max_samples=10)) is None
    assert leak(audit(attention(False), many, max_samples=10)) > 0.01
