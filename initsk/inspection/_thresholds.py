"""The kinds of finding, and the threshold of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, isnan, log10, nan
from typing import Any

from initsk.utils.validation import check_parameters, real, refuse, unknown_name

# Sizes outside these bounds count as the bound, so that zero and infinity have a logarithm.
_MIN_SIZE, _MAX_SIZE = 1e-12, 1e12


@dataclass(frozen=True)
class Threshold:
    """The value beyond which a layer or a network is flagged.

    Parameters
    ----------
    value : float
        The threshold itself.
    above : bool, default=True
        Whether values above the threshold are flagged; otherwise values below it.
    inclusive : bool, default=False
        Whether the threshold itself is flagged.
    width : float, default=nan
        How gradually the health falls around the threshold: in decades for sizes, otherwise in the unit of the value.
        NaN for kinds that do not enter the score of a diagnosis.
    is_size : bool, default=True
        Whether values are compared by their logarithm.

    Examples
    --------
    >>> threshold = Threshold(0.01, above=False, width=0.25)
    >>> threshold.flags(0.02), threshold.flags(0.001)
    (False, True)
    >>> [round(threshold.health(value), 2) for value in (1.0, 0.01, 0.001)]
    [1.0, 0.5, 0.02]
    """

    value: float
    above: bool = True
    inclusive: bool = False
    width: float = nan
    is_size: bool = True

    def flags(self, value: float) -> bool:
        """Return whether the value is flagged; NaN never is."""
        beyond = value > self.value if self.above else value < self.value
        return beyond or (self.inclusive and value == self.value)

    def health(self, value: float) -> float:
        """Return the health from 0 to 1: 0.5 at the threshold, less on the flagged side, and 1 for NaN."""
        if isnan(value):
            return 1.0
        distance = _log(value) - _log(self.value) if self.is_size else value - self.value
        steps = (-distance if self.above else distance) / self.width
        return 1 / (1 + exp(-min(max(steps, -700.0), 700.0)))


def _log(value: float) -> float:
    return log10(min(max(value, _MIN_SIZE), _MAX_SIZE))


def _by_optimizer(*values_and_widths: tuple[float, float], **options: bool) -> dict[str, Threshold]:
    pairs = zip(("gradient", "adaptive"), values_and_widths, strict=True)
    return {name: Threshold(value, width=width, **options) for name, (value, width) in pairs}


#: By kind of finding, the gravest first: its threshold for each kind of optimizer, or one for any ("").
#: Thresholds by optimizer and widths are fitted to trained networks by ``benchmarks/prediction.py``.
THRESHOLDS: Mapping[str, Mapping[str, Threshold]] = {
    # Number of values that are NaN or infinite.
    "non-finite": {"": Threshold(0.0)},
    # Share of units that equal another unit. Random draws have none; equal units stay equal (Goodfellow, Bengio and
    # Courville 2016, section 8.4).
    "symmetric": {"": Threshold(0.5, inclusive=True, width=0.05, is_size=False)},
    # Size of the gradient that distinguishes samples.
    "small gradient": _by_optimizer((0.0013, 0.1), (0.000084, 0.1), above=False),
    "large gradient": _by_optimizer((300.0, 0.1), (330000.0, 0.85)),
    # Agreement of the gradients of two halves of the samples.
    "incoherent": _by_optimizer((0.2, 0.093), (0.29, 0.09), above=False, is_size=False),
    # Gradients of a layer relative to those of the last hidden layer.
    "disproportionate": _by_optimizer((0.0034, 0.28), (0.00019, 1.0), above=False),
    # Loss at the start relative to the baseline loss.
    "overconfident": _by_optimizer((55.0, 0.1), (26000.0, 1.0)),
    # Share of units that are zero for every sample; they get no gradient (Lu, Shin, Su and Karniadakis 2020).
    "dead": {"": Threshold(0.5)},
    # Share of values within 5 % of a bound of the activation function, where the slope of tanh and of the sigmoid is
    # below a tenth of its maximum (Glorot and Bengio 2010, section 3). Standard normal inputs of tanh have 0.067.
    "saturated": {"": Threshold(0.5)},
    # Distance between samples, 1 - mean cosine, relative to the first layer. It decays as exp(-depth / xi); beyond
    # about 6 xi, where it is 0.0025, networks do not train (Schoenholz et al. 2017, figure 5).
    "collapsed": {"": Threshold(0.0025, above=False)},
    # Root mean square relative to the first layer, of gradients relative to the last one. He's and Xavier's conditions
    # keep it at 1 (He et al. 2015, equation 10), at finite width within a factor of 10 (Hanin and Rolnick 2018).
    "vanishing": {"": Threshold(0.01, above=False)},
    "exploding": {"": Threshold(100.0)},
    # Mean of the pre-activations in standard deviations; beyond 2, all but 2.3 % of a normal distribution lie on one
    # side of zero (Clevert, Unterthiner and Hochreiter 2016, on bias shift).
    "shifted mean": {"": Threshold(2.0)},
    # Number of layers relative to six depth scales (Schoenholz et al. 2017, figure 5).
    "too deep": {"": Threshold(1.0)},
}
#: Kinds that keep a network from training; the others were found in networks that trained.
DECIDING = tuple(
    kind for kind, found in THRESHOLDS.items() if kind == "non-finite" or any(t.width > 0 for t in found.values())
)
#: Kinds that `find_in_layers` finds, and whose thresholds can be given to it.
IN_LAYERS = ("non-finite", "symmetric", "dead", "saturated", "collapsed", "vanishing", "exploding", "shifted mean")
#: Rows below which dead units are not counted: in few samples many units are zero by chance.
MIN_SAMPLES = 30


def threshold_of(kind: str, optimizer: str = "") -> Threshold:
    """Return the threshold of a kind of finding for an optimizer: "gradient", "adaptive", or "" for any."""
    found = THRESHOLDS[kind]
    return found[optimizer if optimizer in found else ""]


def layer_thresholds(given: Mapping[str, Any]) -> dict[str, Threshold]:
    """Return the thresholds of the kinds that are found in layers, with the given values in place of the defaults.

    Parameters
    ----------
    given : mapping of str to float
        By kind, with underscores for spaces: ``shifted_mean=3``.

    Raises
    ------
    InvalidParameterError
        If a name is unknown, or a value is not a number >= 0.
    """
    keywords = {kind.replace(" ", "_"): kind for kind in IN_LAYERS[1:]}
    refuse("findings", [unknown_name("threshold", name, list(keywords)) for name in given if name not in keywords])
    check_parameters("findings", given, dict.fromkeys(given, real(minimum=0)))
    changed = {keywords[name]: value for name, value in given.items()}
    defaults = {kind: threshold_of(kind) for kind in IN_LAYERS}
    return defaults | {kind: replace(defaults[kind], value=float(value)) for kind, value in changed.items()}
