"""What is usually said or done where theory says otherwise."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from initsk.diagnosis._findings import health, optimizer_kind
from initsk.diagnosis._measurements import (
    MAX_SAMPLES,
    MIN_SAMPLES,
    Measurements,
    as_array,
    some_samples,
    take_measurements,
)
from initsk.exceptions import InitskError
from initsk.initialization import choices_for, initialize
from initsk.initializers import (
    DEEP,
    DepthScaledResidual,
    Initializer,
    InitializerLike,
    RandomNormal,
    Scaled,
    initializer_name,
)
from initsk.language import Sentence, message
from initsk.network import Model, ParameterSpec, get_model
from initsk.theory import activation_label
from initsk.utils.random import RandomState, resolve_seed
from initsk.utils.results import Reported

_AS_FOR_RELU = message("He's 2 / fan_in, as for ReLU: lengths shrink layer by layer")
_BY_ACTIVATION = {
    "tanh": message("torch's gain of 5/3 (1.67): signals stay larger, gradients explode with depth"),
    "sigmoid": message("Xavier at any depth: beyond two or three layers all samples become alike"),
    "selu": message("torch's gain of 3/4: lengths shrink; the function keeps them with gain 1 (Klambauer et al. 2017)"),
    "gelu": _AS_FOR_RELU,
    "silu": _AS_FOR_RELU,
    "mish": _AS_FOR_RELU,
    "swish": _AS_FOR_RELU,
}
_DEEP = message("He's normal law at any depth: single draws scatter more, with the sum of 5 / width")
_BRANCH = message("the same as elsewhere: lengths double with each branch; or zeros (Goyal et al. 2017; Fixup)")
_STACK = message("N(0, 0.02^2), whatever the width (BERT, GPT-2)")
_EMBEDDING = message("N(0, 1), torch's default: larger than what the layers after it are made for")
_RECURRENT = message("U(-1 / sqrt(h), 1 / sqrt(h)), torch's default: states fade sooner")
_OUTPUT = message("zeros, or Keras's Glorot uniform: both start near the loss of guessing as well")


def common_practice(spec: ParameterSpec) -> str:
    """Return what is usually done with a spec, where that is something else; otherwise an empty text."""
    said = "" if spec.role == "bias" else _of_weight(spec)
    return Sentence(said) if said else ""


def _of_weight(spec: ParameterSpec) -> str:
    if spec.kind in ("recurrent", "embedding"):
        return _RECURRENT if spec.kind == "recurrent" else _EMBEDDING
    if spec.stack is not None:
        return _STACK
    if spec.branch is not None and spec.branch.adds_up:
        return _BRANCH
    if spec.activation is None:
        return _OUTPUT if spec.place == "output" else ""
    label = activation_label(spec.activation)
    if label in _BY_ACTIVATION:
        return _BY_ACTIVATION[label]
    return _DEEP if label.endswith("relu") and spec.n_hidden >= DEEP else ""


#: What a recommendation is measured against.
CANDIDATES = ("auto", "torch_default", "glorot_uniform", "he_normal", "lecun_normal", "orthogonal", "edge_of_chaos")
DTYPES = {
    "initializer": "str", "score": "float64", "weakest": "str", "gradient_size": "float64", "agreement": "float64",
    "loss": "float64",
}  # fmt: skip


def reinitialized(model: Model, initializer: InitializerLike, seed: int) -> Model:
    """Return the model with a copy of its module, reinitialized otherwise."""
    module = copy.deepcopy(model.module)
    initialize(module, initializer, random_state=seed)
    return replace(model, module=module)


def measure(model: Model, X: Any, y: Any, kind: str, seed: int) -> pd.DataFrame:
    """Return a row per initializer, the healthiest first.

    Errors of "auto" are the network's and the data's, and are raised; others that fail are left out.
    """
    rows = [_row(CANDIDATES[0], take_measurements(reinitialized(model, CANDIDATES[0], seed), X, y, seed), kind)]
    for name in CANDIDATES[1:]:
        try:
            measurements = take_measurements(reinitialized(model, name, seed), X, y, seed)
        except InitskError:
            continue
        rows.append(_row(name, measurements, kind))
    frame = pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)
    return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _row(name: str, measurements: Measurements, kind: str) -> tuple[str, float, str, float, float, float]:
    found = health(measurements, kind)
    weakest = min(found, key=found.__getitem__)
    coherence = measurements.coherence
    return name, found[weakest], weakest, coherence.size, coherence.agreement, coherence.loss


_DTYPES = {
    "name": "str", "shape": "str", "initializer": "str", "why": "str", "variance": "float64", "reference": "str",
    "common_practice": "str",
}  # fmt: skip


class Advice(NamedTuple):
    """What is recommended for one parameter, or for one gate or projection that is stacked in it."""

    name: str
    shape: str
    initializer: str
    why: str
    variance: float
    reference: str
    common_practice: str = ""


class Recommendation(Reported):
    """An initializer for each layer of a network; made by `recommend_initializer`.

    Parameters
    ----------
    rows : tuple of Advice
        In the module's order.
    measured : DataFrame or None
        Where samples were given, a row per initializer that was tried on them, the healthiest first: ``initializer``;
        ``score`` as in `Diagnosis`; ``weakest``, the verdict that it is the score of; ``gradient_size``,
        ``agreement`` and ``loss`` (float64; see `initsk.inspection.GradientCoherence`).
    """

    def __init__(self, rows: tuple[Advice, ...], measured: pd.DataFrame | None = None) -> None:
        self.rows = rows
        self.measured = measured

    def __repr__(self) -> str:
        return f"Recommendation({len(self.rows)} parameters; see to_frame())"

    def __str__(self) -> str:
        weights = [row for row in self.rows if "." not in row.name or row.name.rpartition(".")[2] != "bias"]
        return "; ".join(
            f"{initializer} for {', '.join(names)}" for initializer, names in by_initializer(weights).items()
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row per parameter, or per gate or projection that is stacked in it.

        Returns
        -------
        DataFrame
            name, shape, initializer (a name or repr that `get_initializer` knows or that can be called), why,
            variance (float64, of the values that it draws; NaN where that depends on more), reference, common_practice (what
            is usually done where that is something else, otherwise empty).
        """
        return pd.DataFrame(list(self.rows), columns=list(_DTYPES)).astype(_DTYPES)


