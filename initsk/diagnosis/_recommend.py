"""Recommended initializers for the layers of a network."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd
from torch import nn

from initsk import initializers
from initsk.diagnosis._options import check_options
from initsk.diagnosis._practice import common_practice
from initsk.diagnosis._rate_advice import rate_advice
from initsk.diagnosis._samples import MIN_SAMPLES, count_rows
from initsk.diagnosis._setup import TrainingSetup, set_up
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.initialization import choices_for
from initsk.initializers import initializer_name
from initsk.network import (
    Batch,
    Model,
    ParameterSpec,
    arrays_in,
    borrowed,
    describe_model,
    first_batch,
    has_targets,
    name_of_loss,
    read,
)
from initsk.text import visible
from initsk.utils.global_state import one_at_a_time
from initsk.utils.precision import describe_not_finite
from initsk.utils.random import RandomState, resolve_seed
from initsk.utils.reason import Reason
from initsk.utils.results import Reported
from initsk.utils.torch_settings import outside_of_contexts
from initsk.utils.words import counted

#: The initializers that a recommendation is compared with.
CANDIDATES = ("auto", "torch_default", "glorot_uniform", "he_normal", "lecun_normal", "orthogonal", "edge_of_chaos")
_LIKELY = 0.5
# Scores of one trial each that differ by less may change places with another seed.
_CLEAR = 0.2
_MEASURED = ["initializer", "score", "trial_loss", "steps", "gradient_size", "agreement", "loss"]


def compare_candidates(setup: TrainingSetup) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a row per candidate, the one with the highest score first, and those for which there was no time.

    An error with the first candidate, "auto", comes from the network or the data and is raised. Other candidates that
    fail are left out.
    """
    rows: list[tuple[Any, ...]] = []
    not_tried: tuple[str, ...] = ()
    for place, name in enumerate(CANDIDATES):
        if rows and setup.clock.left <= 0:
            not_tried = CANDIDATES[place:]
            break
        try:
            other = setup.reinitialized(name)
            coherence = other.coherence()
            outcome = other.outcome(coherence)
        except InitskError:
            if not rows:
                raise
            continue
        trial = outcome.trial
        assert trial is not None
        if rows and trial.status == "time":
            not_tried = CANDIDATES[place:]
            break
        reached = trial.loss_after(setup.first_steps)
        rows.append((name, outcome.score, reached, trial.n_steps, coherence.size, coherence.agreement, coherence.loss))
    frame = pd.DataFrame(rows, columns=_MEASURED)
    return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True), not_tried


