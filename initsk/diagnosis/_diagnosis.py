"""The result of a diagnosis: score, findings, trial and learning rates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, nan
from typing import Any

import numpy as np
import pandas as pd
import torch

from initsk.diagnosis._depth_budget import DepthBudget
from initsk.diagnosis._find import find
from initsk.diagnosis._large_weights import large_weights
from initsk.diagnosis._learning_rates import (
    RateRange,
    further_rates,
    range_of,
    rates_around,
    rates_frame,
    rates_outward,
)
from initsk.diagnosis._measurements import Measurements
from initsk.diagnosis._options import TRIAL_STEPS
from initsk.diagnosis._recommend import Recommendation, recommend
from initsk.diagnosis._score import contributions_frame
from initsk.diagnosis._setup import Outcome, TrainingSetup
from initsk.diagnosis._trial import TRIAL_COLUMNS
from initsk.diagnosis._unreached import Unreached
from initsk.exceptions import InitskError
from initsk.inspection import ActivationSummary, Finding, findings_frame
from initsk.utils.cached import cached_property
from initsk.utils.results import Reported
from initsk.utils.validation import check_parameters, real, sequence_of

# How often more learning rates are tried at the ends of a range.
_MAX_EXTENSIONS = 2


@dataclass(repr=False, eq=False)
class Diagnosis(Reported):
    """Whether a network will train, and what prevents it; made by `diagnose`.

    The diagnosis keeps a copy of the network at its start, so that `learning_rates` and `recommended_score` do not
    depend on what happens to the network later.

    Parameters
    ----------
    setup : TrainingSetup
        The network at its start, and how it is to be trained.
    measurements : Measurements
        Values measured at the start.
    outcome : Outcome
        The trial and what the score is made of.
    settings : dict
        Of the model, the samples and the trial, for the report; see `initsk.network.describe_model`.

    Attributes
    ----------
    score : float
        Estimated probability, from 0 to 1, that the loss is below `target` times the baseline loss after `budget`
        steps.
    will_train : bool
        Whether the score is at least 0.5.
    is_trained : bool
        Whether the loss is below `target` times the baseline loss before the first step.
    inputs_reach_target : bool
        Whether the inputs, as outputs, have a loss below `target` times the baseline loss, as for an autoencoder or a
        denoiser.
    lr : float
        Learning rate of the training; if groups of parameters have different ones, that of the first group whose rate
        is above 0.
    group_rates : list of float
        Learning rates of the optimizer's groups of parameters, in their order.
    budget : int
        Steps of the training.
    target : float
        Loss, relative to the baseline loss, at which training has succeeded.
    trial : DataFrame
        A row per step of the trial: ``step``, ``loss``, ``gradient_norm``, ``update_ratio``; empty without a trial.
    recommendation : Recommendation or None
        Initializers that suit the network; None if it cannot be read.
    recommended_score : float
        The score of a copy with the recommended initializers, measured on first use; NaN without a recommendation, or
        if the time is up.
    loss, baseline_loss : float
        Loss at the start, and loss of the best constant prediction (NaN if it is not known, or has no lower bound).
    depth : DepthBudget or None
        Depth relative to the depth scales of mean field theory, for a plain chain of layers.
    recommended_depth : DepthBudget or None
        The same for a copy with the recommended initializers, measured on first use; None if the time is up.
    inspection : ActivationSummary
        Statistics of every layer at the start.
    exit_code : int
        0 if `will_train`, otherwise 1: the exit code of ``initsk diagnose``.
    """

    setup: TrainingSetup
    measurements: Measurements
    outcome: Outcome
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"Diagnosis(score={self.score:.2f}, will_train={self.will_train}; see findings())"

    def __str__(self) -> str:
        return self.answer()

    @property
    def score(self) -> float:
        """Estimated probability that training succeeds."""
        return self.outcome.score

    @property
    def will_train(self) -> bool:
        """Whether the score is at least 0.5."""
        return self.score >= 0.5

    @property
    def is_trained(self) -> bool:
        """Whether the loss is below `target` times the baseline loss before the first step."""
        return self.measurements.relative_loss < self.target

    @property
    def inputs_reach_target(self) -> bool:
        """Whether the inputs, as outputs, have a loss below `target` times the baseline loss."""
        return self.measurements.loss_of_inputs < self.target * self.measurements.baseline_loss

    @property
    def exit_code(self) -> int:
        """0 if `will_train`, otherwise 1."""
        return 0 if self.will_train else 1

    @property
    def lr(self) -> float:
        """Learning rate of the training, of the first group of parameters whose rate is above 0."""
        return self.setup.plan.rate()

    @property
    def group_rates(self) -> list[float]:
        """Learning rates of the optimizer's groups of parameters."""
        return self.setup.plan.rates()

    @property
    def optimizer(self) -> str:
        """Name of the optimizer's class."""
        return self.setup.plan.kind.__name__

    @property
    def is_adaptive(self) -> bool:
        """Whether the optimizer is Adam or similar."""
        return self.setup.plan.is_adaptive

    @property
    def budget(self) -> int:
        """Steps of the training."""
        return self.setup.budget

    @property
    def target(self) -> float:
        """Loss, relative to the baseline loss, at which training has succeeded."""
        return self.setup.target

    @property
    def inspection(self) -> ActivationSummary:
        """Statistics of every layer at the start."""
        return self.measurements.summary

    @property
    def depth(self) -> DepthBudget | None:
        """Depth relative to the depth scales of mean field theory."""
        return self.measurements.depth

    @property
    def loss(self) -> float:
        """Loss at the start."""
        return self.measurements.coherence.loss

    @property
    def baseline_loss(self) -> float:
        """Loss of the best constant prediction."""
        return self.setup.baseline_loss

    @property
    def trial(self) -> pd.DataFrame:
        """A row per step of the trial."""
        if self.outcome.trial is None:
            return pd.DataFrame(columns=list(TRIAL_COLUMNS)).astype("float64")
        return self.outcome.trial.to_frame()

    @property
    def trial_status(self) -> str:
        """How the trial ended: "finished", "diverged", "time" (it was up), or "none"."""
        return "none" if self.outcome.trial is None else self.outcome.trial.status

    @property
    def is_time_up(self) -> bool:
        """Whether `time_limit` is used up; never without a limit."""
        return self.setup.clock.left <= 0

    @cached_property
    def after_trial(self) -> Measurements | None:
        """Values measured after the trial; None without one, if it diverged, or if the time is up."""
        if self.outcome.module is None or self.outcome.after is None or self.is_time_up:
            return None
        model = replace(self.setup.model, module=self.outcome.module)
        return replace(self.setup, model=model).measure()

    @cached_property
    def unreached(self) -> list[Unreached]:
        """Layers that got no gradient in the trial, or that the optimizer does not have."""
        return [] if self.outcome.trial is None else self.setup.unreached(self.outcome.trial)

    @cached_property
    def recommendation(self) -> Recommendation | None:
        """Initializers that suit the network."""
        try:
            return recommend(self.setup)
        except InitskError:
            return None

    @cached_property
    def recommended_score(self) -> float:
        """The score of a copy with the recommended initializers."""
        if self.is_time_up:
            return nan
        try:
            return self.setup.reinitialized("auto").outcome().score
        except InitskError:
            return nan

    @cached_property
    def recommended_depth(self) -> DepthBudget | None:
        """`depth` of a copy of the network with the recommended initializers."""
        if self.depth is None or self.is_time_up:
            return None
        try:
            return self.setup.reinitialized("auto").depth()
        except InitskError:
            return None

    def findings(self) -> pd.DataFrame:
        """Return a row for each finding; those that keep the network from training come first.

        `initsk.report.describe_findings` puts the findings into sentences and gives advice.

        Returns
        -------
        DataFrame
            ``layer`` ("" for the whole network), ``kind``, ``value``, ``threshold`` (float64), ``decides`` (whether
            the finding keeps the network from training; never if the score is at least 0.5), ``of``,
            ``relative_to``; ``what``, which samples or losses are not finite; see `initsk.inspection.Finding`.
        """
        kind = "adaptive" if self.is_adaptive else "gradient"
        setup = self.setup
        found = find(
            self.measurements, kind, self.outcome, self.after_trial, setup.samples, self.unreached, setup.objective,
            self._large_weights, is_trained=self.is_trained,
        )  # fmt: skip
        return findings_frame(found)

    @property
    def _large_weights(self) -> list[Finding]:
        """Weights that are larger than recommended; none if training succeeds with them."""
        if self.will_train or self.recommendation is None:
            return []
        return large_weights(self.setup.model.module, self.recommendation)

    def contributions(self) -> pd.DataFrame:
        """Return what the score is made of: a row per feature, the largest contributions first.

        Returns
        -------
        DataFrame
            ``feature``; ``value`` (losses are natural logarithms relative to the baseline or the target, sizes are
            decimal logarithms); ``contribution`` to the log-odds of success (float64).
        """
        return contributions_frame(self.outcome.score_model, self.outcome.features)

    def learning_rates(self, rates: Sequence[float] | None = None) -> pd.DataFrame:
        """Return the scores of trials at several learning rates.

        A network that trains at another rate is told from one that trains at none.

        Parameters
        ----------
        rates : sequence of float, optional
            Of the same group of parameters as `lr`; the rates of other groups keep their ratio to it. By default nine
            rates, from a hundredth to a hundred times `lr`; if none works, further ones as long as the steps are too
            large or too small; and up to eight more at the ends, where the range that works may go on.

        Returns
        -------
        DataFrame
            A row per rate that was tried: ``lr``, ``score``, ``loss`` (the mean of the last quarter of the first
            `trial_steps` steps; infinite if the trial diverged, NaN if the time was up earlier), ``relative_loss`` (to
            the baseline), ``steps`` (int64; all that the trial took, which are more where the score was uncertain),
            ``status``, ``works`` (whether the score is at least 0.5).

        Raises
        ------
        InvalidParameterError
            If `rates` is no list of positive numbers.
        """
        if rates is not None:
            given = rates.tolist() if isinstance(rates, np.ndarray | torch.Tensor | pd.Series) else rates
            allowed = sequence_of(real(above=0), "a list of numbers > 0, at least one")
            check_parameters("learning_rates", {"rates": given or None}, {"rates": allowed})
            return self._at_rates(given)
        tried = rates_around(self.lr)
        frame = self._at_rates(tried)
        while more := [] if self.is_time_up else rates_outward({rate: self._outcomes[rate] for rate in frame["lr"]}):
            tried += more
            frame = self._at_rates(tried)
        for _ in range(_MAX_EXTENSIONS):
            tried += further_rates(self._at_rates(tried))
        return self._at_rates(tried)

    @cached_property
    def _outcomes(self) -> dict[float, Outcome]:
        """The outcome at each learning rate that was tried."""
        return {} if self.outcome.trial is None else {self.lr: self.outcome}

    def _at_rates(self, rates: Sequence[float]) -> pd.DataFrame:
        """Return the frame of some rates; a trial at each rate is carried out once."""
        known = self._outcomes
        # A diagnosis without a trial has none at its own rate either.
        setup = replace(self.setup, trial_steps=self.setup.trial_steps or TRIAL_STEPS)
        # The nearest rates first, for the case that the time is up before all are tried.
        for rate in sorted(set(rates) - known.keys(), key=lambda rate: abs(log(rate / self.lr))):
            if not known or not self.is_time_up:
                known[rate] = setup.run(self.measurements.coherence, rate).without_module()
        tried = {rate: known[rate] for rate in sorted(set(rates) & known.keys())}
        return rates_frame(tried, self.baseline_loss, setup.first_steps)

    @cached_property
    def rate_range(self) -> RateRange:
        """The range of learning rates at which the network would train, from the default `learning_rates`."""
        return range_of(self.learning_rates(), self.lr)
