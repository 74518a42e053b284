"""From which number on a layer is called ill."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from initsk.utils._validation import check_parameters, real, refuse, unknown_name


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
