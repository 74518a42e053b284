"""Whether a network will train: clear cases, optimizers, learning rates, and what stays as it is."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, MLPRegressor, diagnose, initialize
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.initializers import Scaled
from initsk.network import MLP
from initsk.report import describe_findings
from tests.helpers import batch, build, params

X, Y = load_digits(return_X_y=True)
X = X / 16
# Of one data type in every form.
XT, YT = torch.tensor(X, dtype=torch.float32), torch.tensor(Y)


def mlp(initializer="he_normal", hidden=(32, 32)):
    module = build(lambda: MLP(64, 10, hidden))
    initialize(module, initializer, random_state=0)
    return module


def trained_loss(module, optimizer, n_steps=500):
    """Return the loss of a module relative to the baseline, after so many steps of 64 samples."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(n_steps):
        rows = torch.randint(len(XT), (64,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(XT[rows]), YT[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        return float(nn.functional.cross_entropy(module(XT), YT)) / math.log(10)


@pytest.mark.parametrize(
    ("initializer", "optimizer", "lr"),
    [
        ("he_normal", "adam", 1e-3), ("zeros", "adam", 1e-3), ("he_normal", "sgd", 0.1),
        (Scaled("he_normal", 30.0), "sgd", 0.1),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (
            ("he_normal", "adam", 10.0), ("he_normal", "adam", 1e-7), ("random_normal", "sgd", 1e-4),
        )),
    ],
)  # fmt: skip
def test_clear_cases_are_those_of_a_training(initializer, optimizer, lr):
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer]
    diagnosis = diagnose(mlp(initializer), XT, YT, optimizer=optimizer, lr=lr, budget=500)
    module = mlp(initializer)
    trains = trained_loss(module, kind(module.parameters(), lr=lr)) < 0.8
    assert diagnosis.will_train is trains
    findings = diagnosis.findings()
    assert findings["decides"].any() == (not trains)
    assert findings["decides"].is_monotonic_decreasing
    assert diagnosis.exit_code == (0 if trains else 1)
    assert str(diagnosis).startswith("The network will probably " + ("train" if trains else "not train"))


class Branches(nn.Module):
    """Residual branches with normalization; each branch begins as zero."""

    def __init__(self, depth=12):
        super().__init__()
        self.first = nn.Linear(64, 32)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.BatchNorm1d(32))
            for _ in range(depth)
        )
        self.head = nn.Linear(32, 10)
        for block in self.blocks:
            nn.init.zeros_(block[-1].weight)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = torch.relu(x + block(x))
        return self.head(x)


@pytest.mark.parametrize("trial_steps", params([0, 32], slow={0}))
def test_branches_that_begin_as_zero_are_healthy(trial_steps):
    diagnosis = diagnose(build(Branches), XT, YT, lr=1e-3, trial_steps=trial_steps)
    assert diagnosis.will_train
    assert not diagnosis.findings()["decides"].any()


def test_a_head_of_zeros_is_healthy():
    module = mlp()
    nn.init.zeros_(module.output.weight)
    assert diagnose(module, XT, YT, lr=1e-3).will_train


def test_healthy_but_not_at_this_rate_and_ill_at_any_rate_are_told_apart():
    fast = diagnose(mlp(), XT, YT, optimizer="sgd", lr=1000.0)
    assert not fast.will_train
    assert fast.rate_range.verdict == "other rate"
    assert fast.rate_range.high < 1000
    # At the best rate of the range the network trains.
    module = mlp()
    assert trained_loss(module, torch.optim.SGD(module.parameters(), lr=fast.rate_range.best)) < 0.8
    ill = diagnose(mlp("zeros"), XT, YT, lr=1e-3)
    assert ill.rate_range.verdict == "no rate"
    assert not ill.learning_rates()["works"].any()
    sound = diagnose(mlp(), XT, YT, lr=1e-3)
    assert sound.rate_range.verdict == "works"
    assert sound.rate_range.low <= 1e-3 <= sound.rate_range.high


def test_learning_rates_are_a_frame_in_order():
    diagnosis = diagnose(mlp(), XT, YT, lr=1e-3)
    frame = diagnosis.learning_rates([1e-2, 1e-3])
    assert frame["lr"].tolist() == [1e-3, 1e-2]
    assert frame["score"].iloc[0] == diagnosis.score
    assert (frame["works"] == (frame["score"] >= 0.5)).all()
    # Another rate's trial is that of a diagnosis at that rate.
    assert frame["score"].iloc[1] == diagnose(mlp(), XT, YT, lr=1e-2).score
    with pytest.raises(InvalidParameterError, match="numbers > 0"):
        diagnosis.learning_rates([0.0])


