"""Base class of all initializers."""

import inspect
from contextlib import nullcontext
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast, dataclass_transform

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers.core._answers import Choice, ExpectedMoments
from initsk.initializers.core._own_draws import check_tensor, missing_draw
from initsk.initializers.core._values import Value
from initsk.network import ParameterSpec, why_not_writable
from initsk.text import visible
from initsk.utils.precision import nonfinite_in
from initsk.utils.random import RandomState, generator_like_torch
from initsk.utils.torch_settings import outside_of_contexts, working_type
from initsk.utils.validation import Constraint, check_parameters, optional

if TYPE_CHECKING:
    from initsk.network import Network


# Products of larger numbers overflow in float32.
_OVERFLOW = 1e36


@dataclass_transform(eq_default=False)
class Initializer(Value):
    """Base of all initializers: parameters, repr, equality, hash, clone, JSON and pickle.

    A subclass declares its parameters as the fields of a dataclass (``std: float = 0.01``), or stores them in an
    ``__init__`` of its own, and lists their allowed values in `parameter_constraints`. Attributes that are not
    parameters have no annotation, or the annotation ``ClassVar``. It overrides `draw_values`, or delegates the draw to
    other initializers with `choose`. It may change the network after the draw in `refine`. It keeps no other state: two
    initializers are equal if their classes and parameters are equal.
    """

    #: The allowed values of each parameter; a subclass inherits the constraints of its bases.
    parameter_constraints: ClassVar[dict[str, Constraint]] = {}
    #: The names that `get_initializer` accepts, and what `list_initializers` shows.
    name: ClassVar[str] = ""
    synonyms: ClassVar[tuple[str, ...]] = ()
    family: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    #: Whether the initializer also sets biases if no `bias_initializer` is given; most leave them at zero.
    sets_biases: ClassVar[bool] = False
    #: Whether one call of `draw_values` draws all blocks of a spec; otherwise each call draws one block.
    draws_blocks: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Make a dataclass of a subclass without a written ``__init__``, and check what is declared about the draw.

        A subclass that overrides `draw_values` has to declare `draw_never_fails` and `draws_blocks` again to keep them.

        Raises
        ------
        TypeError
            If a class declares parameters as fields and inherits an ``__init__`` that does not take them.
        """
        super().__init_subclass__(**options)
        owner = next(kind for kind in cls.__mro__ if "__init__" in vars(kind))
        if owner is object or "__dataclass_fields__" in vars(owner):
            dataclass(eq=False, repr=False)(cls)
        elif owner is not cls and (fields := _fields_of(cls)):
            name, base = cls.__name__, owner.__name__
            raise TypeError(
                f"{name} declares fields that {base}.__init__ does not take: {', '.join(fields)}"
                f" (allowed: an __init__ in {name}, or fields in {base} as well)"
            )
        for name in ("draw_never_fails", "draws_blocks"):
            if _depth_of(cls, "draw_values") < _depth_of(cls, name):
                setattr(cls, name, False)

    def _repr_html_(self) -> str:
        """Return the expression that makes the initializer, its formula and its source, for a notebook."""
        facts = [("Formula", self.formula, "code"), ("Reference", self.reference, "span")]
        rows = [f"<br>{name}: <{tag}>{escape(visible(text))}</{tag}>" for name, text, tag in facts if text]
        return f"<div><code><b>{escape(visible(repr(self)))}</b></code>{''.join(rows)}</div>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        # That of scikit-learn says whether an estimator is fitted.
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    @property
    def needs_data(self) -> bool:
        """Whether `initialize` needs a batch X."""
        return any(part.needs_data for part in self.parts())

    @property
    def needs_gradient(self) -> bool:
        """Whether `initialize` needs a batch X with targets y, for gradients of the loss."""
        return any(part.needs_gradient for part in self.parts())

    @property
    def reads_architecture(self) -> bool:
        """Whether the initializer uses the activation functions, places or residual branches of a spec."""
        return any(part.reads_architecture for part in self.parts())

    @property
    def draw_never_fails(self) -> bool:
        """Whether `draw_values` succeeds for every spec without an `unsupported_reason`.

        `initialize` then fills large networks in place. A subclass that overrides `draw_values` must declare it again:
        ``draw_never_fails = True``.
        """
        return False

    def special_case(self) -> "Initializer":
        """Return the initializer with a name of its own that draws the same, or this one.

        Examples
        --------
        >>> from initsk.initializers import VarianceScaling
        >>> VarianceScaling(scale=2.0).special_case(), VarianceScaling(scale=3.0).special_case()
        (HeNormal(), VarianceScaling(scale=3.0))
        """
        return self

    def parts(self) -> list["Initializer"]:
        """Return the initializers among the parameters."""
        return [value for value in self.get_params(deep=False).values() if isinstance(value, Initializer)]

    @property
    def refines(self) -> bool:
        """Whether the initializer or one of its parts overrides `refine`."""
        return type(self).refine is not Initializer.refine or any(part.refines for part in self.parts())

    def check_specs(self, specs: list[ParameterSpec]) -> None:
        """Raise if the initializer does not fit the network as a whole.

        Raises
        ------
        InvalidParameterError
            For example if a pattern of `PerParameter` matches nothing.
        """
        for part in self.parts():
            part.check_specs(specs)

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the initializer that fills a spec; None leaves the spec to the defaults.

        The defaults set biases to zero and leave normalization layers and unknown layers unchanged.
        """
        if not spec.is_known or (spec.role == "bias" and not self.sets_biases):
            return None
        return Choice(self, f"{spec.role} initializer")

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None.

        An initializer without its own `draw_values` delegates to the initializer that `choose` returns.
        """
        if type(self).draw_values is not Initializer.draw_values:
            return None
        choice = self.choose(spec)
        if choice is not None and choice.initializer is self:
            return missing_draw(type(self))
        if choice is None:
            return f"has nothing for a {spec.role} of shape {spec.shape} in a layer of kind {spec.kind!r}"
        return choice.initializer.unsupported_reason(spec)

    def stored_spec(self, spec: ParameterSpec) -> ParameterSpec:
        """Return the spec to draw: `spec` itself, or the spec of the stored tensor that contains it as a block."""
        return spec

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec, or None if they depend on more than the spec."""
        choice = self.choose(spec)
        return None if choice is None or choice.initializer is self else choice.initializer.expected_moments(spec)

    def refine(self, network: "Network") -> None:
        """Change the network after all values are drawn; most initializers do nothing here."""
        for part in self.parts():
            part.refine(network)

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec; users call `draw`, which checks the spec and the values.

        Parameters
        ----------
        spec : ParameterSpec
            A spec without an `unsupported_reason`.
        generator : torch.Generator
            The only source of random numbers, on the CPU.
        dtype : torch.dtype
            Real or complex type of the values, in float32 or better.

        Returns
        -------
        torch.Tensor of shape ``spec.shape``; ``spec.stacked_shape`` if the class declares ``draws_blocks = True``
        """
        # `unsupported_reason` makes sure that there is a choice.
        chosen = cast(Choice, self.choose(spec))
        return chosen.initializer.draw_values(spec, generator, dtype)

    def draw_blocks(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return the values of all blocks of a spec; they equal those of single blocks, drawn one after the other.

        Parameters
        ----------
        spec, generator, dtype
            As for `draw_values`.

        Returns
        -------
        torch.Tensor of shape ``spec.stacked_shape``
        """
        if spec.count == 1 or self.draws_blocks:
            return check_tensor(self, self.draw_values(spec, generator, dtype))
        one = replace(spec, count=1)
        blocks = [check_tensor(self, self.draw_values(one, generator, dtype)) for _ in range(spec.count)]
        for block in blocks:
            self._check_shape(block, one.shape, spec)
        return torch.stack(blocks)

    def _check_shape(self, values: torch.Tensor, shape: tuple[int, ...], spec: ParameterSpec) -> None:
        if tuple(values.shape) != shape:
            raise InvalidParameterError(f"{self!r} drew the shape {tuple(values.shape)}, not {shape}{_at(spec)}")

    def check(self) -> Self:
        """Check the parameters and return the initializer.

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed; the message names all of them.
        """
        constraints: dict[str, Constraint] = {}
        for kind in reversed(type(self).__mro__):
            constraints |= vars(kind).get("parameter_constraints", {})
        check_parameters(type(self).__name__, self.get_params(deep=False), constraints)
        return self

    def check_spec(self, spec: ParameterSpec) -> None:
        """Raise if the initializer cannot fill a spec.

        Raises
        ------
        InvalidParameterError
            With the `unsupported_reason`.
        """
        reason = self.unsupported_reason(spec)
        if reason is not None:
            raise InvalidParameterError(f"{type(self).__name__} {reason}{_at(spec)}")
        if not self._largest(spec) < _OVERFLOW:
            raise InvalidParameterError(
                f"the values of {self!r} are too large for float32 (allowed: parameters that give smaller values)"
                f"{_at(spec)}"
            )

    def _largest(self, spec: ParameterSpec) -> float:
        """Return about the largest value that is drawn for a spec; 0 if it depends on more than the spec."""
        try:
            expected = self.expected_moments(spec)
        except (OverflowError, ZeroDivisionError):
            return float("inf")
        if expected is None:
            return 0.0
        return abs(float(expected.mean)) + min(float(expected.bound), 10 * float(expected.variance) ** 0.5)

    def draw(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Draw and check a CPU tensor for all blocks of a spec; `draw_values` computes in float32 or better.

        Parameters
        ----------
        spec : ParameterSpec
            Shape, fans and role of the tensor.
        generator : torch.Generator
            CPU generator of the random numbers.
        dtype : torch.dtype, default=torch.float32
            Type of the result.

        Returns
        -------
        torch.Tensor of shape ``spec.stacked_shape``
        """
        self.check_spec(spec)
        with outside_of_contexts():
            values = self.draw_blocks(spec, generator, working_type(dtype)).to(dtype)
        self._check_shape(values, spec.stacked_shape, spec)
        # Numbers that fit into float32 may be too large for half precision.
        is_checked = not self.draw_never_fails or torch.finfo(dtype).max < torch.finfo(torch.float32).max
        if is_checked and not torch.isfinite(values.to(working_type(dtype))).all():
            raise InvalidParameterError(f"{self!r} drew {nonfinite_in(values)} (allowed: finite numbers){_at(spec)}")
        return values

    def sample(
        self,
        shape: tuple[int, ...],
        *,
        random_state: RandomState = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> torch.Tensor:
        """Draw one weight tensor.

        Parameters
        ----------
        shape : tuple of int
            ``(out, in)`` or ``(out, in, *kernel)``, as torch stores weights.
        random_state : int, RandomState, Generator or None, default=None
            Seed of the draw; the same integer gives the same tensor on any device. None takes the seed from torch's
            global generator, as the functions of ``torch.nn.init`` do; an initializer that draws nothing takes none.
        generator : torch.Generator, optional
            CPU generator to draw from instead of `random_state`.
        dtype : torch.dtype, default=torch.float32
            Type of the tensor; real or complex.
        device : str or torch.device, default="cpu"
            Device of the tensor; the draw itself happens on the CPU.

        Returns
        -------
        torch.Tensor of the given shape

        Raises
        ------
        InvalidParameterError
            If a parameter of the initializer is not allowed, or the shape has no
            fans and the formula needs them.
        """
        self.check()
        given = {"dtype": dtype, "generator": generator}
        check_parameters("sample", given, {"dtype": _floating, "generator": optional(_generator)})
        if generator is not None and random_state is not None:
            raise InvalidParameterError("random_state and generator are not allowed together (give one of them)")
        with generator_like_torch(random_state) if generator is None else nullcontext(generator) as source:
            return self.draw(ParameterSpec.from_shape(shape), source, dtype).to(device)

    def fill_(
        self, tensor: torch.Tensor, *, random_state: RandomState = None, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Fill one tensor or parameter in place, as the functions of ``torch.nn.init`` do.

        Parameters
        ----------
        tensor : torch.Tensor of shape ``(out, in)`` or ``(out, in, *kernel)``
            Filled with the values of `sample`.
        random_state, generator
            As for `sample`.

        Returns
        -------
        torch.Tensor
            The same tensor.

        Raises
        ------
        InvalidParameterError
            As `sample`; if the tensor is sparse, or several of its elements share memory.

        Examples
        --------
        >>> from initsk.initializers import Ones
        >>> Ones().fill_(torch.empty(1, 2)).tolist()
        [[1.0, 1.0]]
        """
        problem = _unfillable(tensor)
        if problem:
            raise InvalidParameterError(
                f"fill_: tensor {problem} (allowed: a dense tensor of floating-point numbers, each with its own memory)"
            )
        given: Any = {"random_state": random_state, "generator": generator}
        values = self.sample(tuple(tensor.shape), **given, dtype=tensor.dtype, device=tensor.device)
        with torch.no_grad():
            return tensor.copy_(values)


def _fields_of(cls: type) -> list[str]:
    """Return the names that the class itself annotates as fields of a dataclass."""
    return [name for name, kind in inspect.get_annotations(cls).items() if "ClassVar" not in str(kind)]


def _depth_of(cls: type, name: str) -> int:
    """Return the position, in the order of resolution, of the class that defines an attribute."""
    return next(position for position, kind in enumerate(cls.__mro__) if name in vars(kind))


def _at(spec: ParameterSpec) -> str:
    return f"; at {spec.name}" if spec.name else ""


def _unfillable(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return f"is of the type {type(value).__name__}"
    return why_not_writable(value) or ("" if _floating(value.dtype) is None else f"has the type {value.dtype}")


def _floating(value: Any) -> str | None:
    fine = isinstance(value, torch.dtype) and (value.is_floating_point or value.is_complex)
    return None if fine else "a real or complex floating-point type of torch's"


def _generator(value: Any) -> str | None:
    return None if isinstance(value, torch.Generator) and value.device.type == "cpu" else "a torch.Generator on the CPU"
