"""The values of a network that a diagnosis is made from, at one moment of its training."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, isnan, nan

import pandas as pd
from torch import nn

from initsk import inspection
from initsk.diagnosis._depth_budget import DepthBudget
from initsk.diagnosis._objective import Objective
from initsk.network import Batch, LossWithInputs, Model
from initsk.utils.cached import cached_property


@dataclass(frozen=True)
class Measurements:
    """Values measured in one network.

    Attributes
    ----------
    summary : ActivationSummary
        Activations and gradients of every layer.
    coherence : GradientCoherence
        Agreement of the gradients of two halves of the samples.
    baseline_loss : float
        Loss of the best constant prediction, NaN for a loss that is not known.
    loss_of_inputs : float
        Loss of the inputs as outputs, NaN if it is not known.
    depth : DepthBudget or None
        Depth relative to the depth scales of mean field theory; None if the network is not a plain chain of layers.
    of_ends : tuple of Finding
        What was found in the inputs and outputs of the network.
    """

    summary: inspection.ActivationSummary
    coherence: inspection.GradientCoherence
    baseline_loss: float
    loss_of_inputs: float = nan
    depth: DepthBudget | None = None
    of_ends: tuple[inspection.Finding, ...] = ()

    @property
    def relative_loss(self) -> float:
        """Loss relative to the baseline loss; NaN if that is not known."""
        return self.coherence.loss / self.baseline_loss if self.baseline_loss > 0 else nan

    @cached_property
    def values(self) -> dict[str, dict[str, float]]:
        """The values by kind of finding and by layer; values of the whole network have the layer ""."""
        copied = inspection.LayerValues(*self._frames).values("symmetric")
        return {
            "symmetric": {layer: value for layer, value, *_ in copied},
            "small gradient": {"": self.coherence.size},
            "large gradient": {"": self.coherence.size},
            "incoherent": {"": self.coherence.agreement},
            "disproportionate": self._relative_gradients(),
            "overconfident": {"": self.relative_loss},
        }

    @cached_property
    def in_layers(self) -> list[inspection.Finding]:
        """The findings in single layers."""
        return inspection.find_in_layers(*self._frames, inspection.layer_thresholds({}))

    @cached_property
    def dead_ends(self) -> set[str]:
        """The layers whose units are all dead, where no path carries a gradient around them to the first layer.

        Layers whose units are copies of one another are left out: their symmetry is the cause.
        """
        back = self.summary.to_frame("gradients")
        # An activation has a gradient from the next layer, also where its unit passes none on.
        before = back.loc[back["position"] != "activation", "rms"]
        if before.empty or before.iloc[0] != 0:
            return set()
        copied = {finding.layer for finding in self.in_layers if finding.kind == "symmetric"}
        dead = {finding.layer for finding in self.in_layers if finding.kind == "dead" and finding.value == 1}
        return dead - copied

    @cached_property
    def nonfinite(self) -> list[inspection.Finding]:
        """The findings of values that are not finite: in layers, and of the loss."""
        found = [finding for finding in self.in_layers if finding.kind == "non-finite"]
        if not isfinite(self.coherence.loss):
            threshold = inspection.threshold_of("non-finite").value
            what = "NaN" if isnan(self.coherence.loss) else "infinity"
            found.append(inspection.Finding("", "non-finite", 1.0, threshold, True, "loss", what=what))
        return found

    @property
    def _frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return self.summary.to_frame(), self.summary.to_frame("gradients")

    def _relative_gradients(self) -> dict[str, float]:
        """Return the size of the gradients of each hidden layer, relative to the last one.

        In branches that begin as zero, layers have gradients of zero until a step has changed the branch. They are left
        out, unless the first layer has no gradient either: then no path carries a gradient to it.
        """
        back = inspection.signal_rows(self.summary.to_frame("gradients"))
        sizes = dict(zip(map(str, back["layer"]), map(float, back["rms"]), strict=True))
        carrying = {layer: size for layer, size in sizes.items() if size > 0}
        if not carrying:
            return {}
        first, last = next(iter(sizes)), next(reversed(carrying.values()))
        return {layer: size / last for layer, size in sizes.items() if size > 0 or layer == first}

    def extreme_layer(self, kind: str) -> str:
        """Return the layer with the smallest, largest or least coherent gradient; "" for other kinds of finding."""
        coherence = self.coherence
        parts = coherence.agreements if kind == "incoherent" else coherence.sizes
        matrices = {name: parts[name] for name in coherence.agreements if coherence.sizes[name] > 0}
        choice = {"small gradient": min, "large gradient": max, "incoherent": min}.get(kind)
        if choice is None or not matrices:
            return ""
        return choice(matrices, key=lambda name: matrices[name]).rpartition(".")[0]


def measure_layers(
    model: Model, batches: Iterable[Batch], objective: Objective, seed: int, *, with_weights: bool = False
) -> inspection.ActivationSummary:
    """Return the activations and gradients of every layer, of one forward and backward pass a batch.

    Gradients are those of training mode. Batch normalization uses the moments of the batch, since its running moments
    mean nothing before training.

    Parameters
    ----------
    model : Model
    batches : iterable of Batch
    objective : Objective
    seed : int
        Of the random numbers that the module draws.
    with_weights : bool, default=False
        Whether to measure the weights as well.
    """
    settings = inspection.InspectionSettings(
        gradients=True,
        weights=with_weights,
        criterion=LossWithInputs(objective.loss),
        measures=("units", "samples"),
        training=True,
    )
    return inspection.inspect_batches(model, (batch.copied() for batch in batches), settings, seed)


def measure_coherence(
    module: nn.Module, batches: list[Batch], objective: Objective, seed: int
) -> inspection.GradientCoherence:
    """Return size and agreement of the gradients of two halves of the batches."""
    return inspection.coherence_of_batches(module, batches, objective.loss, training=True, seed=seed)
