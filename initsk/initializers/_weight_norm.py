"""The data-dependent initialization of weight normalisation."""

from typing import ClassVar

from initsk.initializers._base import Initializer
from initsk.initializers._calibrate import Calibrated, LayerCall, normalise_units
from initsk.initializers._free import RandomNormal
from initsk.initializers._registry import InitializerLike, get_initializer
from initsk.utils._validation import Constraint, optional, resolved_by


class DataDependentWeightNorm(Calibrated):
    """Scale and shift each unit, layer by layer, to mean 0 and variance 1 on a batch.

    Meant for weight normalisation, and as good for plain layers: the network begins as if batch
    normalisation had looked at this one batch.

    Parameters
    ----------
    base : str, Initializer, callable or None, default=None
        What the weights are before they are scaled; None means the paper's ``RandomNormal(0.05)``.

    Notes
    -----
    Algorithm (Salimans and Kingma 2016, section 3, equations 5 and 6): with mean ``m`` and standard deviation ``s`` of
    a unit's output over the batch (and the positions of a convolution), ``w <- w / s`` and ``b <- (b - m) / s``; the
    next layer sees the corrected output, all in one forward pass in evaluation mode. Units of layers without a bias,
    or whose bias is frozen, keep a mean.

    Behind ``torch.nn.utils.parametrizations.weight_norm`` with one size for each unit (``dim=0``) the sizes ``g`` are
    divided, and the directions ``v`` stay as drawn, as in the paper; behind other parametrizations the weight
    is set through them. A layer that is called several times is set at its first call.

    The authors' code does the same in the first call of each layer; in Keras and JAX it is left to the user.

    Raises
    ------
    ModuleError
        By `initialize`, if a unit's output is constant or not finite, as for a batch of one sample.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import DataDependentWeightNorm
    >>> X = torch.randn(64, 20, generator=torch.Generator().manual_seed(0)) + 3
    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(20, 2))
    >>> record = initialize(layer, DataDependentWeightNorm(), X=X, random_state=0)
    >>> [round(value, 4) for value in layer(X).var(dim=0, correction=0).tolist()]
    [1.0, 1.0]
    """

    name = "data_dependent_weight_norm"
    synonyms = ("salimans",)
    law = "w = w_base / s, b = -m / s for a unit of mean m and std s, layer by layer"
    reference = "Salimans and Kingma 2016, section 3"
    _constraints: ClassVar[dict[str, Constraint]] = {"base": optional(resolved_by(get_initializer))}

    def __init__(self, base: InitializerLike | None = None) -> None:
        self.base = base

    @property
    def filling(self) -> Initializer:
        """The base, or the paper's."""
        return RandomNormal(0.05) if self.base is None else super().filling

    def _adjust(self, call: LayerCall) -> None:
        normalise_units(call)
