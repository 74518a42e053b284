"""Diagnoses with any output, loss and form of data."""

from collections import namedtuple
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from initsk import diagnose, inspect_activations
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.report import describe_findings
from tests.helpers import Net, batch, build

N = 200
X = batch(N, 8)
CLASSES = (X[:, 0] > 0).long() + (X[:, 1] > 0).long()
NUMBERS = X[:, :1] * 3 + 1
FAST = {"lr": 0.01, "trial_steps": 16, "budget": 200}


def net(n_outputs, make_output=lambda scores: scores):
    def forward(self, x):
        return make_output(self.last(torch.relu(self.first(x))))

    return build(lambda: Net(forward, first=nn.Linear(8, 32), last=nn.Linear(32, n_outputs)))


Output = namedtuple("Output", ["loss", "logits"])


@pytest.mark.parametrize(
    ("make_output", "options"),
    [
        (lambda scores: scores, {}),
        (lambda scores: scores, {"criterion": nn.functional.cross_entropy}),
        (lambda scores: scores, {"criterion": nn.CrossEntropyLoss()}),
        (lambda scores: {"logits": scores}, {}),
        (lambda scores: Output(None, scores), {"criterion": nn.CrossEntropyLoss()}),
        (lambda scores: {"first": scores * 2, "second": scores}, {"output": "second"}),
        (lambda scores: (scores * 2, scores), {"output": 1}),
        (lambda scores: Output(None, scores), {"output": "logits"}),
        (lambda scores: (scores * 2, scores), {"output": lambda output: output[1]}),
    ],
)
def test_every_form_of_an_output_gives_the_same_diagnosis(make_output, options):
    plain = diagnose(net(3), X, CLASSES, **FAST)
    found = diagnose(net(3, make_output), X, CLASSES, **FAST, **options)
    np.testing.assert_allclose(found.trial["loss"], plain.trial["loss"], rtol=1e-5)
    assert found.baseline_loss == pytest.approx(plain.baseline_loss, rel=0.01)
    assert found.will_train


def test_a_missing_output_is_an_error():
    with pytest.raises(InvalidParameterError, match=r"output='scores' is not in the module's output \(\['logits'\]\)"):
        diagnose(net(3, lambda scores: {"logits": scores}), X, CLASSES, output="scores")


def entropy(shares):
    return float(-(shares * np.log(shares)).sum())


@pytest.mark.parametrize(
    ("n_outputs", "y", "criterion", "baseline"),
    [
        (3, CLASSES, None, entropy(np.bincount(CLASSES) / N)),
        (3, CLASSES, nn.CrossEntropyLoss(label_smoothing=0.0), entropy(np.bincount(CLASSES) / N)),
        (1, NUMBERS, None, float(NUMBERS.var(correction=0))),
        (1, NUMBERS, nn.MSELoss(), float(NUMBERS.var(correction=0))),
        # The median is the best constant for absolute errors.
        (1, NUMBERS, nn.L1Loss(), float((NUMBERS - NUMBERS.median()).abs().mean())),
        (1, X[:, :1] > 0.5, None, entropy(np.array([1 - float((X[:, 0] > 0.5).double().mean()),
                                                     float((X[:, 0] > 0.5).double().mean())]))),
        (2, (X[:, :2] > 0).float(), nn.BCEWithLogitsLoss(), np.mean([
            entropy(np.array([p, 1 - p])) for p in (X[:, :2] > 0).double().mean(0).tolist()])),
        (1, NUMBERS, lambda output, y: (output - y).square().mean() + 5, float(NUMBERS.var(correction=0)) + 5),
    ],
)  # fmt: skip
def test_the_baseline_is_the_loss_of_the_best_constant(n_outputs, y, criterion, baseline):
    # All samples are measured.
    diagnosis = diagnose(net(n_outputs), X, y, criterion=criterion, batch_size=20, max_samples=N, **FAST)
    assert diagnosis.baseline_loss == pytest.approx(baseline, rel=0.02)


def test_weighted_classes_have_the_entropy_of_weighted_shares():
    weight = torch.tensor([1.0, 2.0, 5.0])
    diagnosis = diagnose(
        net(3), X, CLASSES, criterion=nn.CrossEntropyLoss(weight=weight), batch_size=100, max_samples=N, **FAST
    )
    shares = np.bincount(CLASSES) * weight.numpy()
    assert diagnosis.baseline_loss == pytest.approx(entropy(shares / shares.sum()), rel=0.02)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(12, 16), nn.Linear(16, 12)

    def forward(self, tokens):
        return self.head(self.table(tokens))


@pytest.mark.parametrize("criterion", [None, nn.CrossEntropyLoss()])
def test_scores_of_tokens_and_their_targets(criterion):
    tokens = torch.randint(0, 12, (N, 9), generator=torch.Generator().manual_seed(0))
    diagnosis = diagnose(build(Tokens), tokens, (tokens + 1) % 12, criterion=criterion, **FAST)
    assert diagnosis.will_train
    assert diagnosis.baseline_loss == pytest.approx(np.log(12), rel=0.02)


