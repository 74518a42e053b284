"""Words of messages that depend on a number."""


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


def encodable(text: str) -> str:
    r"""Return text that frames and files can hold: lone surrogates, which have no encoding, become escapes.

    Examples
    --------
    >>> print(encodable("caf\udce9"))
    caf\udce9
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
