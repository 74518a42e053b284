"""Which initializer suits each layer, why, and who says so."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from initsk.advice._folklore import folklore
from initsk.advice._limits import optimizer_kind
from initsk.advice._measure import measure
from initsk.advice._vitals import FEWEST_SAMPLES, MOST_SAMPLES, as_array, some_samples
from initsk.initializers import DepthScaledResidual, Initializer, RandomNormal, Scaled, Site, initializer_name
from initsk.inspection import Model, get_model
from initsk.modules import choices_for
from initsk.utils._language import Sentence, message
from initsk.utils._random import RandomState, resolve_seed
from initsk.utils._reported import Reported

_DTYPES = {
    "name": "str", "shape": "str", "initializer": "str", "why": "str", "variance": "float64", "reference": "str",
    "folklore": "str",
}  # fmt: skip


class Advice(NamedTuple):
    """What is recommended for one parameter, or for one gate or projection that is stacked in it."""

    name: str
    shape: str
    initializer: str
    why: str
    variance: float
    reference: str
    folklore: str = ""


class Recommendation(Reported):
    """An initializer for each layer of a network; made by `recommend_initializer`.

    Parameters
    ----------
    rows : tuple of Advice
        In the module's order.
    measured : DataFrame or None
        Where samples were given, a row per initializer that was tried on them, the healthiest first: ``initializer``;
        ``score`` as in `Diagnosis`; ``weakest``, the verdict that it is the score of; ``gradient_size``,
        ``agreement`` and ``loss`` (float64; see `initsk.inspection.TeachingSignal`).
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
            variance (float64, of the values that it draws; NaN where that depends on more), reference, folklore (what
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
    """Read a network, and say which initializer suits each of its layers.

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
    if X is None or y is None or len(y) < FEWEST_SAMPLES:
        return Recommendation(rows)
    seed = resolve_seed(random_state)
    some = some_samples(X, y, MOST_SAMPLES, seed)
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
        for site, choice in zip(step.sites, choices, strict=False):
            promise = choice.initializer.promise(site)
            row = Advice(
                step.name,
                " x ".join(map(str, site.shape)),
                initializer_name(choice.initializer),
                _why(site, choice.why, loss),
                float("nan") if promise is None else promise.variance,
                _reference(site, choice.initializer),
                folklore(site),
            )
            if row not in told:
                told.add(row)
                yield row


def _why(site: Site, why: str, loss: str) -> str:
    if site.place != "output" or site.role == "bias" or not loss:
        return why
    return Sentence(message("{first}; small outputs let {loss} start near that of guessing"), first=why, loss=loss)


def _reference(site: Site, initializer: Initializer) -> str:
    """Return who says so: nobody for biases of zero; and of a free law, the paper is about another number."""
    if isinstance(initializer, RandomNormal) or (site.role == "bias" and not initializer.sets_biases):
        return ""
    if isinstance(initializer, Scaled):
        # Branches add up: the factor has a source of its own.
        return f"{initializer.filling.reference}; {DepthScaledResidual.reference}"
    return initializer.reference
