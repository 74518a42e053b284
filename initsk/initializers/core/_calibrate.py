"""Layer-by-layer calibration on one batch: measure the output of each layer, then correct the layer."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from initsk.exceptions import ModuleError
from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._wrapper import Refinement
from initsk.network import AFFINE, Layer, Network, ParameterSpec
from initsk.utils.precision import nonfinite_in
from initsk.utils.torch_settings import working_type


@dataclass
class LayerCall:
    """A layer at its first call in the forward pass, with its arguments and its output.

    Attributes
    ----------
    scheme : str
        Name of the initializer, for messages.
    network : Network
        The network that `refine` got.
    layer : Layer
        The layer; the initializer may change it.
    arguments, keywords
        The arguments of the call.
    output : tensor
        The output; `repeat` computes it again.
    """

    scheme: str
    network: Network
    layer: Layer
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    output: torch.Tensor

    @property
    def inputs(self) -> list[torch.Tensor]:
        """The tensors among the arguments."""
        return [value for value in (*self.arguments, *self.keywords.values()) if isinstance(value, torch.Tensor)]

    @property
    def bias(self) -> torch.Tensor | None:
        """The bias, or None if there is none that this initializer may change."""
        if self._name("bias") not in self.network.specs:
            return None
        return self.layer.module.bias.detach()

    def repeat(self) -> None:
        """Compute the output again with the current weights."""
        self.output = self.layer.module.forward(*self.arguments, **self.keywords)
        self.check_output()

    def check_inputs(self) -> None:
        """Raise if an input of the layer is empty or not finite."""
        for values in self.inputs:
            if values.numel() == 0:
                raise ModuleError(f"{self.scheme}: no values reach {self.where} (allowed: a batch that is not empty)")
            _check_finite(values, f"{self.scheme}: the input of {self.where}")

    def check_output(self) -> None:
        """Raise if the output is not finite."""
        _check_finite(self.output, f"{self.scheme}: the output of {self.where}")

    @property
    def where(self) -> str:
        """The layer's name for messages."""
        return f"layer {self.layer.name!r}" if self.layer.name else "the layer"

    def note(self, attribute: str, text: str) -> None:
        """Record a change of the weight or the bias."""
        self.network.note(self._name(attribute), f"{self.scheme}: {text}")

    def _name(self, attribute: str) -> str:
        return self.layer.spec.name.removesuffix("weight") + attribute


def write_weight(scheme: str, layer: Layer, values: torch.Tensor) -> None:
    """Set a layer's weight; raise if its parametrization changes the values."""
    layer.set_weight(values.to(layer.weight.dtype))
    if is_parametrized(layer.module, "weight"):
        off = torch.linalg.vector_norm(layer.weight - values)
        if not off <= 0.02 * torch.linalg.vector_norm(values):
            raise ModuleError(
                f"{scheme}: the parametrization of layer {layer.name!r} changes the weight that it is given"
                " (allowed: parametrizations that can take any value, such as weight_norm)"
            )