def test_losses_at_learning_rates_are_those_of_equally_many_steps():
    options = {"trial_steps": 8, "budget": 64}
    diagnosis = diagnose(mlp(), XT, YT, lr=1e-3, **options)
    frame = diagnosis.learning_rates([1e-3, 1e-1])
    assert frame["steps"].dtype == "int64"
    # The uncertain trial took more steps.
    assert frame["steps"].tolist() == [32, 8]
    for row in frame.itertuples():
        trial = diagnose(mlp(), XT, YT, lr=row.lr, **options).trial
        assert row.steps == len(trial)
        assert row.loss == pytest.approx(trial["loss"][6:8].mean())
        assert row.relative_loss == pytest.approx(row.loss / diagnosis.baseline_loss)


def test_rates_are_tried_on_the_network_as_it_was():
    module = mlp()
    diagnosis = diagnose(module, XT, YT, lr=1e-3)
    before = diagnosis.learning_rates([1e-2])["score"].iloc[0]
    diagnosis = diagnose(module, XT, YT, lr=1e-3)
    nn.init.zeros_(module.hidden_1.weight)
    assert diagnosis.learning_rates([1e-2])["score"].iloc[0] == before


def test_the_trial_is_what_a_loop_computes():
    module = mlp()
    batches = [(XT[i : i + 32], YT[i : i + 32]) for i in range(0, 320, 32)]
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    diagnosis = diagnose(module, iter(batches), optimizer=optimizer, trial_steps=15)
    losses, norms = [], []
    for step in range(15):
        x, y = batches[step % 10]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(x), y)
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.cat([p.grad.flatten() for p in module.parameters()]).norm().item())
        optimizer.step()
    np.testing.assert_allclose(diagnosis.trial["loss"], losses, rtol=1e-4)
    np.testing.assert_allclose(diagnosis.trial["gradient_norm"], norms, rtol=1e-3)
    assert diagnosis.trial["step"].tolist() == list(range(1, 16))
    # Measured at powers of two, and at the end.
    assert np.flatnonzero(diagnosis.trial["update_ratio"].notna()).tolist() == [0, 1, 3, 7, 14]


def test_an_update_ratio_is_the_step_relative_to_the_weight():
    module = build(lambda: nn.Linear(4, 3))
    x, y = batch(40, 4), torch.arange(40) % 3
    frame = diagnose(module, iter([(x, y)]), optimizer="sgd", lr=0.5, trial_steps=1).trial
    loss = nn.functional.cross_entropy(module(x), y)
    gradient = torch.autograd.grad(loss, module.weight)[0]
    expected = 0.5 * gradient.norm() / module.weight.detach().norm()
    assert frame["update_ratio"].iloc[0] == pytest.approx(expected.item(), rel=1e-4)


def test_frozen_parameters_stay():
    module = mlp()
    module.hidden_1.requires_grad_(False)
    after = diagnose(module, XT, YT, lr=0.01).outcome.module
    assert torch.equal(after.hidden_1.weight, module.hidden_1.weight)
    assert not after.hidden_1.weight.requires_grad


