"""Initializers that wrap another initializer: base classes, stored tensors, multiplication by a factor, centring."""

from typing import Any, ClassVar, Self, cast

import torch
from sklearn.base import clone

from initsk.exceptions import InvalidParameterError
from initsk.initializers.core._answers import Choice, ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._registry import InitializerLike, get_initializer, set_initializer_params
from initsk.network import FRAMEWORK_LAYOUTS, ParameterSpec
from initsk.utils.validation import instance_of, one_of, optional, real, resolved_by


class Wrapper(Initializer):
    """Base of initializers that change a part of what another initializer does."""

    parameter_constraints = {"base": resolved_by(get_initializer)}
    #: The base that None stands for, in subclasses that allow None.
    default_base: ClassVar[InitializerLike | None] = None
    #: Whether the base may have a `refine` of its own. It would undo a factor.
    base_may_refine: ClassVar[bool] = False

    base: InitializerLike | None = "he_normal"

    @property
    def filling(self) -> Initializer:
        """The base as an initializer."""
        if self.base is None and self.default_base is not None:
            # A copy: `set_params` may change it.
            return clone(get_initializer(self.default_base))
        return get_initializer(cast(InitializerLike, self.base))

    def parts(self) -> list[Initializer]:
        """Return the base."""
        return [self.filling]

    def check(self) -> Self:
        """Check the parameters, and that the base does not change values after the draw."""
        super().check()
        if self.filling.refines and not self.base_may_refine:
            raise InvalidParameterError(
                f"{type(self).__name__}: base={self.filling!r} is not allowed, because it changes the values after the"
                f" draw (allowed: an initializer that only draws; or give it {type(self).__name__} as its base)"
            )
        return self

    def set_params(self, **params: Any) -> Self:
        """Set parameters, including nested ones of a base that is a name or None."""
        if self.base is None and "base" not in params and any(key.startswith("base__") for key in params):
            params["base"] = self.filling
        super().set_params(**set_initializer_params(self, params, ("base",)))
        return self

    def from_base(self, spec: ParameterSpec, factor: float = 1.0, why: str = "") -> Choice | None:
        """Return the choice of the base, times a factor."""
        choice = self.filling.choose(spec)
        if choice is None or not why:
            return choice
        return Choice(choice.initializer if factor == 1 else Scaled(choice.initializer, factor), why)


class Refinement(Wrapper):
    """Base of initializers that draw with another initializer and then change the values in `refine`."""

    base_may_refine = True

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the choice of the base, whose values `refine` changes."""
        return self.from_base(spec)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the base, which may be a refinement too."""
        return None if self.choose(spec) is None else self.filling.expected_moments(spec)


class AsStored(Wrapper):
    """Draw a parameter as the one tensor that a framework stores, with the fans that the framework counts.

    All other initializers draw gates, groups and projections as separate matrices, and count connections as fans. The
    names of other frameworks (``"torch.orthogonal_"``) use `AsStored` to draw exactly what the framework draws.

    Parameters
    ----------
    base : Initializer or None, default=None
        The initializer that draws; None means ``HeNormal()``.
    framework : {"torch", "keras", "jax"}, default="torch"
        The framework that stores the tensor.

    Raises
    ------
    InvalidParameterError
        When used on a tensor that the base cannot fill.

    Notes
    -----
    Formula: that of the base, for this tensor:

    - torch: the whole tensor; the gates of an LSTM and the projections of attention are one matrix,
      ``fan_in = shape[1] * kernel`` and ``fan_out = shape[0] * kernel``. So the fans of transposed convolutions are
      swapped, fan_out ignores groups, and the fan_in of an embedding is its width;
    - keras: as torch, with three exceptions: depthwise convolutions are stored as ``(*kernel, in, multiplier)``, so
      ``fan_in = in * kernel``; embeddings have as many inputs as rows; attention is drawn projection by
      projection (Keras also separates the heads, `AsStored` does not);
    - jax: kernels as flax stores them: separate gates and projections, transposed convolutions with the fans
      of their connections, embeddings with as many inputs as rows, groups as in torch.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import AsStored, Orthogonal
    >>> lstm = torch.nn.LSTM(3, 4)
    >>> for initializer in Orthogonal(), AsStored(Orthogonal()):
    ...     record = initialize(lstm, initializer, random_state=0)
    ...     print(round(torch.linalg.matrix_norm(lstm.weight_hh_l0.detach(), ord=2).item(), 4))
    2.0
    1.0
    """

    name = "as_stored"
    family = "composed"
    formula = "that of the base, over the tensor as a framework stores it"
    parameter_constraints = {
        "base": optional(instance_of(Initializer, "an Initializer")),
        "framework": one_of("framework", FRAMEWORK_LAYOUTS),
    }
    default_base = "he_normal"
    base_may_refine = True
    draws_blocks = True

    base: Initializer | None = None
    framework: str = "torch"

    @property
    def draw_never_fails(self) -> bool:
        """Whether the draw of the base never fails."""
        return self.filling.draw_never_fails

    def stored_spec(self, spec: ParameterSpec) -> ParameterSpec:
        """Return the spec of the stored tensor."""
        return spec.as_stored(self.framework)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the base cannot fill the stored tensor, or None."""
        return self.filling.unsupported_reason(self.stored_spec(spec))

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec."""
        return self.filling.expected_moments(self.stored_spec(spec))

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        return self.filling.draw_blocks(self.stored_spec(spec), generator, dtype)


