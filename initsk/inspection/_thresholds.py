"""The kinds of finding, and the threshold of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from initsk.utils.validation import check_parameters, real, refuse, unknown_name


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

    Examples
    --------
    >>> threshold = Threshold(0.01, above=False)
    >>> threshold.flags(0.02), threshold.flags(0.001)
    (False, True)
    """

    value: float
    above: bool = True
    inclusive: bool = False

    def flags(self, value: float) -> bool:
        """Return whether the value is flagged; NaN never is."""
        beyond = value > self.value if self.above else value < self.value
        return beyond or (self.inclusive and value == self.value)


def _by_optimizer(gradient: float, adaptive: float, **options: bool) -> dict[str, Threshold]:
    return {"gradient": Threshold(gradient, **options), "adaptive": Threshold(adaptive, **options)}


#: By kind of finding, the gravest first: its threshold for each kind of optimizer, or one for any ("").
#: Thresholds by optimizer were fitted to trained perceptrons of 2 to 60 layers; the score of a diagnosis does not use
#: them.
THRESHOLDS: Mapping[str, Mapping[str, Threshold]] = {
    # Number of values that are NaN or infinite.
    "non-finite": {"": Threshold(0.0)},
    # Number of values of a layer that get no gradient, although the loss depends on them.
    "cut off": {"": Threshold(0.0)},
    # Number of targets that the loss compares with each output.
    "broadcast loss": {"": Threshold(1.0)},
    # Share of units that equal another unit. Random draws have none; equal units stay equal (Goodfellow, Bengio and
    # Courville 2016, section 8.4).
    "symmetric": {"": Threshold(0.5, inclusive=True)},
    # Root mean square of weights relative to the recommended one. The usual rules differ by less than a factor of 3.
    "large weights": {"": Threshold(5.0)},
    # Size of the gradient that distinguishes samples.
    "small gradient": _by_optimizer(0.0013, 0.000084, above=False),
    # Agreement of the gradients of two halves of the samples.
    "incoherent": _by_optimizer(0.2, 0.29, above=False),
    # Gradients of a layer relative to those of the last hidden layer.
    "disproportionate": _by_optimizer(0.0034, 0.00019, above=False),
    # Norm of an update relative to that of the weight. Around 0.001 is usual; 500 such steps of 0.00001 move a weight
    # by 0.5 % at most, and steps of 0.3 replace it in four steps.
    "small steps": {"": Threshold(0.00001, above=False)},
    # Factor by which inputs are away from a common scale of one and a mean of zero, which LeCun, Bottou, Orr and
    # Müller (1998, section 4.3) ask for. Pixels from 0 to 255 have about 150.
    "unscaled input": {"": Threshold(10.0)},
    # Factor by which targets to predict are away from a scale of one and a mean of zero.
    "unscaled targets": {"": Threshold(10.0)},
    # Share of outputs that are probabilities, or not negative, given to a loss that applies a softmax or a sigmoid.
    "probabilities as logits": {"": Threshold(1.0, inclusive=True)},
    "one-sided logits": {"": Threshold(1.0, inclusive=True)},
    # Size of the same gradient.
    "large gradient": _by_optimizer(300.0, 330000.0),
    # Loss at the start relative to the baseline loss.
    "overconfident": _by_optimizer(55.0, 26000.0),
    # The kinds of a trial. Loss at the end relative to the loss at the start: a sound rate does not double it.
    "diverging": {"": Threshold(2.0)},
    # Loss after the trial relative to the baseline loss.
    "not learning": {"": Threshold(0.99)},
    # Of an update, as above.
    "large steps": {"": Threshold(0.3)},
    # The score of a diagnosis.
    "unlikely": {"": Threshold(0.5, above=False)},
    # Share of units that are zero for every sample; they get no gradient (Lu, Shin, Su and Karniadakis 2020).
    "dead": {"": Threshold(0.5)},
    # The same after the trial, of layers below the threshold before it.
    "died": {"": Threshold(0.5)},
    # Number of values of a layer that get no gradient, since the loss does not depend on them.
    "unused": {"": Threshold(0.0)},
    # The same of parameters that no group of the optimizer has.
    "left out": {"": Threshold(0.0)},
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
    # The kinds of an audit. Number of layers whose random weights are exactly equal: ``torch.nn.TransformerEncoder``
    # copies one layer (pytorch issues 86274 and 120396).
    "cloned": {"": Threshold(1.0)},
    # Share of values that are no weights: NaN, infinite, beyond 1e10 or mostly subnormal; or 1 for a constant that no
    # signal passes. No initializer draws any of these; memory from ``torch.empty`` holds them.
    "uninitialized": {"": Threshold(0.0)},
    # Factor between the standard deviation of stacked matrices and that of each block by the same rule. Two samples of
    # 500 weights differ by less than a tenth. For three square blocks, Glorot's rule gives the square root of 2.
    "packed": {"": Threshold(1.1)},
    # Distance of the bounds of a truncation in standard deviations: a normal distribution has 2 in a billion values
    # beyond six. torch's ``trunc_normal_`` has bounds of 100 for a standard deviation of 0.02 (pytorch issue 155588).
    "untruncated": {"": Threshold(6.0)},
    # Expected cross-entropy of a random label relative to that of a uniform guess. Scores of variance v add v / 2, so
    # He's initializer in the last layer gives 1.4 for ten classes. Networks of torchvision and timm that train have up
    # to 4.3; tables of N(0, 1) that are also the head have 8 to 11 (T5 without its scaling, GPT-2 with torch's
    # default).
    "initial scale": {"": Threshold(7.0)},
    # Differences between samples relative to the scores; single precision rounds to 1.2e-7.
    "constant output": {"": Threshold(3e-7, above=False)},
    # Change of a sample's scores relative to the differences between samples. Rounding in other sizes of batch is
    # below 0.001.
    "batch leak": {"": Threshold(0.01)},
    "padding leak": {"": Threshold(0.01)},
}
#: Kinds of an inspection that keep a network from training; the others were found in networks that trained.
DECIDING = ("non-finite", "symmetric")
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
