"""Data and networks that no training can use: NaN, layers without a gradient, and inputs that do not fit."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from initsk import MLPClassifier, diagnose
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.report import describe_findings
from tests.helpers import Net, batch, build, params

X = batch(120, 6).float()
Y = (X[:, 0] > 0).long() + (X[:, 1] > 0).long()
FAST = {"lr": 0.01, "trial_steps": 8, "budget": 16, "batch_size": 20}


def mlp(n_outputs=3):
    return build(lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, n_outputs))).float()


def with_nan(values, rows, column, value=float("nan")):
    values = values.clone()
    values[rows, column] = value
    return values


NAN = with_nan(X, [3, 5], 4)


@pytest.mark.parametrize(
    ("inputs", "targets", "name", "what"),
    [
        (NAN, Y, "X[:, 4]", "NaN"),
        (with_nan(X, [3, 5], 4, float("inf")), Y, "X[:, 4]", "infinite"),
        (with_nan(NAN, 3, 1, float("inf")), Y, "X[:, [1, 4]]", "NaN or infinite"),
        (pd.DataFrame(NAN.numpy(), columns=list("abcdef")), Y, "X['e']", "NaN"),
        (DataLoader(TensorDataset(NAN, Y), 20), None, "X[:, 4]", "NaN"),
        (X, with_nan(X[:, :1], [7, 9], 0), "y[:, 0]", "NaN"),
        (X, with_nan(X[:, :1], [7, 9], 0)[:, 0], "y", "NaN"),
    ],
)
def test_values_of_the_data_that_are_not_finite_are_named(inputs, targets, name, what):
    diagnosis = diagnose(mlp(3 if targets is Y or targets is None else 1), inputs, targets, **FAST)
    findings = describe_findings(diagnosis)
    assert findings[["layer", "kind", "value", "decides"]].to_numpy().tolist() == [[name, "non-finite", 2.0, True]]
    assert findings["evidence"].tolist() == [f"2 samples have {what} values in {name}."]
    assert "learning rate" not in findings["advice"].iloc[0]
    assert diagnosis.score == 0


class Parts(nn.Module):
    """A network with an auxiliary output, a layer that is never called, and a signal that may be detached."""

    def __init__(self, detached):
        super().__init__()
        self.detached = detached
        self.first, self.second, self.last = nn.Linear(6, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.auxiliary, self.idle = nn.Linear(16, 2), nn.Linear(5, 5)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        hidden = torch.relu(self.second(hidden.detach() if self.detached == "first" else hidden))
        scores = self.last(hidden)
        return (scores.detach() if self.detached == "all" else scores), self.auxiliary(hidden)


def of_first(output, y):
    return nn.functional.cross_entropy(output[0], y)


@pytest.mark.parametrize("detached", ["", "first"])
def test_layers_without_a_gradient_are_found(detached):
    for lr in (0.01, 1e-7):
        diagnosis = diagnose(build(lambda: Parts(detached)).float(), X, Y, criterion=of_first, **FAST | {"lr": lr})
        kinds = diagnosis.findings().groupby("kind")
        found = {kind: list(zip(rows["layer"], rows["value"], rows["decides"], strict=True)) for kind, rows in kinds}
        assert found["unused"] == [("auxiliary", 2 * 17, False), ("idle", 5 * 6, False)]
        assert found.get("cut off", []) == ([("first", 7 * 16, not diagnosis.will_train)] if detached else [])


def test_a_loss_without_a_gradient_is_an_error():
    with pytest.raises(ModuleError, match="has no gradient"):
        diagnose(build(lambda: Parts("all")).float(), X, Y, criterion=of_first, **FAST)
    with pytest.raises(ModuleError, match="no parameter is trained"):
        diagnose(mlp().requires_grad_(False), X, Y, **FAST)


class NoRate(torch.optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(parameters, {})


def muon(parameters):
    return torch.optim.Muon([p for p in parameters if p.dim() == 2], lr=0.01)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"X": batch(120, 7).float()},
            ModuleError,
            r"the forward pass fails in layer '0' \(Linear\); input: X of shape",
        ),
        ({"criterion": nn.CTCLoss()}, ModuleError, "criterion CTCLoss fails for output .*input_lengths.*a function of"),
        ({"criterion": lambda output, y: output @ y}, ModuleError, "criterion <lambda> fails for output of shape"),
        ({"y": [{"boxes": X[0]}] * 120}, InvalidParameterError, "y that holds dict objects is not allowed"),
        ({"y": [1, None] * 60}, InvalidParameterError, "y that holds missing values is not allowed"),
        ({"optimizer": NoRate}, InvalidParameterError, "NoRate has no learning rate"),
        ({"optimizer": torch.optim.SparseAdam}, InvalidParameterError, "a step of optimizer=SparseAdam fails: .*dense"),
        ({"optimizer": lambda p: torch.optim.SGD(p, momentum=-1)}, InvalidParameterError, "cannot be made for the 4"),
        (
            {"optimizer": lambda p: torch.optim.SGD(p, lr=0.0), "lr": None},
            InvalidParameterError,
            "the learning rate 0, as before the first step of a warmup",
        ),
        ({"random_state": "a"}, InvalidParameterError, r"^diagnose: random_state='a' is not allowed \(an integer"),
    ],
)
def test_what_does_not_fit_is_a_clear_error(options, error, words):
    given = {"X": X, "y": Y} | FAST | options
    with pytest.raises(error, match=words):
        diagnose(mlp(), **given)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has no Muon")
def test_an_optimizer_of_some_parameters_is_tried():
    diagnosis = diagnose(mlp(), X, Y, optimizer=muon, **FAST)
    values = diagnosis.outcome.module.state_dict()
    moved = {name: not value.equal(values[name]) for name, value in mlp().state_dict().items()}
    assert moved == {"0.weight": True, "0.bias": False, "2.weight": True, "2.bias": False}


def test_sparse_gradients_are_measured():
    def forward(self, ids):
        return self.table(ids).mean(1)

    module = build(lambda: Net(forward, table=nn.Embedding(20, 2, sparse=True)))
    ids = torch.randint(0, 20, (200, 5), generator=torch.Generator().manual_seed(0))
    y = (ids[:, 0] > 9).long()
    sparse = diagnose(module, ids, y, optimizer=torch.optim.SparseAdam, lr=0.1)
    module.table.sparse = False
    dense = diagnose(module, ids, y, optimizer="adam", lr=0.1)
    np.testing.assert_allclose(sparse.trial["gradient_norm"][:1], dense.trial["gradient_norm"][:1])
    assert sparse.trial["loss"].iloc[-1] < sparse.trial["loss"].iloc[0]


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(MLPClassifier((8,)), {"lr": [0.1]}),
        GridSearchCV(make_pipeline(StandardScaler(), MLPClassifier((8,))), {"mlpclassifier__lr": [0.1]}),
        make_pipeline(StandardScaler(), GridSearchCV(MLPClassifier((8,)), {"lr": [0.1]})),
    ],
    ids=["search", "search of a pipeline", "pipeline of a search"],
)
def test_the_network_of_a_search_that_is_not_fitted(search):
    scales = type(search).__name__ != "GridSearchCV" or hasattr(search.estimator, "steps")
    data = StandardScaler().fit_transform(X.numpy()) if scales else X.numpy()
    expected = diagnose(MLPClassifier((8,), random_state=0), data, Y.numpy(), **FAST)
    for part in (search, getattr(search, "estimator", search)):
        if hasattr(part, "random_state"):
            part.random_state = 0
    diagnosis = diagnose(search, X.numpy(), Y.numpy(), **FAST)
    assert (diagnosis.budget, diagnosis.optimizer) == (expected.budget, expected.optimizer)
    assert {name: value.shape for name, value in diagnosis.setup.model.module.state_dict().items()} == {
        name: value.shape for name, value in expected.setup.model.module.state_dict().items()
    }


def saved_by_joblib(diagnosis):
    file = io.BytesIO()
    joblib.dump(diagnosis, file)
    file.seek(0)
    return joblib.load(file)


@pytest.fixture(scope="module", params=params(["arrays", "stream", "estimator"], slow={"stream"}))
def diagnosis(request):
    stream = DataLoader(TensorDataset(X, Y), 20)
    arguments = {
        "arrays": (mlp(), X, Y), "stream": (mlp(), stream), "estimator": (MLPClassifier((8,)), X.numpy(), Y.numpy())
    }[request.param]  # fmt: skip
    return diagnose(*arguments, **FAST)


@pytest.fixture(scope="module")
def answers(diagnosis):
    return diagnosis.learning_rates([0.1]), diagnosis.to_markdown()


@pytest.mark.parametrize(
    "copied",
    params(
        [lambda found: pickle.loads(pickle.dumps(found)), copy.deepcopy, saved_by_joblib],
        slow={saved_by_joblib, copy.deepcopy},
    ),
    ids=["pickle", "deepcopy", "joblib"],
)  # fmt: skip
def test_a_copy_of_a_diagnosis_is_the_same(copied, diagnosis, answers):
    found = copied(diagnosis)
    assert found.score == diagnosis.score
    assert found.findings().equals(diagnosis.findings())
    assert found.trial.equals(diagnosis.trial)
    rates, markdown = answers
    assert found.learning_rates([0.1]).equals(rates)
    assert found.to_markdown() == markdown


def test_a_saved_diagnosis_says_what_it_lacks():
    given = {"criterion": lambda output, y: nn.functional.cross_entropy(output, y)}
    diagnosis = diagnose(mlp(), X, Y, optimizer=lambda p: torch.optim.SGD(p, lr=0.2), **given, **FAST | {"lr": None})
    assert copy.deepcopy(diagnosis).learning_rates([0.1]).equals(diagnosis.learning_rates([0.1]))
    found = pickle.loads(pickle.dumps(diagnosis))
    assert (found.score, found.lr, found.optimizer) == (diagnosis.score, 0.2, "SGD")
    assert found.contributions().equals(diagnosis.contributions())
    with pytest.raises(ModuleError, match="was not saved with the diagnosis"):
        found.learning_rates([0.5])


@pytest.mark.parametrize("rates", [0.1, "0.1", [], [0.1, -1.0]])
def test_learning_rates_are_a_list_of_numbers(rates):
    diagnosis = diagnose(mlp(), X, Y, **FAST)
    with pytest.raises(InvalidParameterError, match="a list of numbers > 0"):
        diagnosis.learning_rates(rates)


@pytest.mark.parametrize("lr", params([1e-12, 1e12], slow={1e-12}))
def test_rates_far_away_from_those_that_work_are_left(lr):
    options = {"optimizer": "sgd", "trial_steps": 8, "budget": 200}
    near = diagnose(mlp(), X, Y, lr=0.3, **options)
    far = diagnose(mlp(), X, Y, lr=lr, **options)
    assert near.will_train
    assert not far.will_train
    assert far.rate_range.verdict == "other rate"
    assert near.rate_range.low / 10 < far.rate_range.best < near.rate_range.high * 10


def test_no_advice_contradicts_another():
    for lr in (1e-12, 1e-5, 1e5):
        for scale in (1e-3, 1e3):
            module = mlp()
            nn.init.constant_(module[0].bias, -scale)
            findings = describe_findings(diagnose(module, X * scale, Y, **FAST | {"lr": lr}))
            advice = findings.loc[findings["decides"], "advice"].tolist()
            asked = {word for word in ("raise", "lower") for text in advice if f"{word} the learning rate" in text}
            assert len(asked) <= 1


def test_the_verdict_names_budget_and_rate():
    text = str(diagnose(mlp(), X, Y, lr=1e-7, budget=50, trial_steps=8))
    assert text.startswith("The network will probably not train (score 0.00) in 50 steps at the learning rate 1e-07.")


@pytest.mark.parametrize("row", [7, 187, 289])
@pytest.mark.parametrize("where", ["X", "y"])
def test_a_single_value_that_is_nan_decides_wherever_it_is(row, where):
    data = {"X": batch(300, 20).double(), "y": batch(300, 1).double()}
    data[where][row, 0] = float("nan")
    diagnosis = diagnose(build(lambda: nn.Linear(20, 1)), data["X"], data["y"], **FAST)
    assert diagnosis.score == 0
    found = diagnosis.findings()
    assert found.loc[found["decides"], "kind"].tolist() == ["non-finite"]


def test_a_network_that_fills_nan_in_trains():
    class Filling(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(20, 1)

        def forward(self, x):
            return self.layer(x.nan_to_num())

    X = batch(300, 20)
    X[7, 0] = float("nan")
    assert diagnose(build(Filling), X, X[:, 1:2], lr=0.01).score > 0.5


def of_known_labels(output, y):
    return (output - y)[~y.isnan()].square().mean()


@pytest.mark.parametrize("n_known", [30, 200, 299])
def test_a_loss_that_leaves_missing_labels_out_trains(n_known):
    X = batch(300, 20)
    y = X[:, :1].clone()
    y[n_known:] = float("nan")
    diagnosis = diagnose(build(lambda: nn.Linear(20, 1)), X, y, criterion=of_known_labels, lr=0.01)
    assert diagnosis.score > 0.5
    assert diagnosis.findings()["kind"].tolist() == ["non-finite"]


def test_a_loss_of_no_label_at_all_decides():
    X = batch(300, 20)
    diagnosis = diagnose(build(lambda: nn.Linear(20, 1)), X, X[:, :1] * float("nan"), criterion=of_known_labels, **FAST)
    assert diagnosis.score == 0


@pytest.mark.parametrize("criterion", [nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss()])
def test_a_column_and_a_row_are_not_compared(criterion):
    X = batch(100, 20)
    with pytest.raises(ModuleError, match=r"output of shape \(50, 1\) with every value of y of shape \(50,\)"):
        diagnose(build(lambda: nn.Linear(20, 1)), X, X[:, 0], criterion=criterion)


class Autoencoder(nn.Module):
    """Returns its own loss, which is `factor` times the usual one."""

    def __init__(self, factor):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 20))
        self.factor = factor

    def forward(self, x):
        output = self.layers(x)
        return {"output": output, "loss": self.factor * nn.functional.mse_loss(output, x)}


def test_a_loss_of_the_module_itself_needs_no_targets_and_has_its_own_scale():
    X = batch(400, 20)
    for factor in (1.0, 100.0):
        module = build(lambda factor=factor: Autoencoder(factor))
        for y in (None, X):
            assert diagnose(module, X, y, lr=3e-3).will_train
    with pytest.raises(InvalidParameterError, match="y=None is not allowed"):
        diagnose(build(lambda: nn.Linear(20, 1)), X)


def test_the_answer_names_the_finding_that_decides_and_its_next_step():
    X = batch(40, 4)
    diagnosis = diagnose(build(lambda: nn.Linear(4, 1)), X, X[:, 0] * 100 + 1000, trial_steps=8)
    assert diagnosis.findings()["kind"].tolist()[:2] == ["unscaled targets", "not learning"]
    assert "a scale of one and a mean near zero. Next step: standardize y" in str(diagnosis)