class Calibrated(Refinement):
    """Base of initializers that draw with another initializer and then correct each layer on a batch."""

    family = "data-dependent"
    needs_data = True

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the base, or None for layers that are calibrated."""
        return None if is_calibrated(spec) else super().expected_moments(spec)

    def refine(self, network: Network) -> None:
        """Run the batch through the network once and adjust each layer at its first call.

        `_adjust` changes a layer and corrects its output in the same forward pass, so each later layer gets its final
        input. The work therefore grows in proportion to the depth. Dropout is off, and batch normalization uses its
        running statistics.
        """
        super().refine(network)
        scheme, layers = type(self).__name__, list(network.layers())
        reached: set[str] = set()

        def at_call(layer: Layer, module: nn.Module, *arguments_and_output: Any) -> Any:
            call = LayerCall(scheme, network, layer, *arguments_and_output)
            call.check_inputs()
            call.check_output()
            if layer.name not in reached:
                reached.add(layer.name)
                self._adjust(call)
            return call.output

        with ExitStack() as stack:
            for layer in layers:
                # Ahead of the user's hooks, so that they get the corrected output.
                hook = layer.module.register_forward_hook(partial(at_call, layer), prepend=True, with_kwargs=True)
                stack.callback(hook.remove)
            # Fused attention does not call the layers inside.
            stack.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
            torch.backends.mha.set_fastpath_enabled(False)
            with network.mode(training=False), torch.no_grad():
                network.forward()
        for layer in layers:
            if layer.name not in reached:
                network.note(layer.spec.name, f"{scheme}: left as drawn, not called in the forward pass")

    def _adjust(self, call: LayerCall) -> None:
        """Change the layer, and put its corrected output into the call."""
        raise NotImplementedError


def is_calibrated(spec: ParameterSpec) -> bool:
    """Return whether a spec is the weight of a layer that `Network.layers` yields."""
    if spec.layer is not None:
        return spec.role == "weight" and issubclass(spec.layer, AFFINE)
    return spec.role == "weight" and spec.kind in ("dense", "bilinear", "convolution")


def measure(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the mean and the population standard deviation over the last axis, and where the latter is only rounding.

    The computation is in float32 or better.
    """
    eps = torch.finfo(values.dtype).eps
    values = values.detach().to(working_type(values.dtype))
    mean = values.mean(dim=-1)
    std = (values - mean.unsqueeze(-1)).abs().square().mean(dim=-1).sqrt()
    return mean, std, std <= 4 * eps * (mean.abs().square() + std.square()).sqrt()


def normalize_units(call: LayerCall) -> None:
    """Give the output of each unit variance 1 over the batch, and mean 0 if the layer has a bias."""
    layer, output = call.layer, call.output
    units = output.movedim(layer.output_axis(output), 0)
    mean, std, constant = measure(units.reshape(len(units), -1))
    if constant.any():
        raise ModuleError(
            f"{call.scheme}: unit {int(constant.nonzero()[0])} of {call.where} is constant over the batch, so no factor"
            " gives it variance 1 (allowed: a batch in which the input of the layer varies)"
        )
    bias = call.bias
    _divide_units(call, std)
    call.note("weight", f"each unit divided by its standard deviation, {std.min():.3g} to {std.max():.3g}")
    if bias is not None:
        layer.set_bias(((bias - mean) / std).to(bias.dtype))
        call.note("bias", "set so that each unit has mean 0")
    call.repeat()


def _divide_units(call: LayerCall, std: torch.Tensor) -> None:
    """Divide the weights of each unit by its standard deviation."""
    layer = call.layer
    weight, groups = layer.weight, layer.spec.groups
    if not layer.spec.transposed:
        std = std.reshape(-1, *[1] * (weight.dim() - 1))
        if not _divide_sizes(layer.module, weight / std, std):
            write_weight(call.scheme, layer, weight / std)
        return
    std = std.reshape(groups, 1, -1, *[1] * (weight.dim() - 2))
    write_weight(call.scheme, layer, (weight.unflatten(0, (groups, -1)) / std).flatten(0, 1))


def _divide_sizes(module: nn.Module, target: torch.Tensor, std: torch.Tensor) -> bool:
    """Divide the norms of a weight whose parametrization stores norms and directions, as weight normalization does.

    Return whether the parametrization stores such norms and the weight then equals `target`. The directions do not
    change.
    """
    if not is_parametrized(module, "weight"):
        return False
    for sizes in module.get_submodule("parametrizations.weight").parameters():
        if sizes.shape == std.shape:
            before = sizes.clone()
            sizes.copy_(sizes / std)
            if torch.allclose(cast(torch.Tensor, module.weight), target, rtol=0.02, atol=0):
                return True
            sizes.copy_(before)
    return False


def _check_finite(values: torch.Tensor, what: str) -> None:
    if not torch.isfinite(values).all():
        raise ModuleError(f"{what} holds {nonfinite_in(values)}")