def test_heads_with_names_have_a_loss_each():
    def forward(self, x):
        hidden = torch.relu(self.body(x))
        return {"kind": self.kind(hidden), "size": self.size(hidden)}

    layers = {"body": (8, 16), "kind": (16, 3), "size": (16, 1)}
    module = build(lambda: Net(forward, **{name: nn.Linear(*sizes) for name, sizes in layers.items()}))
    y = {"kind": CLASSES, "size": NUMBERS}
    chosen = {"kind": nn.functional.cross_entropy, "size": nn.functional.mse_loss}
    one, both = (diagnose(module, X, y, criterion=criterion, **FAST) for criterion in (None, chosen))
    np.testing.assert_allclose(one.trial["loss"], both.trial["loss"], rtol=1e-5)
    assert one.will_train
    with pytest.raises(ModuleError, match=r"criterion has the heads \['kind'\]"):
        diagnose(module, X, y, criterion={"kind": nn.functional.cross_entropy})


@pytest.mark.parametrize("criterion", [None, {"kind": nn.CrossEntropyLoss(), "size": nn.functional.mse_loss}])
@pytest.mark.parametrize("form", [dict, tuple])
def test_heads_have_the_sum_of_their_baselines_and_targets_of_their_own(criterion, form):
    def forward(self, x):
        heads = {"kind": self.kind(x), "size": self.size(x)}
        return heads if form is dict else tuple(heads.values())

    module = build(lambda: Net(forward, kind=nn.Linear(8, 3), size=nn.Linear(8, 1)))
    y = {"kind": CLASSES, "size": 1000 * NUMBERS}
    if form is tuple:
        y, criterion = tuple(y.values()), None
    diagnosis = diagnose(module, X, y, criterion=criterion, batch_size=20, max_samples=N, **FAST)
    known = entropy(np.bincount(CLASSES) / N) + 1e6 * float(NUMBERS.var(correction=0))
    assert diagnosis.baseline_loss == pytest.approx(known, rel=0.02)
    found = describe_findings(diagnosis).query("kind == 'unscaled targets'")
    name = "size" if form is dict else "head 1"
    assert found["layer"].tolist() == [name]
    assert found["evidence"].item().startswith(f"The targets of {name} differ by a factor of")


def test_a_criterion_must_return_a_scalar():
    with pytest.raises(
        ModuleError, match=r"returns a value of shape \(\d+,\) and type float32 \(allowed: the mean loss"
    ):
        diagnose(net(3), X, CLASSES, criterion=nn.CrossEntropyLoss(reduction="none"))
    with pytest.raises(InvalidParameterError, match="criterion="):
        diagnose(net(3), X, CLASSES, criterion="mse")


def test_streams_are_taken_batch_by_batch():
    loader = DataLoader(TensorDataset(X, CLASSES), batch_size=40)
    diagnosis = diagnose(net(3), loader, **FAST)
    assert diagnosis.will_train
    assert len(diagnosis.trial) >= 16
    pairs = [(X[i : i + 40], CLASSES[i : i + 40]) for i in range(0, N, 40)]
    assert diagnose(net(3), iter(pairs), **FAST).score == diagnosis.score


def test_several_arguments_and_named_arguments():
    def forward(self, left, right):
        return self.last(torch.relu(self.left(left) + self.right(right)))

    module = build(lambda: Net(forward, left=nn.Linear(8, 16), right=nn.Linear(3, 16), last=nn.Linear(16, 3)))
    parts = {"left": X, "right": X[:, :3]}
    by_name, by_place = (
        diagnose(module, parts, CLASSES, **FAST),
        diagnose(module, tuple(parts.values()), CLASSES, **FAST),
    )
    assert by_name.score == by_place.score
    assert by_name.will_train


def test_a_graph_is_the_batch_of_every_step():
    def forward(self, x, edges):
        summed = torch.zeros_like(x).index_add(0, edges[1], x[edges[0]])
        return self.last(torch.relu(self.first(x + summed)))

    module = build(lambda: Net(forward, first=nn.Linear(8, 32), last=nn.Linear(32, 3)))
    edges = torch.randint(0, N, (2, 300), generator=torch.Generator().manual_seed(0))
    diagnosis = diagnose(module, (X, edges), CLASSES, **FAST)
    assert diagnosis.will_train
    assert diagnosis.trial["loss"].iloc[-1] < diagnosis.trial["loss"].iloc[0]


def test_memory_is_that_of_a_batch():
    seen = []

    def forward(self, x):
        seen.append(len(x))
        return self.last(torch.relu(self.first(x.flatten(1))))

    module = build(lambda: Net(forward, first=nn.Linear(8, 32), last=nn.Linear(32, 3)))
    diagnose(module, X.view(N, 2, 4), CLASSES, batch_size=10, **FAST)
    assert max(seen) == 10


@pytest.mark.parametrize(
    "criterion",
    [
        lambda output, y: nn.functional.cross_entropy(output, y) - 5,
        # The bound is 0, at infinite scores.
        lambda output, y: (-output).exp().mean() - 1 + 0 * y.sum(),
    ],
)
def test_a_loss_without_a_positive_baseline_is_refused(criterion):
    with pytest.raises(InvalidParameterError, match="no target can be relative to it"):
        diagnose(net(3), X, CLASSES, criterion=criterion)