def by_initializer(rows: Iterable[Advice]) -> dict[str, list[str]]:
    """Return the names of the parameters that each initializer is recommended for."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.initializer, []).append(row.name)
    return names


def recommend_initializer(model: Any, X: Any = None, y: Any = None, *, random_state: RandomState = 0) -> Recommendation:
    """Read a network, and return which initializer suits each of its layers.

    It is what ``initializer="auto"`` does, with reasons: `initsk.initializers.Auto`. With samples it is also measured
    against other initializers, on copies and before training, as `diagnose` does. The model stays as it is.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        A module, or what carries one; an unfitted estimator is built on a clone, for which it needs `X` and `y`.
    X, y : array-like, optional
        To build an unfitted estimator and, from 20 samples on, to measure: 512 of them are drawn.
    random_state : int, RandomState or Generator, default=0
        Of the samples and of what is tried.

    Returns
    -------
    Recommendation

    Raises
    ------
    InvalidParameterError
        If X and y do not fit each other or the network.
    ModuleError
        If the model carries no module, or has a layer that cannot be read.

    Examples
    --------
    >>> from torch import nn
    >>> from initsk import recommend_initializer
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> print(recommend_initializer(net))
    glorot_uniform for 0.weight; lecun_normal for 2.weight
    """
    found = get_model(model, X, y)
    rows = tuple(_advice(found.module, _loss(found, y)))
    if X is None or y is None or len(y) < MIN_SAMPLES:
        return Recommendation(rows)
    seed = resolve_seed(random_state)
    some = some_samples(X, y, MAX_SAMPLES, seed)
    return Recommendation(rows, measure(found, *some, optimizer_kind(getattr(found.net, "optimizer_", None)), seed))


def _loss(model: Model, y: Any) -> str:
    """Return the name of the loss: the estimator's, or the one that is meant for such targets; "" if nobody knows."""
    criterion = getattr(model.net, "criterion_", None)
    if criterion is not None:
        return type(criterion).__name__
    if y is None:
        return ""
    return "MSELoss" if as_array(y).dtype.kind == "f" else "CrossEntropyLoss"


def _advice(module: Any, loss: str) -> Iterator[Advice]:
    for step, choices in choices_for(module, "auto"):
        # Gates and projections that get the same are one line.
        told = set()
        for spec, choice in zip(step.specs, choices, strict=False):
            expected = choice.initializer.expected_moments(spec)
            row = Advice(
                step.name,
                " x ".join(map(str, spec.shape)),
                initializer_name(choice.initializer),
                _why(spec, choice.why, loss),
                float("nan") if expected is None else expected.variance,
                _reference(spec, choice.initializer),
                common_practice(spec),
            )
            if row not in told:
                told.add(row)
                yield row


def _why(spec: ParameterSpec, why: str, loss: str) -> str:
    if spec.place != "output" or spec.role == "bias" or not loss:
        return why
    return Sentence(message("{first}; small outputs let {loss} start near that of guessing"), first=why, loss=loss)


def _reference(spec: ParameterSpec, initializer: Initializer) -> str:
    """Return who says so: nobody for biases of zero; and of a free law, the paper is about another number."""
    if isinstance(initializer, RandomNormal) or (spec.role == "bias" and not initializer.sets_biases):
        return ""
    if isinstance(initializer, Scaled):
        # Branches add up: the factor has a source of its own.
        return f"{initializer.filling.reference}; {DepthScaledResidual.reference}"
    return initializer.reference