class Advice(NamedTuple):
    """The recommendation for a parameter, or a gate or projection stacked in it; a row of `Recommendation.to_frame`."""

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
        Given samples, a row per initializer that was tried on them, the highest score first: ``initializer``; ``score``
        as in `Diagnosis`; ``trial_loss`` and ``steps`` as ``loss`` and ``steps`` in `Diagnosis.learning_rates`;
        ``gradient_size``, ``agreement`` and ``loss`` at the start (float64; see
        `initsk.inspection.GradientCoherence`).
    learning_rate : tuple of str
        What is known of the learning rate in networks of this kind, with the source: one sentence each.
    not_tried : tuple of str
        The initializers that were not tried on the samples, because the time limit was reached.
    settings : mapping, optional
        Of the model and the samples, for the report; see `initsk.network.describe_model`.

    Attributes
    ----------
    on_samples : tuple of str
        How the recommendation compares with the other initializers on the given samples. Each score comes from one
        short trial with one seed. Another initializer is named only if its score is higher by at least 0.2, or is at
        least 0.5 while that of the recommended ones is not.
    """

    def __init__(
        self, rows: tuple[Advice, ...], measured: pd.DataFrame | None = None, learning_rate: tuple[str, ...] = (),
        not_tried: tuple[str, ...] = (), settings: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.rows = rows
        self.measured = measured
        self.learning_rate = learning_rate
        self.not_tried = not_tried
        self.settings = dict(settings or {})

    def __repr__(self) -> str:
        return f"Recommendation({counted(len(self.rows), 'parameter')}; see to_frame())"

    def __str__(self) -> str:
        weights = [row for row in self.rows if "." not in row.name or row.name.rpartition(".")[2] != "bias"]
        text = "; ".join(
            f"{initializer} for {', '.join(names)}" for initializer, names in by_initializer(weights).items()
        )
        text = visible(text) or "The network has no weights to initialize."
        return "\n".join([text, *self.on_samples, *self.learning_rate])

    @property
    def on_samples(self) -> tuple[str, ...]:
        """How the recommendation compares with the other initializers on the given samples: one sentence each."""
        if self.measured is None or self.measured.empty:
            return ()
        scores = self.measured.set_index("initializer")["score"]
        best, highest = str(scores.idxmax()), float(scores.max())
        own = float(scores[CANDIDATES[0]])
        sentences = [Reason("On the given samples, the recommended initializers have the score {score}.", score=own)]
        if _is_clearly_higher(highest, own):
            sentences.append(Reason("{best} has a higher one, {score}.", best=best, score=highest))
        if len(scores) > 1:
            sentences.append(
                Reason("Each score comes from one short trial with one seed, so small differences say little.")
            )
        if self.not_tried:
            sentences.append(
                Reason(
                    "Not tried, because the time limit was reached: {names}. A larger limit tries them too.",
                    names=", ".join(self.not_tried),
                )
            )
        if highest < _LIKELY:
            sentences.append(
                Reason(
                    "With none of the initializers that were tried, training is likely to succeed: another learning"
                    " rate or a larger budget may help more than another initializer."
                )
            )
        return tuple(sentences)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per parameter, or per gate or projection that is stacked in it.

        Returns
        -------
        DataFrame
            name, shape, initializer (a name that `get_initializer` takes, or a repr, an expression that makes the
            initializer), why, variance (float64, of the values that it draws; NaN if it depends on more than the
            parameter), reference, common_practice (the usual choice if it differs, otherwise empty).
        """
        return pd.DataFrame(list(self.rows), columns=Advice._fields).astype(Advice.__annotations__)


def _is_clearly_higher(score: float, own: float) -> bool:
    return own < _LIKELY <= score or score - own >= _CLEAR