@pytest.mark.parametrize(
    "criterion",
    [
        lambda output, y: -output.mean() + 0 * y.sum(),
        lambda output, y: 1e3 - output.square().mean(),
        lambda output, y: -nn.functional.softplus(output).log().mean(),
    ],
)
def test_the_baseline_of_a_loss_without_a_lower_bound_is_not_known(criterion):
    diagnosis = diagnose(net(3), X, CLASSES, criterion=criterion, **FAST)
    assert np.isnan(diagnosis.baseline_loss)
    assert 0 <= diagnosis.score <= 1
    assert np.isnan(diagnosis.learning_rates([0.001])["relative_loss"]).all()


@pytest.mark.parametrize(
    ("criterion", "bound"),
    [
        (lambda output, y: torch.sigmoid(-output).mean() + 0.5, 0.5),
        (lambda output, y: nn.functional.softplus(output).mean() + 2, 2.0),
        # Scores far away are not allowed.
        (lambda output, y: (output - 1).square().mean() + 3 + torch.distributions.Normal(0.0, 1.0)
         .log_prob(output.where(output.abs() < 100, torch.nan)).mean() * 0, 3.0),
    ],
)  # fmt: skip
def test_the_baseline_of_a_loss_with_a_lower_bound_is_the_bound(criterion, bound):
    assert diagnose(net(1), X, NUMBERS, criterion=criterion, **FAST).baseline_loss == pytest.approx(bound, rel=1e-3)


def test_a_flow_whose_output_is_the_logarithm_of_a_density_is_diagnosed():
    def forward(self, x):
        return -0.5 * (self.shift(x[:, :4]) + x[:, 4:]).square().sum(1)

    flow = build(lambda: Net(forward, shift=nn.Linear(4, 4)))
    diagnosis = diagnose(flow, X, criterion=lambda output, y: -output.mean(), **FAST)
    assert np.isnan(diagnosis.baseline_loss)
    assert diagnosis.trial["loss"].iloc[-1] < diagnosis.trial["loss"].iloc[0]


def test_constant_numbers_are_nothing_to_learn():
    with pytest.raises(InvalidParameterError, match="y holds one value only"):
        diagnose(net(1), X, torch.ones(N, 1))


def test_outputs_without_an_axis_of_scores():
    flat = net(1, lambda scores: scores.flatten())
    found = diagnose(flat, X, NUMBERS[:, 0], criterion=nn.functional.mse_loss, batch_size=20, max_samples=N, **FAST)
    assert found.baseline_loss == pytest.approx(float(NUMBERS.var(correction=0)), rel=0.02)
    assert found.will_train


@pytest.mark.parametrize(
    ("n_outputs", "of", "options", "words"),
    [
        (1, int, {}, r"1 score .*; if y has numbers to predict, use y.astype\(float\) or criterion=torch.nn.MSELoss"),
        (1, np.float32, {"criterion": nn.MSELoss()}, r"use y\[:, None\]"),
        (3, float, {}, r"labels of classes must be integers, such as y.astype\(int\)"),
        (3, str, {}, "LabelEncoder"),
        (3, int, {"criterion": nn.CrossEntropyLoss}, r"such as torch.nn.MSELoss\(\)"),
        (3, int, {"criterion": "mse"}, "did you mean 'MSELoss'"),
    ],
)
def test_targets_that_do_not_fit_name_the_next_step(n_outputs, of, options, words):
    y = (np.arange(40) % 3).astype(of)
    with pytest.raises((ModuleError, InvalidParameterError), match=words):
        diagnose(build(lambda: nn.Linear(4, n_outputs)), np.ones((40, 4), np.float32), y, **options)


class Weighted(nn.Module):
    """A criterion with a parameter of its own, which alone gets a gradient."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, output, y):
        return (output.detach() * self.weight - y).square().mean()


@pytest.mark.parametrize("function", [diagnose, partial(inspect_activations, gradients=True)])
def test_a_loss_that_only_moves_the_criterion_has_no_gradient(function):
    with pytest.raises(ModuleError, match=r"^the loss has no gradient for any trained parameter \(allowed: a loss of"):
        function(net(1), X, NUMBERS, criterion=Weighted())


@pytest.mark.parametrize("changed", [torch.Tensor.detach, torch.Tensor.clone, lambda scores: scores.softmax(1)])
def test_an_output_that_its_own_loss_is_not_computed_from_is_named(changed):
    def forward(self, x, labels):
        scores = self.last(torch.relu(x))
        return {"loss": nn.functional.cross_entropy(scores, labels), "logits": changed(scores)}

    module = build(lambda: Net(forward, last=nn.Linear(8, 3)))
    with pytest.raises(ModuleError, match=r"^the loss has no gradient for any tensor in the module's output"):
        diagnose(module, {"x": X, "labels": CLASSES}, **FAST)
