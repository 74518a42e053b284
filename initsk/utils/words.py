"""Words of messages: numbers with nouns, lists, and reasons."""

from collections.abc import Sequence


def counted(n: int, one: str, many: str = "") -> str:
    """Return a number with the singular or the plural of a noun.

    Parameters
    ----------
    n : int
    one : str
        The singular.
    many : str, default=""
        The plural; by default the singular with an "s".

    Examples
    --------
    >>> counted(1, "sample"), counted(2, "sample"), counted(0, "branch", "branches")
    ('1 sample', '2 samples', '0 branches')
    """
    return f"{n} {one if n == 1 else many or f'{one}s'}"


def listed(parts: Sequence[str], most: int) -> str:
    """Return the first `most` parts, separated by commas, and "..." if there are more.

    Examples
    --------
    >>> listed(["a", "b", "c"], 3), listed(["a", "b", "c"], 2)
    ('a, b, c', 'a, b, ...')
    """
    return ", ".join([*parts[:most], *(["..."] if len(parts) > most else [])])


def encodable(text: str) -> str:
    r"""Return text that frames and files can hold: lone surrogates, which have no encoding, become escapes.

    Examples
    --------
    >>> print(encodable("caf\udce9"))
    caf\udce9
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def reason_of(error: BaseException) -> str:
    r"""Return the first line of an error's message, or the name of its class if it has no message.

    Examples
    --------
    >>> reason_of(ValueError("no such luck\nin line 3")), reason_of(MemoryError())
    ('no such luck', 'MemoryError')
    """
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # a user's class may raise anything
        lines = []
    return lines[0] if lines else type(error).__name__


def named_reason(error: BaseException) -> str:
    """Return the class of an error and the first line of its message.

    Examples
    --------
    >>> named_reason(KeyError("mask")), named_reason(StopIteration())
    ("KeyError: 'mask'", 'StopIteration')
    """
    name, reason = type(error).__name__, reason_of(error)
    return name if reason == name else f"{name}: {reason}"