class Transformed(Wrapper):
    """Base of initializers that transform each weight tensor that another initializer draws."""

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return this initializer around the choice of the base."""
        choice = self.filling.choose(spec)
        if choice is None:
            return None
        parameters = {**self.get_params(deep=False), "base": choice.initializer}
        return Choice(type(self)(**parameters), choice.why)

    def stored_spec(self, spec: ParameterSpec) -> ParameterSpec:
        """Return the spec that the base draws."""
        return self.filling.stored_spec(spec)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the base cannot fill the spec, or None."""
        return self.filling.unsupported_reason(spec)


class Scaled(Transformed):
    """Multiply the values of another initializer by a factor.

    Parameters
    ----------
    base : str, Initializer or callable, default="he_normal"
        The initializer that draws.
    factor : float, default=1.0
        The factor.

    Raises
    ------
    InvalidParameterError
        When used on a spec that the base cannot fill, or with a base that changes the network after the draw.

    Notes
    -----
    Formula: ``W = factor W_base``.
    The functions of torch call the factor `gain`; Keras and JAX have its square as `scale`.

    Examples
    --------
    >>> from initsk.initializers import Ones, Scaled
    >>> Scaled(Ones(), 0.5).sample((1, 2)).tolist()
    [[0.5, 0.5]]
    """

    name = "scaled"
    family = "composed"
    formula = "W = factor W_base"
    draws_blocks = True
    parameter_constraints = {"factor": real()}

    base: InitializerLike = "he_normal"
    factor: float = 1.0

    @property
    def draw_never_fails(self) -> bool:
        """Whether the draw of the base never fails."""
        return self.filling.draw_never_fails

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return the values of the base times the factor."""
        return self.filling.draw_blocks(spec, generator, dtype).mul_(self.factor)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec."""
        inner = self.filling.expected_moments(spec)
        if inner is None:
            return None
        size = abs(self.factor)
        bound = inner.bound * size if size else 0.0
        singular = None if inner.singular_value is None else inner.singular_value * size
        return ExpectedMoments(inner.variance * size**2, inner.mean * self.factor, bound, inner.symmetric, singular)


class Centered(Transformed):
    r"""Draw with another initializer, and subtract the mean from the weights of each unit.

    Parameters
    ----------
    base : str, Initializer or callable, default="orthogonal"
        The initializer that draws.

    Raises
    ------
    InvalidParameterError
        When used on a spec that the base cannot fill, on units of one input, or with a base that changes the network
        after the draw.

    Notes
    -----
    Formula: ``W = c (W_base - mean of each unit)``, with :math:`c = (1 - 1 / n)^{-1/2}` for units of n inputs, which
    restores the variance.

    A function with :math:`\phi(0) \ne 0` shifts all activations of a layer by the same value. The next layer turns this
    into a shift of each unit that is the same for all samples; in deep networks of sigmoids only this shift remains.
    Centered weights remove it. Since :math:`\sigma(x) = 1/2 + \tanh(x / 2) / 2`, centered weights times 4 turn a
    network of sigmoids into a network of tanh, layer by layer. Huang et al. 2017 keep weights centered during training;
    torch, Keras and JAX have no such initializer.

    Examples
    --------
    >>> from initsk.initializers import Centered, Orthogonal
    >>> w = Centered(Orthogonal(gain=4.0)).sample((50, 100), random_state=0)
    >>> w.sum(1).abs().max().item() < 1e-4
    True
    """

    name = "centered"
    family = "composed"
    formula = "W = (W_base - mean of each unit) / sqrt(1 - 1 / fan_in)"
    reference = "Huang et al. 2017"

    base: InitializerLike = "orthogonal"

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return this initializer around the choice of the base for weights, and the choice of the base for biases."""
        return self.from_base(spec) if spec.role == "bias" else super().choose(spec)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec has no mean to subtract or the base cannot fill it, or None."""
        if spec.missing_matrix or spec.matrix_shape[1] < 2:
            return f"needs units of at least two inputs, not a tensor of shape {spec.shape}"
        return super().unsupported_reason(spec)

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return the centered values of the base."""
        values = self.filling.draw_values(spec, generator, dtype)
        rows = values.reshape(spec.matrix_shape)
        rows = (rows - rows.mean(1, keepdim=True)) * (1 - 1 / rows.shape[1]) ** -0.5
        return rows.reshape(values.shape)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec."""
        inner = self.filling.expected_moments(spec)
        return None if inner is None else ExpectedMoments(inner.variance, symmetric=inner.symmetric, centered=True)
