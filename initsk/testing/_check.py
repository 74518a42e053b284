"""All laws, by one call or as pytest's parameters."""

from collections.abc import Callable, Iterable
from typing import Any

from initsk.initializers import Initializer, InitializerLike, get_initializer
from initsk.testing._laws import (
    check_bounds_and_symmetry,
    check_failure_is_clean,
    check_fans,
    check_global_state,
    check_is_a_value,
    check_json,
    check_mean_and_variance,
    check_module_rules,
    check_repr,
    check_same_seed_same_values,
    check_singular_values,
    check_types,
)

Check = Callable[[Initializer], None]

_CHECKS: tuple[Check, ...] = (
    check_is_a_value,
    check_repr,
    check_json,
    check_same_seed_same_values,
    check_types,
    check_mean_and_variance,
    check_bounds_and_symmetry,
    check_singular_values,
    check_fans,
    check_module_rules,
    check_failure_is_clean,
    check_global_state,
)


def check_initializer(initializer: InitializerLike) -> None:
    """Run every law on an initializer.

    Parameters
    ----------
    initializer : str, Initializer, Initializer class or callable
        What is checked; its statistical expected is what its method ``expected(spec)`` says, and where that is None,
        mean, variance, bounds and singular values are not looked at.

    Raises
    ------
    AssertionError
        If a law is broken; the message says which, with the numbers.

    Examples
    --------
    >>> from initsk.initializers import RandomNormal
    >>> from initsk.testing import check_initializer
    >>> check_initializer(RandomNormal(0.5))
    """
    value = get_initializer(initializer)
    for check in checks():
        check(value)


def parametrize_with_checks(initializers: Iterable[InitializerLike]) -> Any:
    """Decorate a pytest test so that it runs once for each initializer and law.

    Parameters
    ----------
    initializers : iterable of str, Initializer, Initializer class or callable
        What is checked.

    Returns
    -------
    decorator
        For a test with the arguments `initializer` and `check`.

    Examples
    --------
    >>> from initsk.testing import parametrize_with_checks
    >>> @parametrize_with_checks(["he_normal", "orthogonal"])
    ... def test_my_initializers(initializer, check):
    ...     check(initializer)
    """
    import pytest

    resolved = [get_initializer(initializer) for initializer in initializers]
    cases = [
        pytest.param(initializer, check, id=f"{initializer!r}-{check.__name__}")
        for initializer in resolved
        for check in checks()
    ]
    return pytest.mark.parametrize(("initializer", "check"), cases)


def checks() -> list[Check]:
    """List the laws, each a function of an initializer whose name begins with ``check_``.

    Examples
    --------
    >>> [check.__name__ for check in checks()][:3]
    ['check_is_a_value', 'check_repr', 'check_json']
    """
    return list(_CHECKS)
