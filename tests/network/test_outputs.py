"""Scores and losses of outputs of any form."""

from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it

from initsk import initialize, inspect_activations
from initsk.exceptions import ModuleError
from initsk.inspection import gradient_coherence
from initsk.network import loss_of, scores_in_loss, scores_of
from tests.helpers import Net, batch, build

SCORES = batch(6, 4)
LABELS = torch.arange(6) % 4
Pair = namedtuple("Pair", ["aux", "logits"])


@pytest.mark.parametrize(
    "output",
    [
        SCORES,
        (SCORES, (batch(2), batch(3))),
        [torch.arange(3), SCORES],
        (torch.tensor(0.5), SCORES),
        Pair(batch(3), SCORES),
        {"loss": torch.tensor(0.5), "hidden": batch(2), "logits": SCORES},
        {"last_hidden_state": SCORES, "pooler_output": batch(2)},
        {"anything": SCORES, "n": 3},
        SimpleNamespace(sample=SCORES),
        SimpleNamespace(prediction=SCORES, loss=None),
    ],
)
def test_scores(output):
    assert scores_of(output) is SCORES


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"a": SCORES, "b": SCORES}, r"dict with a \(tensor of shape \(6, 4\)\), b"),
        ((), "tuple of nothing"),
        (None, "returns NoneType"),
        ([3, "x"], "list of int, str"),
    ],
)
def test_no_scores_is_an_error_that_lists_what_there_is(output, words):
    with pytest.raises(ModuleError, match=words):
        scores_of(output)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 4)])
def test_a_loss_of_classes_takes_labels_of_any_type(dtype, shape):
    scores, labels = SCORES.reshape(shape), LABELS.reshape(shape[:-1])
    expected = F.cross_entropy(SCORES, LABELS)
    torch.testing.assert_close(loss_of(scores, labels.to(dtype), nn.CrossEntropyLoss()), expected)


@pytest.mark.parametrize(
    ("output", "target", "expected"),
    [
        (SCORES, LABELS, lambda o, y: F.cross_entropy(o, y)),
        (SCORES, LABELS.int(), lambda o, y: F.cross_entropy(o, y.long())),
        (SCORES[:, :2], LABELS > 1, lambda o, y: F.cross_entropy(o, y.long())),
        (batch(3, 5, 7), torch.arange(15).reshape(3, 5) % 7, lambda o, y: F.cross_entropy(o.movedim(-1, 1), y)),
        (batch(3, 7, 5, 2), torch.arange(30).reshape(3, 5, 2) % 7, lambda o, y: F.cross_entropy(o, y)),
        (SCORES, LABELS.where(LABELS > 0, -100), lambda o, y: F.cross_entropy(o[y > 0], y[y > 0])),
        (SCORES, SCORES > 0, lambda o, y: F.binary_cross_entropy_with_logits(o, y.float())),
        (SCORES, (SCORES > 0).long(), lambda o, y: F.binary_cross_entropy_with_logits(o, y.float())),
        (SCORES[:, :1], LABELS > 1, lambda o, y: F.binary_cross_entropy_with_logits(o[:, 0], y.float())),
        (SCORES[:, 0], LABELS > 1, lambda o, y: F.binary_cross_entropy_with_logits(o, y.float())),
        (SCORES, batch(6, 4, seed=1), lambda o, y: F.mse_loss(o, y)),
        (SCORES[:, :1], batch(6, seed=1), lambda o, y: F.mse_loss(o[:, 0], y)),
        (torch.complex(SCORES, SCORES), batch(6, 4, 2), lambda o, y: F.mse_loss(torch.view_as_real(o), y)),
        (torch.complex(SCORES, SCORES), batch(6, 4, seed=1), lambda o, y: ((o - y).abs() ** 2).mean() / 2),
    ],
)
def test_the_loss_suits_the_targets(output, target, expected):
    assert torch.allclose(loss_of(output, target), expected(output, target), rtol=1e-6)


def test_plain_tensors_have_the_losses_of_torch_to_the_bit():
    assert torch.equal(loss_of(SCORES, LABELS), F.cross_entropy(SCORES, LABELS))
    assert torch.equal(loss_of(SCORES.half(), LABELS), F.cross_entropy(SCORES.half().float(), LABELS))
    assert torch.equal(loss_of(SCORES, SCORES * 2), F.mse_loss(SCORES, SCORES * 2))


def test_the_order_of_losses():
    own, net = torch.tensor(0.5), SimpleNamespace(criterion_=None, get_loss=lambda output, y, **_: torch.tensor(3.0))
    output = {"loss": own, "logits": SCORES}
    assert loss_of(output, LABELS, lambda output, y: torch.tensor(7.0), net) == 7
    assert loss_of(output, LABELS, None, net) == own
    assert loss_of(SCORES, LABELS, None, net) == 3
    assert loss_of({"loss": None, "logits": SCORES}, LABELS) == F.cross_entropy(SCORES, LABELS)


def test_several_heads_have_the_sum_of_their_losses():
    values = batch(6, 1, seed=2)
    expected = F.cross_entropy(SCORES, LABELS) + F.mse_loss(SCORES[:, :1], values)
    assert torch.equal(loss_of((SCORES, SCORES[:, :1]), (LABELS, values)), expected)
    assert torch.equal(loss_of({"v": SCORES[:, :1], "c": SCORES}, {"c": LABELS, "v": values}), expected)


