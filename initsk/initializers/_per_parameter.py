"""PerParameter: different initializers for different parameters."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError
from initsk.initializers.core._answers import Choice, ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._registry import InitializerLike, get_initializer, set_initializer_params
from initsk.network import Network, ParameterSpec
from initsk.utils.validation import resolved_by

Pattern = TypeAliasType("Pattern", str | type | Callable[[ParameterSpec], bool])
Rule = TypeAliasType("Rule", tuple[str, InitializerLike, Pattern])


def _is_rule(rule: Any) -> bool:
    return isinstance(rule, tuple | list) and len(rule) == 3 and isinstance(rule[0], str)


def _rules(value: Any) -> str | None:
    """Return what is wrong with a list of rules, or None."""
    if not isinstance(value, tuple | list) or not all(map(_is_rule, value)):
        return "a list of (name, initializer, pattern)"
    problems = []
    seen: set[str] = set()
    for name, initializer, pattern in value:
        if not name:
            problems.append("a rule's name is empty")
        elif "__" in name:
            problems.append(f"the rule's name {name!r} has a double underscore")
        elif name in seen:
            problems.append(f"the rule's name {name!r} is that of an earlier rule")
        elif name in ("rules", "remainder"):
            problems.append(f"the rule's name {name!r} is that of a parameter of PerParameter")
        seen.add(name)
        wrong = resolved_by(get_initializer)(initializer)
        if wrong:
            problems.append(f"{name}: {wrong}")
        if not (isinstance(pattern, str) or callable(pattern)):
            problems.append(f"{name}: pattern={pattern!r} is not allowed (a glob, a module class or a function)")
    return "; ".join(problems) or None


class PerParameter(Initializer):
    """Choose the initializer by the parameter's name, the layer's type, or a function.

    Parameters
    ----------
    rules : list of (name, initializer, pattern), default=()
        The first rule that matches a parameter fills it. `name` is the name of the rule, without double
        underscores; nested parameters begin with it (``head__std``). `pattern` is one of

        - a glob over names of layers (``"encoder.*"``, ``"output"``) or a module class: it matches layers. Their biases
          get what `initializer` chooses for biases (mostly zeros). If the class is a normalization or a layer that
          initsk does not know, the rule fills its weights and leaves its biases;
        - a glob over names of parameters (``"*.bias"``, ``"output.weight"``), or a function of a `ParameterSpec`
          that returns True: it matches parameters, including biases and
          normalization layers.
    remainder : str, Initializer or callable, default="he_normal"
        The initializer of all other parameters.

    Raises
    ------
    InvalidParameterError
        When used, if a pattern matches no parameter; the message shows the patterns and the parameters.

    Notes
    -----
    Formula: that of the first rule that matches. In torch, users write a loop over ``named_modules()`` with conditions;
    in Keras and flax, each layer takes an initializer when it is built.

    Examples
    --------
    >>> from initsk import initialize
    >>> from initsk.initializers import PerParameter, RandomNormal
    >>> from initsk.network import MLP
    >>> mixed = PerParameter([("head", RandomNormal(0.1), "output"), ("bias", "ones", "hidden_?.bias")])
    >>> initialize(MLP(4, 2, (8,)), mixed).to_frame()[["name", "initializer"]]
                  name           initializer
    0  hidden_1.weight            HeNormal()
    1    hidden_1.bias                Ones()
    2    output.weight  RandomNormal(std=0.1)
    3      output.bias               Zeros()
    >>> mixed.set_params(head__std=0.2).get_params()["head__std"]
    0.2
    """

    name = "per_parameter"
    family = "composed"
    formula = "that of the first rule that matches"

    parameter_constraints = {"rules": _rules, "remainder": resolved_by(get_initializer)}

    rules: Sequence[Rule] = ()
    remainder: InitializerLike = "he_normal"

    def parts(self) -> list[Initializer]:
        """Return the initializers of the rules, and the remainder."""
        return [*(get_initializer(initializer) for _, initializer, _ in self.rules), get_initializer(self.remainder)]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with `deep`, also each rule's initializer and its parameters by the rule's name."""
        params: dict[str, Any] = super().get_params(deep=deep)
        for name, initializer, _ in filter(_is_rule, self.rules) if deep else ():
            params[name] = initializer
            if isinstance(initializer, Initializer):
                params.update({f"{name}__{key}": value for key, value in initializer.get_params().items()})
        return params

    def set_params(self, **params: Any) -> "PerParameter":
        """Set parameters: `rules`, `remainder`, a rule's initializer by the rule's name, or nested parameters.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        if "rules" in params:
            self.rules = params.pop("rules")
        for key in [key for key in params if key in {name for name, _, _ in self.rules}]:
            self._replace(key, params.pop(key))
        for key in [key for key in params if key.partition("__")[0] in {name for name, _, _ in self.rules}]:
            name, _, inner = key.partition("__")
            # A copy, because another PerParameter may share the initializer.
            current = next(initializer for known, initializer, _ in self.rules if known == name)
            self._replace(name, get_initializer(current).__sklearn_clone__().set_params(**{inner: params.pop(key)}))
        super().set_params(**set_initializer_params(self, params, ("remainder",)))
        return self

    def _replace(self, name: str, initializer: InitializerLike) -> None:
        self.rules = [(known, initializer if known == name else old, where) for known, old, where in self.rules]

    def check_specs(self, specs: list[ParameterSpec]) -> None:
        """Raise if a rule has nothing to fill; the message shows the patterns and the parameters' names."""
        used = {self._part_of(spec) for spec in specs}
        idle = [(name, where) for number, (name, _, where) in enumerate(self.rules) if number not in used]
        if idle:
            names = ", ".join(dict.fromkeys(spec.name for spec in specs))
            taken = [rule for rule in idle if any(_matches(rule[1], spec) for spec in specs)]
            rest = [rule for rule in idle if rule not in taken]
            problems = [f"no parameter matches {_list(rest)}"] if rest else []
            problems += [f"earlier rules match all parameters of {_list(taken)}"] if taken else []
            raise InvalidParameterError(
                f"PerParameter: {'; '.join(problems)}; parameters: {names} (without frozen ones, and tied ones by their"
                " first name)"
            )
        super().check_specs(specs)

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the choice of the first rule that matches, or of the remainder."""
        for name, initializer, where in self.rules:
            match = _matches(where, spec)
            if match:
                choice = get_initializer(initializer).choose(spec)
                if match == "parameter" or (isinstance(where, type) and spec.role == "weight"):
                    choice = choice or Choice(get_initializer(initializer), "")
                return choice and Choice(choice.initializer, f"rule {name!r}", is_named=True)
        return get_initializer(self.remainder).choose(spec)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments by the rule for a spec; its initializer may change what its choice draws."""
        part = self.parts()[self._part_of(spec)]
        return part.expected_moments(spec) if part.refines else super().expected_moments(spec)

    def refine(self, network: Network) -> None:
        """Call `refine` of each part for the parameters that it filled."""
        parts: dict[int, set[str]] = {}
        for name, spec in network.specs.items():
            parts.setdefault(self._part_of(spec), set()).add(name)
        for number, part in enumerate(self.parts()):
            part.refine(network.restricted(parts.get(number, set())))

    def _part_of(self, spec: ParameterSpec) -> int:
        return next((i for i, (_, _, where) in enumerate(self.rules) if _matches(where, spec)), len(self.rules))


def _matches(where: Pattern, spec: ParameterSpec) -> str:
    """Return "layer" or "parameter" for what the pattern matches, or "" if it matches neither."""
    if isinstance(where, type):
        return "layer" if spec.layer is not None and issubclass(spec.layer, where) else ""
    if not isinstance(where, str):
        return "parameter" if where(spec) else ""
    if fnmatchcase(spec.layer_name, where):
        return "layer"
    return "parameter" if fnmatchcase(spec.name, where) else ""


def _list(rules: list[tuple[str, Pattern]]) -> str:
    return ", ".join(f"{name} ({_show(where)})" for name, where in rules)


def _show(where: Pattern) -> str:
    return repr(where) if isinstance(where, str) else str(getattr(where, "__name__", where))