def by_initializer(rows: Iterable[Advice]) -> dict[str, list[str]]:
    """Return, for each initializer, the names of the parameters for which it is recommended."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.initializer, []).append(row.name)
    return names


@one_at_a_time
def recommend_initializer(
    model: Any, X: Any = None, y: Any = None, *, time_limit: float | None = None, random_state: RandomState = 0
) -> Recommendation:
    """Return the initializer that suits each layer of a network.

    These are the choices of ``initializer="auto"`` (`initsk.initializers.Auto`), with reasons. Given samples, the
    function also compares them with other initializers by the score of `diagnose`, on untrained copies. The model does
    not change.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        A module, or an estimator with one. An unfitted estimator needs `X` and `y`: a clone of it is initialized.
    X, y : array-like, optional
        Samples and targets in any form that `inspect_activations` takes, for an unfitted estimator and for the
        comparison. The comparison needs at least 20 samples, and uses at most 512.
    time_limit : float, optional
        Seconds for the comparison, which takes about as long as seven diagnoses. Initializers for which there is no
        time are left out, and the result names them; "auto" is measured at any rate.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the choice of samples and of the initializers.

    Returns
    -------
    Recommendation

    Raises
    ------
    InvalidParameterError
        If X and y do not fit each other or the network, or hold NaN or infinity that makes the loss not finite.
    ModuleError
        If the model has no module, or a layer that cannot be read.

    Examples
    --------
    >>> from torch import nn
    >>> from initsk import recommend_initializer
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> frame = recommend_initializer(net).to_frame().set_index("name")
    >>> frame.loc["0.weight", ["initializer", "why"]].tolist()
    ['he_orthogonal', 'feeds relu (gain 1.4142)']
    """
    check_options("recommend_initializer", {"time_limit": time_limit, "random_state": random_state})
    with borrowed(model, X, y) as found, outside_of_contexts(found.module):
        recommendation = _recommend(found, X, y, time_limit, random_state)
        recommendation.settings |= describe_model(model, found, X)
        return recommendation


def _recommend(found: Model, X: Any, y: Any, time_limit: float | None, random_state: RandomState) -> Recommendation:
    if X is None:
        return _recommendation(found.module, None, name_of_loss(found.net, None, None))
    X, y = first_batch(found.module, X, y)
    n_samples = count_rows(X)
    if not has_targets(X, y) or (n_samples is not None and n_samples < MIN_SAMPLES):
        return _recommendation(found.module, found.first_rows(X), name_of_loss(found.net, None, None))
    setup = set_up("recommend_initializer", found, X, y, {"time_limit": time_limit}, resolve_seed(random_state))
    if setup.samples.nonfinite and not setup.starts(setup.coherence()):
        parts = arrays_in(X) | ({} if y is None else arrays_in(y, "y"))
        reasons = [reason for name, part in parts.items() if (reason := describe_not_finite(part, name))]
        raise InvalidParameterError("; ".join(reasons))
    without = recommend(setup)
    measured, not_tried = compare_candidates(setup)
    return Recommendation(without.rows, measured, without.learning_rate, not_tried, setup.described())


def recommend(setup: TrainingSetup) -> Recommendation:
    """Return the recommendation for the network of a setup, without a comparison."""
    loss = name_of_loss(setup.model.net, setup.objective.criterion, setup.samples.targets[0])
    return _recommendation(setup.model.module, setup.batches[0], loss)


def _recommendation(module: nn.Module, batch: Batch | None, loss: str) -> Recommendation:
    found: list[Advice] = []
    graph = read(module, batch)
    pairs = choices_for(module, "auto", graph)
    for step, choices in pairs:
        rows = [_advice_for(step.name, *pair, loss) for pair in zip(step.specs, choices, strict=False)]
        # Gates and projections with the same recommendation are one row.
        found += dict.fromkeys(rows)
    return Recommendation(tuple(found), learning_rate=rate_advice(pairs, graph))


def _advice_for(name: str, spec: ParameterSpec, choice: initializers.Choice, loss: str) -> Advice:
    initializer, shape = choice.initializer, " x ".join(map(str, spec.shape))
    expected = initializer.expected_moments(spec)
    variance = float("nan") if expected is None else expected.variance
    why, reference = _why(spec, choice.why, loss), _reference(spec, initializer)
    return Advice(name, shape, initializer_name(initializer), why, variance, reference, common_practice(spec))


def _why(spec: ParameterSpec, why: str, loss: str) -> str:
    if spec.place != "output" or spec.role == "bias" or not loss:
        return why
    return Reason("{first}; with small outputs, {loss} starts near the baseline loss", first=why, loss=loss)


def _reference(spec: ParameterSpec, initializer: initializers.Initializer) -> str:
    """Return the sources; none for biases of zero, and for a normal distribution with our own standard deviation."""
    sources = initializers.Auto.sources(spec)
    unsourced = isinstance(initializer, initializers.RandomNormal | initializers.Zeros)
    if unsourced or (spec.role == "bias" and not initializer.sets_biases):
        return sources
    drawn = initializer.filling if isinstance(initializer, initializers.Scaled) else initializer
    named_with_it = initializers.Orthogonal.reference in drawn.reference
    is_orthogonal = getattr(drawn, "distribution", "") == "orthogonal"
    of_matrix = initializers.Orthogonal.reference if is_orthogonal and not named_with_it else ""
    return "; ".join(part for part in (drawn.reference, of_matrix, sources) if part)
