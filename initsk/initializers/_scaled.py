"""An initializer times a factor."""

from typing import Any, ClassVar, Self, cast

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers._registry import InitializerLike, get_initializer, set_initializer_params
from initsk.initializers.core._base import Choice, ExpectedMoments, Initializer
from initsk.network import ParameterSpec
from initsk.utils.validation import Constraint, real, resolved_by


class Wrapper(Initializer):
    """Base of schemes that change some layers of what another initializer does."""

    parameter_constraints: ClassVar[dict[str, Constraint]] = {"base": resolved_by(get_initializer)}
    #: Whether the base may work on the network once its values are in place; a factor of ours would be lost in that.
    _base_may_refine: ClassVar[bool] = False

    base: InitializerLike | None

    def __init__(self, base: InitializerLike = "he_normal") -> None:
        self.base = base

    @property
    def filling(self) -> Initializer:
        """The base as an initializer."""
        # None is for subclasses that have a filling of their own.
        return get_initializer(cast(InitializerLike, self.base))

    def parts(self) -> list[Initializer]:
        """List the initializer underneath."""
        return [self.filling]

    def check(self) -> Self:
        """Check the parameters, and that nothing the scheme does is undone by its base."""
        super().check()
        if self.filling.refines and not self._base_may_refine:
            raise InvalidParameterError(
                f"{type(self).__name__}: base={self.filling!r} is not allowed (an initializer that has done all once it"
                " has drawn; the scheme may be the base of the other)"
            )
        return self

    def set_params(self, **params: Any) -> Self:
        """Set parameters; nested ones of a base that is a name, or left to the scheme, too."""
        if self.base is None and "base" not in params and any(key.startswith("base__") for key in params):
            params["base"] = self.filling
        super().set_params(**set_initializer_params(self, params, ("base",)))
        return self

    def from_base(self, spec: ParameterSpec, factor: float = 1.0, why: str = "") -> Choice | None:
        """Return what the base chooses, times a factor."""
        choice = self.filling.choose(spec)
        if choice is None or not why:
            return choice
        return Choice(choice.initializer if factor == 1 else Scaled(choice.initializer, factor), why)


class Scaled(Wrapper):
    """Draw what another initializer draws, times a factor.

    Parameters
    ----------
    base : str, Initializer or callable, default="he_normal"
        What is drawn.
    factor : float, default=1.0
        What multiplies it.

    Raises
    ------
    InvalidParameterError
        When used on what the base unsupported_reason, or around a base that works on the network after it has drawn.

    Notes
    -----
    Law: ``W = factor W_base``.
    torch has the factor as `gain` in its functions, Keras and JAX as `scale`, the factor's square.

    Examples
    --------
    >>> from initsk.initializers import Ones, Scaled
    >>> Scaled(Ones(), 0.5).sample((1, 2)).tolist()
    [[0.5, 0.5]]
    """

    name = "scaled"
    family = "composed"
    formula = "W = factor W_base"
    parameter_constraints: ClassVar[dict[str, Constraint]] = {**Wrapper.parameter_constraints, "factor": real()}

    def __init__(self, base: InitializerLike = "he_normal", factor: float = 1.0) -> None:
        self.base = base
        self.factor = factor

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Scale the base's choice."""
        choice = self.filling.choose(spec)
        return None if choice is None else Choice(Scaled(choice.initializer, self.factor), choice.why)

    @property
    def draw_never_fails(self) -> bool:
        """Whether the base does."""
        return self.filling.draw_never_fails

    def stored_spec(self, spec: ParameterSpec) -> ParameterSpec:
        """Return what the base draws."""
        return self.filling.stored_spec(spec)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Say what the base says."""
        return self.filling.unsupported_reason(spec)

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return self.filling.draw_values(spec, generator, dtype).mul_(self.factor)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Say what the values for `spec` will be like."""
        inner = self.filling.expected_moments(spec)
        if inner is None:
            return None
        size = abs(self.factor)
        return ExpectedMoments(
            inner.variance * size**2,
            inner.mean * self.factor,
            inner.bound * size if size else 0.0,
            inner.symmetric,
            None if inner.singular_value is None else inner.singular_value * size,
        )


class Centred(Wrapper):
    r"""Draw what another initializer draws, and subtract from each unit's weights their mean.

    Parameters
    ----------
    base : str, Initializer or callable, default="orthogonal"
        What is drawn.

    Raises
    ------
    InvalidParameterError
        When used on a spec that the base cannot fill, on units of one input, or around a base that refines the network
        after the draw.

    Notes
    -----
    Law: ``W = c (W_base - mean of each unit)``, with :math:`c = (1 - 1 / n)^{-1/2}` for units of n inputs, so that the
    variance stays.

    A function with :math:`\phi(0) \ne 0` shifts all of a layer's activations alike, which the next layer turns into a
    shift of each unit that is the same for all samples: in deep networks of sigmoids it is all that is left. Centred
    weights do not let it pass. Since :math:`\sigma(x) = 1/2 + \tanh(x / 2) / 2`, centred weights times 4 make of a
    network of sigmoids one of tanh, layer by layer. Huang et al. 2017 keep weights centred while they are trained;
    for the start neither torch nor Keras nor JAX has it.

    Examples
    --------
    >>> from initsk.initializers import Centred, Orthogonal
    >>> w = Centred(Orthogonal(gain=4.0)).sample((50, 100), random_state=0)
    >>> w.sum(1).abs().max().item() < 1e-4
    True
    """

    name = "centred"
    family = "composed"
    formula = "W = (W_base - mean of each unit) / sqrt(1 - 1 / fan_in)"
    reference = "Huang et al. 2017"
    parameter_constraints: ClassVar[dict[str, Constraint]] = {**Wrapper.parameter_constraints}

    def __init__(self, base: InitializerLike = "orthogonal") -> None:
        self.base = base

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Centre the base's choice of weights."""
        choice = self.filling.choose(spec)
        if choice is None or spec.role == "bias":
            return choice
        return Choice(Centred(choice.initializer), choice.why)

    def stored_spec(self, spec: ParameterSpec) -> ParameterSpec:
        """Return what the base draws."""
        return self.filling.stored_spec(spec)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Say what the base says, and what has no mean to subtract."""
        if spec.missing_matrix or spec.matrix_shape[1] < 2:
            return f"needs units of at least two inputs, not a tensor of shape {spec.shape}"
        return self.filling.unsupported_reason(spec)

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        values = self.filling.draw_values(spec, generator, dtype)
        rows = values.reshape(spec.matrix_shape)
        rows = (rows - rows.mean(1, keepdim=True)) * (1 - 1 / rows.shape[1]) ** -0.5
        return rows.reshape(values.shape)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Say what the values for `spec` will be like."""
        inner = self.filling.expected_moments(spec)
        return None if inner is None else ExpectedMoments(inner.variance, symmetric=inner.symmetric, centred=True)