def test_the_model_and_its_optimizer_stay_as_they_are():
    module = build(lambda: Branches(3)).eval()
    module.blocks[0].train()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    before = {name: values.clone() for name, values in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    diagnosis = diagnose(module, XT, YT, optimizer=optimizer, trial_steps=8, budget=64)
    diagnosis.learning_rates([0.1])
    assert diagnosis.findings() is not None
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert [part.training for part in module.modules()] == modes
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not optimizer.state


def test_equal_calls_give_equal_results():
    module = build(lambda: nn.Sequential(nn.Linear(64, 32), nn.Dropout(0.5), nn.ReLU(), nn.Linear(32, 10)))
    one, two = (diagnose(module, XT, YT, random_state=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.trial, two.trial)
    assert one.score == two.score
    assert not one.trial.equals(diagnose(module, XT, YT, random_state=4).trial)


def test_without_a_trial_the_score_comes_from_the_start():
    healthy, ill = (diagnose(mlp(name), XT, YT, lr=1e-3, trial_steps=0) for name in ("he_normal", "zeros"))
    assert healthy.trial.empty
    assert list(healthy.trial.columns) == ["step", "loss", "gradient_norm", "update_ratio"]
    assert healthy.score > 0.5 > ill.score
    assert healthy.rate_range.verdict == "works"
    assert "Trial" not in healthy.to_markdown()


def test_a_harder_target_has_a_lower_score():
    # The budget is too small for a longer trial, so that all scores come from the same one.
    scores = [diagnose(mlp(), XT, YT, lr=1e-3, budget=64, target=target).score for target in (0.9, 0.6, 0.3, 0.05)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]


def test_budget_and_rate_are_those_of_the_estimator():
    clf = MLPClassifier((8,), max_epochs=7, batch_size=100, lr=0.02, random_state=0)
    diagnosis = diagnose(clf, X, Y)
    assert diagnosis.budget == 7 * 18
    assert diagnosis.lr == 0.02
    module = diagnose(mlp(), XT, YT)
    assert module.budget == 500
    assert diagnose(mlp(), XT, YT, budget=60).budget == 60


def test_the_time_limit_ends_a_trial():
    diagnosis = diagnose(mlp(), XT, YT, time_limit=1e-9)
    assert diagnosis.trial_status == "time"
    assert len(diagnosis.trial) == 1


def test_the_score_is_the_sum_of_its_contributions():
    diagnosis = diagnose(mlp(), XT, YT, lr=1e-3)
    frame = diagnosis.contributions()
    z = frame["contribution"].sum() + diagnosis.outcome.score_model.intercept
    # A trial that has reached the target has a score of 0.99 at least.
    assert not diagnosis.outcome.reached
    assert diagnosis.score == pytest.approx(1 / (1 + np.exp(-z)))
    done = diagnose(mlp(), XT, YT, lr=1e-2)
    assert done.outcome.reached
    assert done.score >= 0.99
    assert frame["contribution"].abs().is_monotonic_decreasing


def test_all_mistakes_are_in_one_message():
    with pytest.raises(InvalidParameterError) as caught:
        diagnose(mlp(), XT, YT, optimizer="adm", lr=-1, budget=0, trial_steps=-1, max_samples=1, random_state="a")
    words = str(caught.value)
    assert "did you mean 'adam'" in words
    for name in ("lr=-1", "budget=0", "trial_steps=-1", "max_samples=1", "random_state='a'"):
        assert name in words
    with pytest.raises(InvalidParameterError, match="y=None is not allowed"):
        diagnose(mlp(), XT, None)


@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        (X[:5], Y[:5], "X has 5 samples .*at least 20"),
        (X[:1], Y[:1], "X has 1 sample .*at least 20"),
        (X, Y[:100], "y has 100 rows, and X has 1797"),
        (X, Y[:1], "y has 1 row, and X has 1797"),
        (X, np.zeros(len(X), int), "y holds one value only"),
        (X, Y + 7, "y has labels .* but the module gives 10 scores"),
    ],
)
def test_samples_of_which_nothing_can_be_said_are_refused(inputs, targets, words):
    with pytest.raises(InitskError, match=words):
        diagnose(mlp(), inputs, targets)


def test_a_loss_that_is_not_finite_is_found():
    def loss_of_probabilities(scores, labels):
        # The logarithm of a negative score is not a number.
        return torch.nn.functional.nll_loss(scores.log(), labels)

    module = build(lambda: MLP(64, 10, (16,)))
    diagnosis = diagnose(module, X.astype("float32"), Y, criterion=loss_of_probabilities)
    assert np.isnan(diagnosis.loss)
    found = describe_findings(diagnosis).iloc[0]
    assert (found["kind"], found["evidence"]) == ("non-finite", "The loss at the start is NaN.")
    assert "NLLLoss" in found["advice"]
    assert diagnosis.score == 0


def test_an_infinite_loss_is_said_to_be_infinite():
    diagnosis = diagnose(mlp(), XT, YT, criterion=lambda scores, labels: scores.square().mean() / 0)
    found = describe_findings(diagnosis)
    assert "The loss at the start is infinite." in found["evidence"].tolist()


def test_lists_are_samples_too():
    clf = MLPClassifier((16,), random_state=0)
    assert diagnose(clf, X.tolist(), Y.tolist()).score == pytest.approx(diagnose(clf, X, Y).score, abs=1e-6)


def test_samples_are_drawn_at_random():
    order = np.argsort(Y)
    few = diagnose(mlp(), XT[order], YT[order], batch_size=32, max_samples=100)
    # Three whole batches of 32 samples.
    assert few.inspection.to_frame()["count"].iloc[0] == 96 * 32
    # Sorted by class, the first ones are of one class alone.
    assert few.will_train


