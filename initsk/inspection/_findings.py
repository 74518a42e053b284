"""From which number on a layer is called ill."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from math import isfinite, nan
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from initsk.inspection._frames import signal_rows
from initsk.language import Language, get_language, message
from initsk.utils.validation import check_parameters, real, refuse, unknown_name


@dataclass(frozen=True)
class Thresholds:
    """From which number on a layer is called ill; chosen so that a network that trains well passes.

    Parameters
    ----------
    copied : float, default=0.5
        Share of units that are copies of another, of which half the layer's width is lost. Independent draws have no
        copies at all; units that start equal stay equal (Goodfellow, Bengio and Courville 2016, section 8.4).
    dead : float, default=0.5
        Share of units at zero for every sample. A unit of a ReLU network at He's initialization is dead with a
        probability that falls with every sample; dead units get no gradient (Lu, Shin, Su and Karniadakis 2020).
    saturated : float, default=0.5
        Share of values within 5 % of a bound of the activation function, where the slope of tanh and of the
        sigmoid is below a tenth of its largest. Standard normal pre-activations of tanh have 0.067; a layer of
        which most is saturated hardly learns (Glorot and Bengio 2010, section 3).
    collapsed : float, default=0.0025
        Distance between samples, 1 - mean cosine, relative to the first layer. Distances decay as exp(-depth / xi), and
        beyond a depth of about 6 xi, where they are 0.0025, networks do not train (Schoenholz et al. 2017, figure 5).
    vanishing : float, default=0.01
        Root mean square relative to the first layer (backward: to the last). He's and Xavier's conditions keep
        it at 1 (He et al. 2015, equation 10); fluctuations at finite width stay within a factor of 10 (Hanin and
        Rolnick 2018), a hundred is beyond them.
    exploding : float, default=100.0
        The same, upward.
    shifted_mean : float, default=2.0
        Mean of the pre-activations in standard deviations: beyond 2, all but 2.3 % of a normal's values lie on one
        side of zero, so that the activation function bends nothing (Clevert, Unterthiner and Hochreiter 2016, on bias
        shift).
    min_samples : float, default=30
        Rows below which nothing is said of dead units: few samples leave many units at zero by chance.

    Examples
    --------
    >>> Thresholds.of({"dead": 0.9}).dead
    0.9
    """

    copied: float = 0.5
    dead: float = 0.5
    saturated: float = 0.5
    collapsed: float = 0.0025
    vanishing: float = 0.01
    exploding: float = 100.0
    shifted_mean: float = 2.0
    min_samples: float = 30

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Return thresholds with some set otherwise.

        Raises
        ------
        InvalidParameterError
            If a name is unknown, or a value no number >= 0.
        """
        known = [field.name for field in fields(cls)]
        refuse("verdicts", [unknown_name("threshold", name, known) for name in given if name not in known])
        check_parameters("verdicts", given, dict.fromkeys(given, real(minimum=0)))
        return cls(**given)


ADVICE = {
    "non-finite": message("look for NaN in X, then lower the learning rate or the variance of the weights"),
    "symmetric": message("draw the weights at random: no scheme that sets them all to one value can be trained"),
    "dead": message("use he_normal with biases of zero, a lower learning rate, or an activation function that leaks"),
    "saturated": message("lower the variance of the weights (glorot_uniform or lecun_normal) or scale X"),
    "collapsed": message(
        "use fewer layers, residual branches or normalisation, or a critical initializer (edge_of_chaos)"
    ),
    "vanishing": message("raise the variance of the weights: he_normal for ReLU, orthogonal for deep networks"),
    "exploding": message(
        "lower the variance of the weights: he_normal for ReLU, glorot_normal or orthogonal otherwise"
    ),
    "shifted mean": message("centre X, set the biases to zero, and draw weights with mean zero"),
    "healthy": "",
}
#: The gravest first.
VERDICTS = (
    message("non-finite"), message("symmetric"), message("dead"), message("saturated"), message("collapsed"),
    message("vanishing"), message("exploding"), message("shifted mean"), message("healthy"),
)  # fmt: skip
DTYPES = {"layer": "str", "verdict": "str", "value": "float64", "threshold": "float64", "evidence": "str",
          "advice": "str"}  # fmt: skip


