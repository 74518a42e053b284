"""Initializers for convolutions that upsample: sub-pixel convolutions and transposed convolutions."""

from dataclasses import replace

import torch

from initsk.initializers.core._answers import Choice, ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._registry import InitializerLike
from initsk.initializers.core._wrapper import Wrapper
from initsk.network import ParameterSpec
from initsk.utils.validation import integer


class ICNR(Wrapper):
    """Give all sub-pixels of a convolution before a pixel shuffle the same kernel, to avoid checkerboard patterns.

    Parameters
    ----------
    upscale_factor : int, default=2
        Factor of the pixel shuffle, at least 1.
    base : str, Initializer or callable, default="he_normal"
        The initializer that draws the kernels.

    Raises
    ------
    InvalidParameterError
        When used on a convolution whose number of outputs is not a multiple of ``upscale_factor ** d``.

    Notes
    -----
    Formula: in a convolution of `d` dimensions, each block of ``upscale_factor ** d`` consecutive outputs has one
    kernel, which the base draws (Aitken et al. 2017): the result equals nearest-neighbor resizing. The base fills
    all other layers. Intended for one layer: ``PerParameter([("up", ICNR(2), "up")])``. fastai has it; torch, Keras and
    JAX do not.

    Examples
    --------
    >>> import torch
    >>> from initsk.initializers import ICNR
    >>> kernels = ICNR(2).sample((8, 3, 3, 3), random_state=0)
    >>> bool((kernels[0] == kernels[3]).all()), bool((kernels[3] == kernels[4]).all())
    (True, False)
    """

    name = "icnr"
    family = "structured"
    formula = "upscale_factor^d kernels in a row are the same, by the base"
    reference = "Aitken et al. 2017"
    parameter_constraints = {"upscale_factor": integer(1)}

    def __init__(self, upscale_factor: int = 2, base: InitializerLike = "he_normal") -> None:
        self.upscale_factor = upscale_factor
        self.base = base

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return this initializer for convolutions, and the choice of the base for the rest."""
        if spec.kind == "convolution" and spec.role == "weight":
            return Choice(self, "sub-pixel convolution")
        return self.from_base(spec)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        if spec.kind != "convolution":
            return self.filling.unsupported_reason(spec)
        if spec.shape[0] % self._repeats(spec):
            return f"needs outputs in multiples of {self._repeats(spec)}, not shape {spec.shape} (out, in, *kernel)"
        return self.filling.unsupported_reason(self._fewer(spec))

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        if spec.kind != "convolution":
            return self.filling.draw_values(spec, generator, dtype)
        values = self.filling.draw_values(self._fewer(spec), generator, dtype)
        return values.repeat_interleave(self._repeats(spec), dim=0)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the base, or None for convolutions, whose kernels repeat."""
        return None if spec.kind == "convolution" else self.filling.expected_moments(spec)

    def _repeats(self, spec: ParameterSpec) -> int:
        return int(self.upscale_factor ** (len(spec.shape) - 2))

    def _fewer(self, spec: ParameterSpec) -> ParameterSpec:
        return replace(spec, shape=(spec.shape[0] // self._repeats(spec), *spec.shape[1:]))


class BilinearUpsampling(Initializer):
    """Set a transposed convolution to linear interpolation of each channel.

    Raises
    ------
    InvalidParameterError
        When used on a tensor that is not the kernel of a transposed convolution with as many outputs as inputs in
        each group.

    Notes
    -----
    Formula: ``W[i, i] = w(x) w(y) ...`` and zero between channels, with ``w(x) = 1 - |x - c| / f``, ``f = ceil(k / 2)``
    and ``c = (k - 1) / 2`` the center of a kernel of size `k` (Long et al. 2015, section 3.3, and their code). With
    ``k = 2 s`` and ``padding = s / 2`` a convolution of stride `s` resizes as ``torch.nn.functional.interpolate`` does,
    except at the border. `sample` draws for a transposed convolution. torch, Keras and JAX do not have it.

    Examples
    --------
    >>> from initsk.initializers import BilinearUpsampling
    >>> BilinearUpsampling().sample((1, 1, 4)).tolist()
    [[[0.25, 0.75, 0.75, 0.25]]]
    """

    name = "bilinear_upsampling"
    synonyms = ("bilinear",)
    family = "structured"
    formula = "W[i, i] = prod(1 - |x - c| / f), f = ceil(k / 2), else 0"
    reference = "Long et al. 2015, section 3.3"

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        fits = spec.kind == "convolution" and spec.shape[0] == spec.shape[1] and (spec.transposed or not spec.name)
        needs = "needs a transposed convolution with as many outputs as inputs in each group"
        return None if fits else f"{needs}, not shape {spec.shape} (for other layers PerParameter)"

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        kernel = torch.ones((), dtype=dtype)
        for size in spec.shape[2:]:
            position = torch.arange(size, dtype=torch.float64)
            weights = 1 - (position - (size - 1) / 2).abs() / ((size + 1) // 2)
            kernel = kernel.unsqueeze(-1) * weights.to(dtype)
        values = torch.zeros(spec.shape, dtype=dtype)
        values[range(spec.shape[0]), range(spec.shape[0])] = kernel
        return values
