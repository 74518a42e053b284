"""Checks of properties that every initializer must have, for users with their own initializers.

`check_initializer` runs all checks on an initializer; `parametrize_with_checks` makes a pytest test of each check.
Statistical checks draw with fixed seeds and allow six standard errors. For a normal distribution this is one false
alarm in about five hundred million draws, and the fixed seeds give the same outcome every time.
"""

from initsk.testing._run import check_initializer, checks, parametrize_with_checks

__all__ = ["check_initializer", "checks", "parametrize_with_checks"]
