"""A cached property without a lock."""

import functools
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property(functools.cached_property):  # noqa: N801 - the name of Python's own class
        """Python's own, without the lock that all instances share before Python 3.12.

        A thread that waits for another lock inside of the property would let all others wait, and a process that is
        forked meanwhile would wait for ever.
        """

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            """Return the value, which is computed at the first access."""
            if instance is None:
                return self
            held = vars(instance)
            if self.attrname not in held:
                held[self.attrname] = self.func(instance)
            return held[self.attrname]


__all__ = ["cached_property"]