@pytest.mark.parametrize(
    ("output", "target", "words"),
    [
        (SCORES, None, "the loss needs targets, and a batch has none"),
        (SCORES, LABELS + 1, "labels 1 to 4, but the module gives 4 scores"),
        (SCORES, LABELS[:3], r"y of shape \(3,\) does not fit the module's output of shape \(6, 4\)"),
        (SCORES, SCORES[:3], "allowed: the same shape"),
        (SCORES, (LABELS, LABELS), "y has 2 targets, and the module returns Tensor"),
        ((SCORES,), (LABELS, LABELS), "y has 2 targets"),
        ({"a": SCORES}, {"b": LABELS}, "y has b, and the module returns dict with a"),
    ],
)
def test_targets_that_do_not_fit_are_an_error(output, target, words):
    with pytest.raises(ModuleError, match=words):
        loss_of(output, target)


def two_heads(form):
    return Net(
        lambda self, x: form(self.a(x), self.b(x)), a=build(lambda: nn.Linear(3, 4)), b=build(lambda: nn.Linear(3, 1))
    )


FORMS = [(lambda a, b: (a, b), lambda y, v: (y, v)), (lambda a, b: {"a": a, "b": b}, lambda y, v: {"a": y, "b": v})]


@pytest.mark.parametrize(("form", "targets"), FORMS, ids=["tuple", "mapping"])
def test_modules_with_several_heads(form, targets):
    X, y = batch(6, 3), targets(LABELS, SCORES[:, 0])
    net = two_heads(form)
    frame = inspect_activations(net, X, y, gradients=True).parameters()
    assert (frame["gradient_norm"] > 0).all()
    signal = gradient_coherence(net, X, y)
    assert set(signal.agreements) == {"a.weight", "b.weight"}
    assert initialize(net, "metainit", X=X, y=y).to_frame()["touched"].all()


def test_the_first_tensor_of_a_recurrent_layer_is_its_scores():
    lstm = build(lambda: nn.LSTM(3, 4))
    wrapped = Net(lambda self, x: self.lstm(x)[0], lstm=build(lambda: nn.LSTM(3, 4)))
    X, y = batch(6, 3), LABELS
    assert gradient_coherence(lstm, X, y).size == gradient_coherence(wrapped, X, y).size


def test_scores_are_what_the_loss_uses():
    features = SCORES.clone().requires_grad_() * 2
    logits, other = features.cumsum(1), features.exp()
    halves = logits.chunk(2, 1)
    output = {"features": features, "pairs": [logits, other], "halves": SimpleNamespace(first=halves[0])}
    for loss, used in [
        (F.cross_entropy(logits, LABELS), [logits]),
        (F.cross_entropy(logits, LABELS) + other.mean(), [logits, other]),
        (logits.mean() + features.mean(), [features, logits]),
        (halves[0].mean(), [halves[0]]),
    ]:
        found = scores_in_loss(loss, output)
        assert {id(part) for part in found} == {id(part) for part in used}
    with pytest.raises(ModuleError, match="without scores"):
        scores_in_loss((halves[1] * 2).mean(), {"first": LABELS, "second": LABELS})


@pytest.mark.parametrize("shape", [(8, 5), (8, 5, 3)])
def test_a_loss_of_log_probabilities_refuses_other_scores(shape):
    # It has no lower bound on scores, so a training would look like a success.
    scores, y = batch(*shape) * 3, torch.zeros((8, *shape[2:]), dtype=torch.long)
    found = loss_of(F.log_softmax(scores, 1), y, nn.NLLLoss())
    assert found == pytest.approx(float(loss_of(scores, y, nn.CrossEntropyLoss())), rel=1e-5)
    assert loss_of(F.log_softmax(scores, 1).half().float(), y, nn.NLLLoss()).isfinite()
    assert not loss_of(torch.full(shape, torch.nan), y, nn.NLLLoss()).isfinite()
    for wrong in (scores, F.softmax(scores, 1)):
        with pytest.raises(ModuleError, match="NLLLoss needs log-probabilities"):
            loss_of(wrong, y, nn.NLLLoss())


def test_coherence_of_an_output_without_usual_names_is_that_of_its_scores():
    def compared(self, x):
        one, two = self.one(x), self.two(x)
        return {"one": one, "two": two, "similarity": one @ two.T, "table": self.one.weight}

    net = build(lambda: Net(compared, one=nn.Linear(4, 3), two=nn.Linear(4, 3)))
    target = torch.eye(4)

    def loss(similarity, y):
        return F.mse_loss(similarity, target)

    def plain(self, x):
        return compared(self, x)["similarity"]

    expected = gradient_coherence(Net(plain, one=net.one, two=net.two), batch(8, 4), torch.zeros(8), criterion=loss)
    found = gradient_coherence(
        net, batch(8, 4), torch.zeros(8), criterion=lambda output, y: loss(output["similarity"], y)
    )
    assert found.sizes == expected.sizes
    assert found.agreements == expected.agreements
