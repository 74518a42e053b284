"""Laws that every initializer keeps, for those who write one.

`check_initializer` runs all of them on an object; `parametrize_with_checks` makes a pytest test of each. Statistical
laws draw with fixed seeds and allow six standard errors: for a normal law that is a false alarm in
some five hundred million, and with fixed seeds the outcome never changes.
"""

from initsk.testing._check import check_initializer, checks, parametrize_with_checks

__all__ = [
    "check_initializer",
    "checks",
    "parametrize_with_checks",
]
