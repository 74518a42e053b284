"""Initializers that normalize layer outputs or units on a batch: LSUV and data-dependent weight normalization."""

from initsk.exceptions import ModuleError
from initsk.initializers._unscaled import RandomNormal
from initsk.initializers.core._calibrate import Calibrated, LayerCall, measure, normalize_units, write_weight
from initsk.initializers.core._registry import InitializerLike, get_initializer
from initsk.utils.validation import boolean, integer, optional, real, resolved_by
from initsk.utils.words import counted


class LSUV(Calibrated):
    """Scale each layer in turn so that its output on a batch has standard deviation 1.

    Parameters
    ----------
    base : str, Initializer or callable, default="orthogonal"
        The initializer that draws the weights before they are scaled.
    tol : float, default=0.01
        Largest allowed distance of the standard deviation from 1, above 0.
    max_iter : int, default=10
        Largest number of corrections of a layer, at least 1. One correction is enough if the biases are zero.
    remove_mean : bool, default=False
        Whether to subtract the mean of the output from the layer's bias, if it has one.

    Notes
    -----
    Algorithm (Mishkin and Matas 2016, algorithm 1): for each linear, bilinear or (transposed) convolution layer, in
    the order in which the batch passes them, ``W <- W / std(output)`` until ``abs(std(output) - 1) <= tol``. The output
    is that of the layer itself, before normalization and activation function; the last layer is scaled, too. Mean
    and population standard deviation are over the whole batch and all units. Everything happens in one
    forward pass in evaluation mode: dropout is off, batch normalization uses its running statistics. LSUV scales a
    layer that is called several times at its first call. A layer that is not called as a module keeps its drawn values
    (the output projection inside of ``torch.nn.MultiheadAttention``); the record notes it.

    The paper tolerates 0.1 in the variance and does not change the mean. The authors' code tolerates 0.1 in the
    standard deviation, follows the order of registration with one pass for each layer and correction, and removes the
    mean of the layers that need scaling. If `max_iter` corrections are not enough, their code continues, while LSUV
    raises an error.

    Raises
    ------
    ModuleError
        By `initialize`, if the output of a layer is constant or not finite, or if its standard deviation does not
        reach 1 (with biases of a large variance, or a spectral normalization, which undoes every scaling).

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import LSUV
    >>> from initsk.network import MLP
    >>> X = torch.randn(64, 20, generator=torch.Generator().manual_seed(0))
    >>> module = MLP(20, 3, (50, 50))
    >>> record = initialize(module, LSUV(), X=X, random_state=0)
    >>> round(module(X).std(correction=0).item(), 2)
    1.0
    """

    name = "lsuv"
    formula = "W = W_base / std(output), layer by layer"
    reference = "Mishkin and Matas 2016, algorithm 1"
    parameter_constraints = {"tol": real(above=0), "max_iter": integer(1), "remove_mean": boolean()}

    base: InitializerLike = "orthogonal"
    tol: float = 0.01
    max_iter: int = 10
    remove_mean: bool = False

    def _adjust(self, call: LayerCall) -> None:
        before = std = self._std(call)
        corrections = 0
        while abs(std - 1) > self.tol:
            if corrections == self.max_iter:
                raise ModuleError(
                    f"LSUV: the output of {call.where} has standard deviation {std:.4g} after"
                    f" {counted(corrections, 'correction')} (wanted: 1 within {self.tol:g}; allowed: biases of smaller"
                    " variance, a larger tol or max_iter)"
                )
            write_weight(call.scheme, call.layer, call.layer.weight / std)
            call.repeat()
            corrections += 1
            std = self._std(call)
        scaled = f", scaled to {std:.4g}" if corrections else ""
        call.note("weight", f"output's standard deviation {before:.4g}{scaled}")
        bias = call.bias
        if self.remove_mean and bias is not None:
            mean = measure(call.output.flatten())[0]
            call.layer.set_bias(bias - mean.to(bias.dtype))
            call.note("bias", "output's mean subtracted")
            call.repeat()

    @staticmethod
    def _std(call: LayerCall) -> float:
        _, std, constant = measure(call.output.flatten())
        if constant:
            raise ModuleError(
                f"LSUV: the output of {call.where} is constant, so no factor gives it standard deviation 1"
                " (allowed: weights and a batch for which it varies)"
            )
        return float(std)


class DataDependentWeightNorm(Calibrated):
    """Scale and shift each unit, layer by layer, to mean 0 and variance 1 on a batch.

    The paper proposes it for weight normalization; it also works for plain layers. The network starts as if batch
    normalization had processed this batch.

    Parameters
    ----------
    base : str, Initializer, callable or None, default=None
        The initializer that draws the weights before they are scaled; None means the paper's ``RandomNormal(0.05)``.

    Notes
    -----
    Algorithm (Salimans and Kingma 2016, section 3, equations 5 and 6): with mean ``m`` and standard deviation ``s`` of
    a unit's output over the batch (and the positions of a convolution), ``w <- w / s`` and ``b <- (b - m) / s``; the
    next layer gets the corrected output, in the same forward pass in evaluation mode. Units of layers without a bias,
    or with a frozen bias, keep their mean.

    With ``torch.nn.utils.parametrizations.weight_norm`` and one norm for each unit (``dim=0``), only the norms ``g``
    are divided, as in the paper, and the directions ``v`` do not change. With other parametrizations the weight
    is set through them. A layer that is called several times is set at its first call.

    The authors' code does the same in the first call of each layer; Keras and JAX have no such initializer.

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
    formula = "w = w_base / s, b = -m / s for a unit of mean m and std s, layer by layer"
    reference = "Salimans and Kingma 2016, section 3"
    parameter_constraints = {"base": optional(resolved_by(get_initializer))}
    default_base = RandomNormal(0.05)

    base: InitializerLike | None = None

    def _adjust(self, call: LayerCall) -> None:
        normalize_units(call)
