"""Translation of messages and number formats; ``initsk/locale`` holds a catalogue for each language."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from math import isfinite, isnan
from numbers import Integral, Real
from pathlib import Path
from string import Formatter
from typing import Any

from initsk.exceptions import InvalidParameterError
from initsk.text import number_text, visible
from initsk.utils.reason import Reason
from initsk.utils.validation import one_of

_FOLDER = Path(__file__).parent / "locale"
_SOURCE = "en"
MISSING = "-"


def languages() -> list[str]:
    """Return the codes of the available languages.

    Examples
    --------
    >>> languages()
    ['en', 'id']
    """
    return [_SOURCE, *sorted(path.stem for path in _FOLDER.glob("*.po"))]


def message(text: str) -> str:
    """Return the text unchanged; the name of this function marks the text for the catalogue."""
    return text


def plural_message(one: str, many: str) -> tuple[str, str]:
    """Return a singular and a plural for `plural`; the name of this function marks them for the catalogue."""
    return one, many


class Language(Formatter):
    """A language: it translates messages and formats the values in them.

    Parameters
    ----------
    code : str
        Such as "en" or "id". `get_language` returns the same object for the same code.

    Examples
    --------
    >>> indonesian = get_language("id")
    >>> indonesian("epoch"), indonesian.number(0.978), indonesian.integer(60000)
    ('epoch', '0,9780', '60.000')
    """

    def __init__(self, code: str) -> None:
        from babel import Locale
        from babel.numbers import get_decimal_symbol
        from babel.support import NullTranslations, Translations

        self.code = code
        self._locale = Locale.parse(code)
        self._point = get_decimal_symbol(self._locale)
        self._catalogue: NullTranslations = NullTranslations()
        if code != _SOURCE:
            self._catalogue = Translations(fp=BytesIO(_compiled(_FOLDER / f"{code}.po")))

    def __call__(self, message: str, /, **values: Any) -> str:
        """Translate a message and put the values into its braces.

        Parameters
        ----------
        message : str
            In English. A brace may have a format: ``{x:.3g}`` calls `short`, ``{x:.1%}`` `percent`.
        **values
            Texts (shown as `initsk.text.visible` returns them), whole numbers, other numbers (four digits
            without a format) and lists of names (see `all_of`).

        Examples
        --------
        >>> get_language("en")("{n} runs of {names}: {share:.1%}", n=1200, names=["a", "b"], share=0.125)
        '1,200 runs of a and b: 12.5%'
        """
        # The empty message is the heading of a catalogue.
        text = self._catalogue.gettext(message) if message else ""
        # Without values it may be a name, in which braces are letters.
        return self.vformat(text, (), values) if values else visible(text)

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a value as text, with a number as this language writes it."""
        if isinstance(value, list):
            return self.all_of(value)
        if not isinstance(value, Real):
            return visible(str(value))
        if isinstance(value, Integral):
            return self.integer(int(value))
        digits = int(format_spec[1:-1] or 4)
        write = {"g": self.short, "%": self.percent}.get(format_spec[-1:], self.number)
        return write(float(value), digits)

    def reason(self, text: str) -> str:
        """Return a `Reason` in this language, and other text unchanged."""
        if not isinstance(text, Reason):
            return text
        values = {name: self.reason(value) if isinstance(value, str) else value for name, value in text.values.items()}
        return self(text.template, **values)

    def plural(self, one: str, many: str, n: int, /, **values: Any) -> str:
        """Translate a message that has a singular and a plural; the number is its value ``{n}``."""
        return self.vformat(self._catalogue.ngettext(one, many, n), (), values | {"n": n})

    def number(self, value: float, digits: int = 4) -> str:
        """Return a number with `digits` digits after the point, or a dash if it is not finite.

        From 1000 on, it has four significant digits, as in `initsk.text.number_text`.
        """
        if not isfinite(value):
            return MISSING
        if 1000 <= abs(value) < 10**6:
            return self.integer(round(value))
        return self._local(number_text(value, digits))

    def short(self, value: float, digits: int = 3) -> str:
        """Return a number with `digits` significant digits, or a dash if it is NaN."""
        if isnan(value):
            return MISSING
        if 1000 <= abs(value) < 10**6 and 3 <= digits < 6:
            # 2,050 reads better than 2.05e+03.
            return self.integer(round(value))
        return self._local(f"{value:.{digits}g}")

    def integer(self, value: float) -> str:
        """Return a whole number with grouped thousands, or a dash if it is not finite."""
        from babel.numbers import format_decimal

        return format_decimal(int(value), locale=self._locale) if isfinite(value) else MISSING

    def percent(self, share: float, digits: int = 0) -> str:
        """Return a share in percent, or a dash if it is not finite."""
        return self._local(f"{share:.{digits}%}") if isfinite(share) else MISSING

    def all_of(self, names: Sequence[str]) -> str:
        """Return the names as an enumeration: "a, b and c"."""
        if len(names) == 1:
            return visible(names[0])
        return self(message("{first} and {last}"), first=", ".join(names[:-1]), last=names[-1])

    def _local(self, text: str) -> str:
        return text.replace(".", self._point)


@cache
def _known(code: str) -> Language:
    return Language(code)


def get_language(code: str) -> Language:
    """Return the language that has a code.

    Raises
    ------
    InvalidParameterError
        If no language has the code.
    """
    wrong = one_of("language", languages())(code)
    if wrong:
        raise InvalidParameterError(wrong)
    return _known(code)


_current: ContextVar[str] = ContextVar("language", default=_SOURCE)


@contextmanager
def use_language(code: str) -> Iterator[None]:
    """Let `translate` and `plural` use a language in the body of a ``with`` statement.

    Examples
    --------
    >>> with use_language("id"):
    ...     translate("Layer")
    'Lapisan'
    >>> translate("Layer")
    'Layer'
    """
    token = _current.set(get_language(code).code)
    try:
        yield
    finally:
        _current.reset(token)


def current_language() -> Language:
    """Return the language of the innermost `use_language`, or English."""
    return _known(_current.get())


def translate(message: str, /, **values: Any) -> str:
    """Translate a message into the current language; see `Language`."""
    return current_language()(message, **values)


def plural(one: str, many: str, n: int, /, **values: Any) -> str:
    """Translate a message that has a singular and a plural into the current language."""
    return current_language().plural(one, many, n, **values)


def _compiled(path: Path) -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    stream = BytesIO()
    with path.open("rb") as file:
        write_mo(stream, read_po(file, locale=path.stem))
    return stream.getvalue()
