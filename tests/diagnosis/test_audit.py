"""The audit as a whole: what it leaves as it is, what it takes, and what it returns."""

import copy
import json

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import initsk
from initsk import MLPClassifier, audit, inspect_activations
from initsk.diagnosis import Audit
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.inspection import THRESHOLDS, Finding
from initsk.network import innermost
from initsk.report import describe_findings
from tests.helpers import batch, build, hooks_of

KINDS = {
    "cloned", "uninitialized", "packed", "untruncated", "initial scale", "constant output", "unscaled input",
    "batch leak", "padding leak",
}  # fmt: skip


def cnn():
    return build(
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 5)
        )
    )


class Centered(nn.Module):
    """Subtracts the mean of the batch, which leaks."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x - x.mean(0))


def faulty():
    """Return a network with a fault of the weights, and one that only a batch shows."""
    network = build(Centered)
    network.layers[2].load_state_dict(network.layers[0].state_dict())
    return network


IMAGES = batch(20, 3, 8, 8)


def test_every_kind_has_one_threshold():
    assert THRESHOLDS.keys() >= KINDS
    assert all(THRESHOLDS[kind].keys() == {""} for kind in KINDS)


def test_the_model_does_not_change():
    network = build(lambda: nn.Sequential(cnn(), nn.utils.parametrizations.spectral_norm(nn.Linear(5, 5))))
    network[0][3].eval()
    network[0][0].requires_grad_(False)
    handle = network[0][0].register_forward_hook(lambda *_: None)
    before = copy.deepcopy(network.state_dict())
    modes, hooks = [part.training for part in network.modules()], hooks_of(network)
    given = IMAGES.clone()
    audit(network, IMAGES)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [part.training for part in network.modules()] == modes
    assert hooks_of(network) == hooks
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [parameter.requires_grad for parameter in network[0][0].parameters()] == [False, False]
    assert torch.equal(IMAGES, given)
    handle.remove()


def passes_of(network, X, **arguments):
    """Return the number of forward passes after the reading on two samples."""
    rows = []
    network.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    audit(network, X, **arguments)
    # The reading runs without hooks of users.
    return sum(rows) / min(len(X), arguments.get("max_samples", 256))


def test_less_than_two_forward_passes():
    plain = build(lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 5)))
    assert passes_of(plain, batch(30, 8)) == pytest.approx(4 / 3)
    assert passes_of(plain, batch(300, 8), max_samples=90) <= 2
    assert passes_of(cnn(), IMAGES) < 2


def test_a_healthy_network():
    result = audit(cnn(), IMAGES)
    assert isinstance(result, Audit)
    assert result.findings().empty
    assert result.exit_code == 0
    assert str(result) == "No faults were found. Not checked: padding leak."
    assert repr(result) == "Audit(findings: 0, faults among them: 0; see findings() and not_checked)"


def test_faults_come_before_notes():
    network = build(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 2, 16, batch_first=True), 2))
    result = audit(network, batch(8, 5, 32))
    found = result.findings()
    assert found.columns.tolist() == list(Finding._fields)
    assert found["kind"].tolist() == ["cloned", "packed", "packed"]
    assert found["decides"].tolist() == [True, False, False]
    assert result.exit_code == 1
    assert str(result).startswith("The network has faults: cloned. 2 layers begin as exact copies of one another")


def test_notes_alone_are_no_faults():
    network = build(lambda: nn.TransformerEncoderLayer(32, 2, 16, batch_first=True))
    result = audit(network, batch(8, 5, 32))
    assert str(result) == "No faults were found. Noted: packed. Not checked: initial scale and padding leak."
    assert result.exit_code == 0


def test_without_x_the_weights_are_checked_and_the_rest_is_listed():
    result = audit(faulty())
    assert result.findings()["kind"].tolist() == ["cloned"]
    frame = result.not_checked
    assert frame.columns.tolist() == ["check", "why"]
    checks = {"initial scale", "constant output", "batch leak", "padding leak", "unscaled input"}
    assert set(frame["check"]) == checks
    assert set(frame["why"]) == {"no samples are given"}


def test_x_in_any_form():
    X = batch(12, 8)
    loader = DataLoader(TensorDataset(X, torch.arange(12) % 3), batch_size=12)
    named = {"x": X, "labels": torch.arange(12) % 3}
    forms = [X, X.numpy(), X.tolist(), (X,), named, loader, iter([X]), TensorDataset(X)]
    found = [audit(faulty(), form).findings() for form in forms]
    assert found[0]["kind"].tolist() == ["cloned", "batch leak"]
    assert all(frame.equals(found[0]) for frame in found)


def test_samples_are_drawn_by_the_seed():
    X = torch.cat([batch(10, 8), 1e4 * batch(1, 8)])
    network = build(lambda: nn.Linear(8, 3))
    found = [len(audit(network, X, max_samples=2, random_state=seed).findings()) for seed in range(10)]
    assert {0} < set(found)
    assert found == [len(audit(network, X, max_samples=2, random_state=seed).findings()) for seed in range(10)]


def test_estimators():
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((16,), max_epochs=1, random_state=0)
    with pytest.raises(ModuleError, match="MLPClassifier has no network yet"):
        audit(clf, X)
    with pytest.raises(ModuleError, match="no network yet"):
        audit(make_pipeline(StandardScaler(), clf), X)
    clf.fit(X / 16, y)
    assert audit(clf, X / 16).exit_code == 0
    assert audit(clf, X).findings()["kind"].tolist() == ["unscaled input"]
    # The steps of a pipeline scale X before the network gets it.
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((16,), max_epochs=1, random_state=0)).fit(X, y)
    assert audit(pipeline, X).exit_code == 0


def scaled():
    return make_pipeline(StandardScaler(), MLPClassifier((16,), max_epochs=1, random_state=0))


def search(estimator, name, **arguments):
    return GridSearchCV(estimator, {name: ["he_normal", "orthogonal"]}, cv=2, **arguments)


SEARCHES = {
    "of a network": lambda: search(MLPClassifier((16,), max_epochs=1, random_state=0), "initializer"),
    "of a pipeline": lambda: search(scaled(), "mlpclassifier__initializer"),
    "random": lambda: RandomizedSearchCV(scaled(), {"mlpclassifier__initializer": ["he_normal"]}, n_iter=1, cv=2),
    "in a pipeline": lambda: make_pipeline(StandardScaler(), search(scaled(), "mlpclassifier__initializer")),
    "a pipeline in a pipeline": lambda: make_pipeline(StandardScaler(), scaled()),
}


@pytest.mark.parametrize("function", [audit, inspect_activations])
@pytest.mark.parametrize("name", SEARCHES)
def test_searches_and_pipelines(function, name):
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    model = SEARCHES[name]()
    with pytest.raises(
        ModuleError, match=r"(GridSearchCV|RandomizedSearchCV|MLPClassifier) (has no network|is not fitted)"
    ):
        function(model, X)
    model.fit(X, y)
    frame = function(model, X).findings() if function is audit else function(model, X).to_frame()
    last = innermost(model)
    # The steps before the network are those of the fit.
    scale = getattr(model, "best_estimator_", model)
    given = scale[:-1].transform(X) if hasattr(scale, "steps") else X
    if name in ("in a pipeline", "a pipeline in a pipeline"):
        given = scale[:-1].transform(X)
        given = getattr(scale[-1], "best_estimator_", scale[-1])[:-1].transform(given)
    expected = function(last, given)
    assert frame.equals(expected.findings() if function is audit else expected.to_frame())


def test_a_fitted_pipeline_uses_its_own_steps():
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), scaled()).fit(X, y)
    # Steps that were fitted to these samples would scale them to the size of the first ones.
    assert "unscaled input" in audit(model, 1000 * X[:50] + 1e5).findings()["kind"].tolist()


def test_estimators_without_a_network_of_their_own():
    bagging, regression = BaggingClassifier(MLPClassifier((4,))), LogisticRegression()
    for estimator, name in (
        (bagging, "Bagging.*"),
        (regression, "Logistic.*"),
        (search(regression, "C"), "Logistic.*"),
    ):
        with pytest.raises(ModuleError, match=rf"^{name} has no network \(allowed: a torch.nn.Module"):
            audit(estimator, IMAGES)
    with pytest.raises(ModuleError, match="MLPClassifier is a class"):
        audit(MLPClassifier, IMAGES)


def test_all_mistakes_in_one_message():
    with pytest.raises(InvalidParameterError, match=r"audit: max_samples=1 .* random_state='x' is not allowed"):
        audit(cnn(), IMAGES, max_samples=1, random_state="x")
    with pytest.raises(ModuleError, match="forward pass of Sequential failed at layer '0'"):
        audit(cnn(), batch(4, 8))
    tokens = torch.zeros(4, 3, dtype=torch.long)
    tokens[2:] = 10
    table = build(lambda: nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 2)))
    # The two samples that are read are in the vocabulary.
    with pytest.raises(ModuleError, match=r"fails in layer '0' \(Embedding\).*index out of range"):
        audit(table, tokens)
    with pytest.raises(ModuleError, match="no samples"):
        audit(cnn(), IMAGES[:0])
    with pytest.raises(ModuleError, match="is not allowed"):
        audit("network")


@pytest.mark.parametrize("language", ["en", "id"])
def test_report(language, tmp_path):
    result = audit(faulty(), batch(12, 8))
    page = result.to_html(language=language)
    title = {"en": "Audit of a network", "id": "Audit jaringan"}[language]
    assert f'<html lang="{language}">' in page
    assert title in page
    assert title in result.to_markdown(language=language)
    content = json.loads(result.to_json(language=language))
    assert content["kind"] == "audit"
    assert [section["key"] for section in content["sections"]] == ["answer", "findings", "not_checked", "run"]
    assert result.to_html(tmp_path / "audit.html").read_text() == result.to_html()
    assert "iframe" in result._repr_html_()


def test_reasons_are_translated():
    page = audit(cnn()).to_markdown(language="id")
    assert "no samples are given" not in page
    assert "sampel tidak diberikan" in page


def test_every_finding_has_a_sentence_and_advice():
    frame = describe_findings(audit(faulty(), batch(12, 8)))
    assert frame["evidence"].tolist()[0] == "2 layers begin as exact copies of one another: layers.0, layers.2."
    assert (frame["advice"].str.len() > 20).all()
    without_names = build(lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)))
    without_names[1].load_state_dict(without_names[0].state_dict())
    frame = describe_findings(audit(without_names))
    assert frame["evidence"].tolist()[0] == "2 layers begin as exact copies of one another: layers 0-1."


def test_it_is_public():
    assert initsk.audit is audit
    assert "audit" in initsk.__all__
