"""Audit of a network: checks that need no targets, in less than two forward passes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch

from initsk.diagnosis._audit_draws import find_packed, find_untruncated
from initsk.diagnosis._audit_inputs import find_in_inputs
from initsk.diagnosis._audit_leaks import find_leaks
from initsk.diagnosis._audit_outputs import find_in_outputs
from initsk.diagnosis._audit_subject import CheckResult, NoScoresError, NotChecked, Subject, make_subject, not_checked
from initsk.diagnosis._audit_weights import find_clones, find_unset
from initsk.exceptions import ModuleError
from initsk.inspection import Finding, findings_frame
from initsk.network import PaddingMask, borrowed, describe_model, innermost, is_unbuilt, preserve_state
from initsk.utils.global_state import one_at_a_time
from initsk.utils.random import RandomState, check_random_state, resolve_seed
from initsk.utils.reason import Reason
from initsk.utils.results import Reported
from initsk.utils.torch_settings import outside_of_contexts
from initsk.utils.validation import check_parameters, integer, resolved_by

_OF_OUTPUTS = ("initial scale", "constant output", "batch leak", "padding leak")


@dataclass(frozen=True, repr=False, eq=False)
class Audit(Reported):
    """The findings of an audit, and the checks that it could not make; made by `audit`.

    Parameters
    ----------
    found : tuple of Finding
        The findings; those that decide come first.
    unchecked : tuple of NotChecked
        The checks that could not be made, and why.
    settings : dict
        Of the model and the samples, for the report; see `initsk.network.describe_model`.

    Attributes
    ----------
    exit_code : int
        1 if a finding decides, which means that it is a fault; otherwise 0: the exit code of ``initsk audit``.
    not_checked : DataFrame
        A row for each check that could not be made: ``check`` (a kind of finding) and ``why``.
    """

    found: tuple[Finding, ...]
    unchecked: tuple[NotChecked, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        faults = sum(finding.decides for finding in self.found)
        return f"Audit(findings: {len(self.found)}, faults among them: {faults}; see findings() and not_checked)"

    def __str__(self) -> str:
        return self.answer()

    @property
    def exit_code(self) -> int:
        """1 if a finding decides, otherwise 0."""
        return int(any(finding.decides for finding in self.found))

    @property
    def not_checked(self) -> pd.DataFrame:
        """A row for each check that could not be made, and why."""
        rows = [(check, str(why)) for check, why in self.unchecked]
        return pd.DataFrame(rows, columns=list(NotChecked._fields)).astype("str")

    def findings(self) -> pd.DataFrame:
        """Return a row for each finding; faults come first.

        `initsk.report.describe_findings` puts the findings into sentences and gives advice.

        Returns
        -------
        DataFrame
            ``layer`` ("" for the whole network; names of copies, such as "layers.0-5"; for inputs the name of the
            array), ``kind``, ``value``, ``threshold`` (float64), ``decides`` (whether the finding is a fault), ``of``
            ("weights", "parts" of one weight, "memory", "initializer", "samples", "inputs" or "outputs"),
            ``relative_to``; ``what``, which samples or outputs are not finite ("NaN", "infinity" or "NaN and
            infinity").
        """
        return findings_frame(self.found)


@one_at_a_time
def audit(
    model: Any,
    X: Any = None,
    *,
    padding_mask: PaddingMask = None,
    max_samples: int = 256,
    random_state: RandomState = 0,
) -> Audit:
    """Check a network before training, without targets, in less than two forward passes.

    The network is read on two samples. Then the samples run once, and a third of them a second time. If the outputs
    leak, this third runs once or twice more, to find the cause. Nothing is trained, and the model does not change.
    These kinds of finding are faults:

    - *cloned*: layers whose random weights are exact copies of one another, as in ``torch.nn.TransformerEncoder``; or
      such matrices or units of one weight;
    - *uninitialized*: a weight is memory that nothing has filled, or one constant where the signal must pass;
    - *packed*: several stacked matrices were drawn with the fans of one large matrix;
    - *untruncated*: a truncation cut far away from all other values, as ``trunc_normal_`` of torch may do;
    - *initial scale*: the outputs are so large that the loss of a classifier begins far above a uniform guess;
    - *constant output*: all samples have the same output;
    - *unscaled input*: a layer multiplies inputs that are far from standardized;
    - *batch leak*: the output of a sample depends on the other samples of the batch, in evaluation mode;
    - *padding leak*: the output depends on elements that are padding;
    - *non-finite*: samples, all of those in X, or outputs have values that are NaN or infinite.

    Findings of the same kinds are notes, not faults, where the state is common or meant: packed projections of torch's
    own attention, a constant output behind an output layer of zeros, and the bounds of an estimator's initializer that
    truncate nothing.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        As in `inspect_activations`; an estimator must be fitted or initialized, because an audit has no targets.
    X : array-like, tuple, mapping, PackedSequence, graph or stream of batches, optional
        Samples in any form that `inspect_activations` takes; of a stream, the first batch. Targets are not used.
        Without X, the network is read on an input that it declares or that fits its first layers, and only the weights
        are checked.
    padding_mask : array of bool of shape (n_samples, sequence_length) or callable, optional
        True for padding, as in `inspect_activations`. By default, a mask in X: ``attention_mask`` or a name with
        ``padding_mask``. Without a mask, the ends of sequences of the value that the network declares (``padding_idx``,
        ``pad_token_id``), if half of the samples have such ends.
    max_samples : int, default=256
        Number of samples, at least 2, that are drawn from X; data without rows, such as a graph, are taken whole.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the choice of samples and of the random numbers that the model draws.

    Returns
    -------
    Audit

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, or X does not consist of numbers.
    ModuleError
        If the model has no module whose layers can be read, its forward pass fails on X, X has no samples, or an
        estimator is neither fitted nor initialized.

    Notes
    -----
    Some faults cannot be seen in the weights. Memory that still holds plausible numbers passes for weights. Values do
    not tell whether they were meant to be truncated; an audit finds weights that lie on torch's bounds of -2 and 2, far
    from all others, and `truncation_of` tells the bounds of an initializer. Copies that were made on purpose, such as
    two towers from the same checkpoint, are found too, unless they are frozen. Scores are taken as those of a softmax,
    unless they have the shape of an input or are single numbers. Untrained batch normalization uses the moments of
    the batch where outputs are measured, and its running moments where leaks are.

    Fewer than four samples run again in whole. So do all samples if a network leaks and changes its own buffers or
    flags in evaluation mode: the first batch may set them.

    Examples
    --------
    >>> from initsk import audit
    >>> encoder = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(8, 2, batch_first=True), 3)
    >>> result = audit(encoder, torch.randn(4, 5, 8))
    >>> result.findings()[["layer", "kind", "decides"]]
            layer    kind  decides
    0  layers.0-2  cloned     True
    >>> result.exit_code
    1
    """
    given = {"max_samples": max_samples, "random_state": random_state}
    check_parameters("audit", given, {"max_samples": integer(2), "random_state": resolved_by(check_random_state)})
    _check_estimator(model)
    seed = resolve_seed(random_state)
    with borrowed(model, X) as found:
        # In training mode, reading a weight under spectral normalization would change its buffers.
        state = preserve_state(found.module, training=False, gradients=False, seed=seed, parameters=False)
        with outside_of_contexts(found.module), state:
            subject = make_subject(found, X, padding_mask, max_samples, seed)
            outcomes = [*_outcomes_of_weights(subject), *_outcomes_of_batch(subject)]
            settings = describe_model(model, found, X) | {"n_samples": subject.n_samples, "random_state": seed}
    findings = [outcome for outcome in outcomes if isinstance(outcome, Finding)]
    findings.sort(key=lambda finding: not finding.decides)
    unchecked = tuple(outcome for outcome in outcomes if isinstance(outcome, NotChecked))
    return Audit(tuple(findings), unchecked, settings)


def _check_estimator(model: Any) -> None:
    """Raise if an estimator has no network yet."""
    if is_unbuilt(model):
        kind = type(innermost(model)).__name__
        raise ModuleError(f"{kind} has no network yet (allowed: an estimator after fit or initialize)")


def _outcomes_of_weights(subject: Subject) -> Iterator[CheckResult]:
    for check in (find_clones, find_unset, find_packed, find_untruncated):
        yield from check(subject)


def _outcomes_of_batch(subject: Subject) -> Iterator[CheckResult]:
    if subject.batch is None:
        yield from not_checked([*_OF_OUTPUTS, "unscaled input"], Reason("no samples are given"))
        return
    yield from find_in_inputs(subject)
    try:
        scores = _scores_of_all(subject)
    except NoScoresError:
        reason = Reason("the network returns no tensor, and nothing under a usual name of scores")
        yield from not_checked(_OF_OUTPUTS, reason)
    else:
        yield from find_in_outputs(subject, scores)
        yield from find_leaks(subject, scores)


def _scores_of_all(subject: Subject) -> torch.Tensor:
    """Return the scores of all samples; batch normalization that is not trained uses their moments if it can."""
    if subject.untrained_norms:
        try:
            return subject.scores(batch_moments=True)
        except ModuleError:  # a batch with one value per channel
            pass
    return subject.scores()
