"""Checks for the tests of users: of their own initializers, and of their networks.

`assert_trainable` fails unless a network will probably train. `check_initializer` runs all checks on an initializer;
`parametrize_with_checks` makes a pytest test of each check.
Statistical checks draw with fixed seeds and allow six standard errors. For a normal distribution this is one false
alarm in about five hundred million draws, and the fixed seeds give the same outcome every time.
"""

from typing import TYPE_CHECKING, Any

from initsk.testing._run import check_initializer, checks, parametrize_with_checks

if TYPE_CHECKING:
    from initsk.testing._trainable import assert_trainable

__all__ = ["assert_trainable", "check_initializer", "checks", "parametrize_with_checks"]


def __getattr__(name: str) -> Any:
    if name != "assert_trainable":
        raise AttributeError(f"module 'initsk.testing' has no attribute {name!r}")
    # Diagnoses load skorch, which checks of initializers do not need.
    from initsk.testing._trainable import assert_trainable

    return assert_trainable