class Finding(NamedTuple):
    """One thing that is wrong with one layer."""

    layer: str
    verdict: str
    value: float
    threshold: float
    evidence: str


def verdicts_of(
    activations: pd.DataFrame, gradients: pd.DataFrame, thresholds: Thresholds, language: str = "en"
) -> pd.DataFrame:
    """Return a row per finding, the gravest kind first."""
    translate = get_language(language)
    network = _Network(activations, gradients, thresholds, translate)
    found = [finding for kind in (
        network.nonfinite, network.symmetric, network.dead, network.saturated, network.collapsed,
        network.vanishing_or_exploding, network.shifted,
    ) for finding in kind()]  # fmt: skip
    if not found:
        n_layers = activations["layer"].nunique()
        text = translate.plural(
            "Nothing is wrong in the only layer.", "Nothing is wrong in any of the {n} layers.", n_layers
        )
        found = [Finding("", "healthy", nan, nan, text)]
    frame = pd.DataFrame(found, columns=list(Finding._fields))
    frame = frame.assign(advice=[translate(ADVICE[name]) if ADVICE[name] else "" for name in frame["verdict"]])
    order = frame["verdict"].map({name: rank for rank, name in enumerate(VERDICTS)})
    return frame.iloc[np.argsort(order, kind="stable")].reset_index(drop=True).astype(DTYPES)


def verdict_sentence(verdicts: pd.DataFrame, language: str = "en") -> str:
    """Say in a sentence or two what is wrong."""
    translate = get_language(language)
    ill = verdicts[verdicts["verdict"] != "healthy"]
    if ill.empty:
        return str(verdicts["evidence"].iloc[0])
    layers = ill.groupby("verdict", sort=False)["layer"].nunique()
    parts = [
        translate.plural("{verdict} ({n} layer)", "{verdict} ({n} layers)", int(n), verdict=translate(str(name)))
        for name, n in layers.items()
    ]
    return translate(
        "This network is ill: {verdicts}. {first}", verdicts=", ".join(parts), first=ill["evidence"].iloc[0]
    )


def named(layer: object, translate: Language) -> str:
    """Return what sentences call a layer; a number alone would not be taken for one."""
    name = str(layer)
    return name if any(letter.isalpha() for letter in name) else translate("layer {name}", name=name)


