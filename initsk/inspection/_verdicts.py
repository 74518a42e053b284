"""What is wrong with a network, said from the numbers."""

from collections.abc import Iterator
from math import isfinite, nan
from typing import NamedTuple

import numpy as np
import pandas as pd

from initsk.inspection._sites import signal_rows
from initsk.inspection._thresholds import Thresholds

ADVICE = {
    "non-finite": "look for NaN in X, then lower the learning rate or the variance of the weights",
    "symmetric": "draw the weights at random: no scheme that sets them all to one value can be trained",
    "dead": "use he_normal with biases of zero, a lower learning rate, or an activation function that leaks",
    "saturated": "lower the variance of the weights (glorot_uniform or lecun_normal) or scale X",
    "collapsed": "use fewer layers, residual branches or normalisation, or a critical initializer (edge_of_chaos)",
    "vanishing": "raise the variance of the weights: he_normal for ReLU, orthogonal for deep networks",
    "exploding": "lower the variance of the weights: he_normal for ReLU, glorot_normal or orthogonal otherwise",
    "shifted mean": "centre X, set the biases to zero, and draw weights with mean zero",
    "healthy": "",
}
DTYPES = {"layer": "str", "verdict": "str", "value": "float64", "threshold": "float64", "evidence": "str",
          "advice": "str"}  # fmt: skip


class Finding(NamedTuple):
    """One thing that is wrong with one layer."""

    layer: str
    verdict: str
    value: float
    threshold: float
    evidence: str


def verdicts_of(activations: pd.DataFrame, gradients: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """Return a row per finding, the gravest kind first."""
    network = _Network(activations, gradients, thresholds)
    found = [finding for kind in (
        network.nonfinite, network.symmetric, network.dead, network.saturated, network.collapsed,
        network.vanishing_or_exploding, network.shifted,
    ) for finding in kind()]  # fmt: skip
    if not found:
        n_layers = activations["layer"].nunique()
        layers = "the only layer" if n_layers == 1 else f"any of the {n_layers} layers"
        found = [Finding("", "healthy", nan, nan, f"Nothing is wrong in {layers}.")]
    frame = pd.DataFrame(found, columns=list(Finding._fields))
    frame = frame.assign(advice=frame["verdict"].map(ADVICE))
    order = frame["verdict"].map({name: rank for rank, name in enumerate(ADVICE)})
    return frame.iloc[np.argsort(order, kind="stable")].reset_index(drop=True).astype(DTYPES)


class _Network:
    """The frames of a summary, asked one question after another."""

    def __init__(self, activations: pd.DataFrame, gradients: pd.DataFrame, thresholds: Thresholds) -> None:
        self.limits = thresholds
        self.values, self.gradients = activations, gradients
        self.before = activations[activations["site"] != "activation"].set_index("layer")
        self.body, self.back = (signal_rows(frame).set_index("layer") for frame in (activations, gradients))

    def nonfinite(self) -> Iterator[Finding]:
        for what, frame in (("values", self.values), ("gradients", self.gradients)):
            counts = frame.groupby("layer", sort=False)["nonfinite"].sum()
            for layer, n in counts[counts > 0].items():
                sentence = f"{n} {what} of {layer} are NaN or infinite."
                yield Finding(str(layer), "non-finite", float(n), 0.0, sentence)

    def symmetric(self) -> Iterator[Finding]:
        wide = self.before[self.before["units"] > 1]
        copied = wide["copied_fraction"]
        if len(self.gradients):
            # What the loss tells apart does not stay equal.
            back = self.gradients[self.gradients["site"] != "activation"].set_index("layer")["copied_fraction"]
            copied = copied.combine(back, min).reindex(copied.index)
        else:
            # Nor do units that the layer after them tells apart.
            beside = np.append(copied.iloc[1:], copied.iloc[-2] if len(copied) > 1 else 0.0)[: len(copied)]
            copied = copied.clip(upper=pd.Series(beside, copied.index))
        for layer, share in copied[copied >= self.limits.copied].items():
            sentence = f"{share:.0%} of the units of {layer} are copies of one another, and will stay so."
            yield Finding(str(layer), "symmetric", float(share), self.limits.copied, sentence)

    def dead(self) -> Iterator[Finding]:
        enough = self.body["count"] >= self.limits.min_samples * self.body["units"]
        for layer, share in self._above(self.body[enough], "dead_fraction", self.limits.dead):
            sentence = f"{share:.0%} of the units of {layer} are zero for every sample."
            yield Finding(layer, "dead", share, self.limits.dead, sentence)

    def saturated(self) -> Iterator[Finding]:
        for layer, share in self._above(self.body, "saturated_fraction", self.limits.saturated):
            sentence = f"{share:.0%} of the activations of {layer} are at a bound of the activation function."
            yield Finding(layer, "saturated", share, self.limits.saturated, sentence)

    def collapsed(self) -> Iterator[Finding]:
        distance = 1 - self.before.loc[self.body.index.intersection(self.before.index), "mean_cosine"]
        first = float(distance.iloc[0]) if len(distance) else nan
        # Rounding of single precision; inputs that are all alike have nothing to lose.
        if not first > 1e-5:
            return
        for layer, ratio in (distance / first).items():
            if ratio < self.limits.collapsed:
                sentence = f"Samples differ {max(ratio, 0.0):.2g} times as much in {layer} as in the first layer."
                yield Finding(str(layer), "collapsed", float(ratio), self.limits.collapsed, sentence)

    def vanishing_or_exploding(self) -> Iterator[Finding]:
        for what, rms in (("activations", self.body["rms"]), ("gradients", self.back["rms"])):
            signal = rms[rms > 0]
            if len(signal) < 2:
                continue
            end = signal.index[0 if what == "activations" else -1]
            for layer, ratio in (signal / signal[end]).items():
                limits = {"vanishing": self.limits.vanishing, "exploding": self.limits.exploding}
                ill = {"vanishing": ratio < limits["vanishing"], "exploding": ratio > limits["exploding"]}
                sentence = f"The {what} of {layer} are {ratio:.2g} times those of {end}."
                for verdict in (name for name, is_ill in ill.items() if is_ill and isfinite(ratio)):
                    yield Finding(str(layer), verdict, float(ratio), limits[verdict], sentence)

    def shifted(self) -> Iterator[Finding]:
        before = self.before[self.before["site"] == "pre_activation"]
        shift = before["mean"].abs() / before["std"].where(before["std"] > 0)
        for layer, size in shift[shift > self.limits.shifted_mean].items():
            sentence = f"The mean of what {layer} gives is {size:.1f} standard deviations away from zero."
            yield Finding(str(layer), "shifted mean", float(size), self.limits.shifted_mean, sentence)

    @staticmethod
    def _above(frame: pd.DataFrame, column: str, limit: float) -> Iterator[tuple[str, float]]:
        shares = frame[column]
        yield from ((str(layer), float(share)) for layer, share in shares[shares > limit].items())