def test_loss_and_depth_are_compared_with_chance_and_theory():
    clf = MLPClassifier((50,) * 30, activation="tanh", initializer=Scaled("glorot_normal", 0.6), random_state=0)
    diagnosis = diagnose(clf, X, Y)
    assert diagnosis.baseline_loss == pytest.approx(np.log(10), rel=0.01)
    assert diagnosis.loss == pytest.approx(np.log(10), rel=0.05)
    # Without biases gradients fall by the weight variance: xi = -1 / ln 0.36.
    assert diagnosis.depth.weight_variance == pytest.approx(0.36, rel=0.05)
    assert diagnosis.depth.xi_c == pytest.approx(-1 / np.log(0.36), rel=0.1)
    assert diagnosis.depth.share == pytest.approx(30 / (6 * diagnosis.depth.xi_c))
    findings = diagnosis.findings().set_index("kind")
    assert findings.loc["too deep", "value"] == diagnosis.depth.share
    assert not findings.loc["too deep", "decides"]
    regressor = MLPRegressor((16,), standardize_target=False, random_state=0)
    assert diagnose(regressor, X, X[:, 20]).baseline_loss == pytest.approx(X[:, 20].var(), rel=0.2)


def test_normalized_networks_are_seen_as_they_are_trained():
    def factory():
        layers = [part for _ in range(20) for part in (nn.Linear(64, 64), nn.BatchNorm1d(64), nn.Sigmoid())]
        return nn.Sequential(*layers, nn.Linear(64, 10))

    module = build(factory)
    initialize(module, "lecun_normal", random_state=0)
    summary = diagnose(module, XT, YT).inspection.to_frame()
    assert summary.loc[summary["layer"] == "58", "std"].iloc[0] > 0.1


def test_targets_that_are_not_standardized_are_noted():
    diagnosis = diagnose(build(lambda: MLP(64, 1, (16,))), XT, 1000 + 5 * XT[:, 20])
    found = diagnosis.findings().set_index("kind")
    values = (1000 + 5 * XT[:, 20]).double()
    factor = float(values.mean() / values.std(correction=0))
    assert found.loc["unscaled targets", "value"] == pytest.approx(factor, rel=0.05)
    assert not diagnosis.will_train
    assert found.loc["unscaled targets", "decides"]
    scaled = diagnose(build(lambda: MLP(64, 1, (16,))), XT, (XT[:, 20] - XT[:, 20].mean()) / XT[:, 20].std())
    assert "unscaled targets" not in scaled.findings()["kind"].tolist()


def test_findings_of_a_deep_network_are_grouped():
    diagnosis = diagnose(mlp("zeros", hidden=(16,) * 20), XT, YT, trial_steps=2, budget=8)
    assert (diagnosis.findings()["kind"] == "symmetric").sum() == 20
    grouped = describe_findings(diagnosis, grouped=True).set_index("kind")
    assert grouped.loc["symmetric", ["n_layers", "first", "last"]].tolist() == [20, "hidden_1", "hidden_20"]
    assert grouped.loc["symmetric", "evidence"].endswith("20 layers have this finding, from hidden_1 to hidden_20.")
    assert "hidden_1 to hidden_20 (20)" in diagnosis.to_markdown().replace("\\", "")
    assert "hidden_1 sampai hidden_20 (20)" in diagnosis.to_markdown(language="id").replace("\\", "")


def test_a_stream_gives_further_batches_to_a_longer_trial():
    """With random labels nothing can be learned, and batches that are seen again could be learned by heart."""
    x, y = batch(20000, 50), torch.randint(0, 10, (20000,), generator=torch.Generator().manual_seed(0))
    module = build(lambda: MLP(50, 10, (512,)))
    taken = []
    pairs = ((taken.append(i), (x[i : i + 64], y[i : i + 64]))[1] for i in range(0, 20000, 64))
    diagnosis = diagnose(module, pairs, lr=1e-2, budget=1000)
    assert len(taken) == len(diagnosis.trial)
    assert diagnosis.score < 0.5


def test_a_trial_is_no_longer_than_the_budget():
    assert len(diagnose(mlp(), XT, YT, lr=1e-2, budget=5).trial) == 5


@pytest.mark.parametrize(("n_steps", "few"), [(1, True), (7, True), (8, False)])
def test_the_answer_tells_that_a_trial_of_very_few_steps_says_little(n_steps, few):
    answer = str(diagnose(mlp(), XT, YT, lr=1e-3, budget=n_steps))
    assert ("and with fewer than 8 steps the score says little" in answer) == few
    assert (f"The trial had only {n_steps} step" in answer) == few


@pytest.mark.parametrize("options", [{"lr": 1e6}, {"lr": 1e-2, "target": 1.2}])
def test_a_trial_of_few_steps_is_enough_to_diverge_or_to_reach_the_target(options):
    assert "says little" not in str(diagnose(mlp(), XT, YT, budget=5, optimizer="sgd", **options))


def test_a_list_of_pairs_is_a_stream():
    pairs = [(XT[i : i + 64], YT[i : i + 64]) for i in range(0, 1600, 64)]
    assert diagnose(mlp(), pairs, lr=1e-2).score == diagnose(mlp(), iter(pairs), lr=1e-2).score