class _Network:
    """The frames of a summary, asked one question after another."""

    def __init__(
        self, activations: pd.DataFrame, gradients: pd.DataFrame, thresholds: Thresholds, translate: Language
    ) -> None:
        self.limits, self.translate = thresholds, translate
        self.values, self.gradients = activations, gradients
        self.before = activations[activations["position"] != "activation"].set_index("layer")
        self.body, self.back = (signal_rows(frame).set_index("layer") for frame in (activations, gradients))

    def nonfinite(self) -> Iterator[Finding]:
        values = message("{n} values of {layer} are NaN or infinite.")
        gradients = message("{n} gradients of {layer} are NaN or infinite.")
        for what, frame in ((values, self.values), (gradients, self.gradients)):
            counts = frame.groupby("layer", sort=False)["nonfinite"].max()
            for layer, n in counts[counts > 0].items():
                sentence = self.translate(what, n=self.translate.integer(n), layer=named(layer, self.translate))
                yield Finding(str(layer), "non-finite", float(n), 0.0, sentence)

    def symmetric(self) -> Iterator[Finding]:
        # Infinities are equal to one another, and no copies.
        wide = self.before[(self.before["units"] > 1) & (self.before["nonfinite"] == 0)]
        copied = wide["copied_fraction"]
        if len(self.gradients):
            # What the loss tells apart does not stay equal.
            back = self.gradients[self.gradients["position"] != "activation"].set_index("layer")["copied_fraction"]
            copied = copied.combine(back, min).reindex(copied.index)
        else:
            # Nor do units that the layer after them tells apart.
            beside = np.append(copied.iloc[1:], copied.iloc[-2] if len(copied) > 1 else 0.0)[: len(copied)]
            copied = copied.clip(upper=pd.Series(beside, copied.index))
        for layer, share in copied[copied >= self.limits.copied].items():
            text = message("{share} of the units of {layer} are copies of one another, and will stay so.")
            sentence = self.translate(text, share=self.translate.percent(share), layer=named(layer, self.translate))
            yield Finding(str(layer), "symmetric", float(share), self.limits.copied, sentence)

    def dead(self) -> Iterator[Finding]:
        enough = self.body["count"] >= self.limits.min_samples * self.body["units"]
        for layer, share in self._above(self.body[enough], "dead_fraction", self.limits.dead):
            text = message("{share} of the units of {layer} are zero for every sample.")
            sentence = self.translate(text, share=self.translate.percent(share), layer=named(layer, self.translate))
            yield Finding(layer, "dead", share, self.limits.dead, sentence)

    def saturated(self) -> Iterator[Finding]:
        for layer, share in self._above(self.body, "saturated_fraction", self.limits.saturated):
            text = message("{share} of the activations of {layer} are at a bound of the activation function.")
            sentence = self.translate(text, share=self.translate.percent(share), layer=named(layer, self.translate))
            yield Finding(layer, "saturated", share, self.limits.saturated, sentence)

    def collapsed(self) -> Iterator[Finding]:
        distance = 1 - self.before.loc[self.body.index.intersection(self.before.index), "mean_cosine"]
        first = float(distance.iloc[0]) if len(distance) else nan
        # Rounding of single precision; inputs that are all alike have nothing to lose.
        if not first > 1e-5:
            return
        for layer, ratio in (distance / first).items():
            if ratio < self.limits.collapsed:
                text = message("Samples differ {ratio} times as much in {layer} as in the first layer.")
                sentence = self.translate(
                    text, ratio=self.translate.short(max(ratio, 0.0), 2), layer=named(layer, self.translate)
                )
                yield Finding(str(layer), "collapsed", float(ratio), self.limits.collapsed, sentence)

    def vanishing_or_exploding(self) -> Iterator[Finding]:
        forward = message("The activations of {layer} are {ratio} times those of {end}.")
        backward = message("The gradients of {layer} are {ratio} times those of {end}.")
        for what, rms, end_at in ((forward, self.body["rms"], 0), (backward, self.back["rms"], -1)):
            signal = rms[rms > 0]
            if len(signal) < 2:
                continue
            end = signal.index[end_at]
            for layer, ratio in (signal / signal[end]).items():
                limits = {"vanishing": self.limits.vanishing, "exploding": self.limits.exploding}
                ill = {"vanishing": ratio < limits["vanishing"], "exploding": ratio > limits["exploding"]}
                sentence = self.translate(
                    what,
                    layer=named(layer, self.translate),
                    ratio=self.translate.short(ratio, 2),
                    end=named(end, self.translate),
                )
                for verdict in (name for name, is_ill in ill.items() if is_ill and isfinite(ratio)):
                    yield Finding(str(layer), verdict, float(ratio), limits[verdict], sentence)

    def shifted(self) -> Iterator[Finding]:
        before = self.before[self.before["position"] == "pre_activation"]
        shift = before["mean"].abs() / before["std"].where(before["std"] > 0)
        for layer, size in shift[shift > self.limits.shifted_mean].items():
            text = message("The mean of what {layer} gives is {size} standard deviations away from zero.")
            sentence = self.translate(text, layer=named(layer, self.translate), size=self.translate.number(size, 1))
            yield Finding(str(layer), "shifted mean", float(size), self.limits.shifted_mean, sentence)

    @staticmethod
    def _above(frame: pd.DataFrame, column: str, limit: float) -> Iterator[tuple[str, float]]:
        shares = frame[column]
        yield from ((str(layer), float(share)) for layer, share in shares[shares > limit].items())
