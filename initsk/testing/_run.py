"""Run all checks with one call, or as parameters of a pytest test."""

from collections.abc import Iterable
from itertools import product
from typing import Any

from initsk.initializers import InitializerLike, get_initializer
from initsk.testing._checks import CHECKS, Check


def check_initializer(initializer: InitializerLike) -> None:
    """Run every check on an initializer.

    Parameters
    ----------
    initializer : str, Initializer, Initializer class or callable
        The initializer to check. Its method ``expected_moments(spec)`` states the mean, variance, bounds and singular
        values; these are not checked if it returns None.

    Raises
    ------
    AssertionError
        If a check fails; the message shows the values.

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
    """Decorate a pytest test so that it runs once for each initializer and check.

    Parameters
    ----------
    initializers : iterable of str, Initializer, Initializer class or callable
        The initializers to check.

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
    try:
        import pytest
    except ImportError as error:
        hint = "parametrize_with_checks needs pytest: pip install pytest (check_initializer runs the checks without it)"
        raise ImportError(hint) from error
    pairs = product(map(get_initializer, initializers), checks())
    cases = [pytest.param(value, check, id=f"{value!r}-{check.__name__}") for value, check in pairs]
    return pytest.mark.parametrize(("initializer", "check"), cases)


def checks() -> list[Check]:
    """Return the checks: functions of an initializer that raise AssertionError.

    Examples
    --------
    >>> [check.__name__ for check in checks()][:3]
    ['check_is_a_value', 'check_repr', 'check_json']
    """
    return list(CHECKS)
