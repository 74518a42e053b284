"""Padding is skipped: statistics are those of the other elements."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it

from initsk import inspect_activations
from tests.helpers import Net, batch, build


def assert_holds(row, values):
    """Assert that a row of the frame has the statistics of these rows of units."""
    values = values.detach().double()
    found = [row["units"], row["count"], row["mean"], row["std"], row["min"], row["max"]]
    true = [values.shape[-1], values.numel(), values.mean(), values.std(correction=0), values.min(), values.max()]
    assert found == pytest.approx([float(x) for x in true], rel=1e-5, abs=1e-6)


LENGTHS = {"square": (3, [1, 3, 2]), "long": (5, [2, 5, 4])}


def encoder(time_first, **arguments):
    def make():
        layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=not time_first)
        return nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(4), enable_nested_tensor=False)

    return {"body": build(make)}, lambda self, x, padding: self.body(x, src_key_padding_mask=padding)


def recurrent(kind):
    def parts(time_first):
        layers = {"body": build(lambda: kind(4, 3, batch_first=not time_first)), "head": build(lambda: nn.Linear(3, 2))}
        return layers, lambda self, x, padding: self.head(self.body(x)[0]).relu()

    return parts


def convolution(time_first):
    layers = {"body": build(lambda: nn.Conv1d(4, 3, 1)), "head": build(lambda: nn.Linear(3, 2))}
    return layers, lambda self, x, padding: self.head(F.relu(self.body(x.transpose(1, 2)).transpose(1, 2)))


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(
    ("parts", "time_first"),
    [
        (encoder, False),
        (encoder, True),
        (recurrent(nn.LSTM), False),
        (recurrent(nn.LSTM), True),
        (recurrent(nn.GRU), True),
        (convolution, False),
    ],
    ids=["encoder", "time-first encoder", "LSTM", "time-first LSTM", "time-first GRU", "convolution"],
)
def test_statistics_are_those_of_the_unpadded_elements(parts, time_first, lengths):
    n_positions, kept = lengths
    mask = torch.arange(n_positions) >= torch.tensor(kept)[:, None]
    layers, compute = parts(time_first)
    net = Net(lambda self, x, p: compute(self, x.transpose(0, 1) if time_first else x, p), **layers).eval()
    values = {}

    def keep(name):
        def hook(part, args, output):
            output = output[0] if isinstance(output, tuple) else output
            output = output.transpose(0, 1) if time_first else output
            output = output.transpose(1, 2) if isinstance(part, nn.Conv1d) else output
            values[name] = output[~mask]

        return hook

    data = batch(3, n_positions, 4)
    handles = [part.register_forward_hook(keep(name)) for name, part in net.named_modules() if name]
    net(data, mask)
    for handle in handles:
        handle.remove()
    for given in (mask, mask.numpy(), lambda parts: parts[1]):
        frame = inspect_activations(net, (data, mask), padding_mask=given).to_frame()
        rows = frame[(frame["position"] != "activation") & frame["layer"].isin(values)].set_index("layer")
        assert len(rows) >= 2
        for layer, row in rows.iterrows():
            assert_holds(row, values[layer])
        after = frame[(frame["layer"] == "head") & (frame["position"] == "activation")]
        for _, row in after.iterrows():
            assert_holds(row, values["head"].relu())


def test_padding_that_the_encoder_removes_itself():
    def make():
        return nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), 1)

    net = Net(lambda self, x, p: self.body(x, src_key_padding_mask=p), body=build(make))
    mask = torch.tensor([[False, False, True], [False, True, True]])
    frame = inspect_activations(net, (batch(2, 3, 4), mask), padding_mask=mask).to_frame()
    assert set(frame["count"] / frame["units"]) == {3}


@pytest.mark.parametrize("n_heads", [2, 3])
def test_padding_applies_to_attention_weights_of_each_head(n_heads):
    attention = build(lambda: nn.MultiheadAttention(6, n_heads, batch_first=True))
    net = Net(lambda self, x: self.attention(x, x, x, average_attn_weights=False), attention=attention)
    mask = torch.tensor([[False, False, True], [False, True, True]])
    data = batch(2, 3, 6)
    frame = inspect_activations(net, data, padding_mask=mask).to_frame().set_index("layer")
    weights = net(data)[1].movedim(1, 2)[~mask]
    assert_holds(frame.loc["attention/weights"], weights)
