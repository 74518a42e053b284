"""Words and numbers in a reader's language: gettext catalogues, one file each in ``initsk/locale``."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from math import isfinite, isnan
from pathlib import Path
from typing import Any

from initsk.exceptions import InvalidParameterError
from initsk.utils.validation import one_of

_FOLDER = Path(__file__).parent / "locale"
_SOURCE = "en"
MISSING = "-"


def languages() -> list[str]:
    """Return the codes of the languages that there are.

    Examples
    --------
    >>> languages()
    ['en', 'id']
    """
    return [_SOURCE, *sorted(path.stem for path in _FOLDER.glob("*.po"))]


def message(text: str) -> str:
    """Return the text as it is, and mark it for the catalogue: it is translated where it is used."""
    return text


class Sentence(str):
    """An English sentence that knows how it is made, so that it can be said again in another language.

    Parameters
    ----------
    template : str
        Marked by `message` where it stands.
    **values
        What is put into its braces; numbers are written with four digits.

    Examples
    --------
    >>> why = Sentence(message("feeds {activation}, of gain {gain}"), activation="relu", gain=2**0.5)
    >>> why, get_language("id").again(why)
    ('feeds relu, of gain 1.4142', 'menuju relu, dengan gain 1,4142')
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, **values: Any) -> "Sentence":
        """Make the English sentence."""
        shown = {name: f"{value:.4f}" if isinstance(value, float) else value for name, value in values.items()}
        sentence = super().__new__(cls, template.format(**shown))
        sentence.template, sentence.values = template, values
        return sentence

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


class Language:
    """A language: called with an English message, it returns the translation with the values filled in.

    Parameters
    ----------
    code : str
        Such as "en" or "id"; use `get_language`, which keeps what it has read.

    Examples
    --------
    >>> say = get_language("id")
    >>> say("epoch"), say.number(0.978), say.integer(60000), get_language("en").integer(60000)
    ('epoch', '0,9780', '60.000', '60,000')
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
        """Translate, and put the values into the braces."""
        return self._catalogue.gettext(message).format(**values)

    def again(self, text: str) -> str:
        """Return a `Sentence` in this language; of other text nobody knows how it is made."""
        if not isinstance(text, Sentence):
            return text
        values = {
            name: self.number(v) if isinstance(v, float) else self.again(v) if isinstance(v, str) else v
            for name, v in text.values.items()
        }
        return self(text.template, **values)

    def plural(self, one: str, many: str, n: int, /, **values: Any) -> str:
        """Translate by a number, which is the value ``{n}``."""
        return self._catalogue.ngettext(one, many, n).format(n=self.integer(n), **values)

    def number(self, value: float, digits: int = 4) -> str:
        """Return so many digits after the point; a dash for what is not finite."""
        # Adding zero turns a rounded -0.0 into 0.0.
        return self._local(f"{round(value, digits) + 0.0:.{digits}f}") if isfinite(value) else MISSING

    def short(self, value: float, digits: int = 3) -> str:
        """Return so many significant digits."""
        if isnan(value):
            return MISSING
        if 1000 <= abs(value) < 10**6 and 3 <= digits < 6:
            # Nobody reads 2.05e+03.
            return self.integer(round(value))
        return self._local(f"{value:.{digits}g}")

    def integer(self, value: float) -> str:
        """Return a whole number with its thousands grouped."""
        from babel.numbers import format_decimal

        return format_decimal(int(value), locale=self._locale) if isfinite(value) else MISSING

    def percent(self, share: float, digits: int = 0) -> str:
        """Return a share in percent."""
        return self._local(f"{share:.{digits}%}") if isfinite(share) else MISSING

    def all_of(self, names: Sequence[str]) -> str:
        """Return an enumeration, as "a, b and c"."""
        if len(names) == 1:
            return names[0]
        return self(message("{first} and {last}"), first=", ".join(names[:-1]), last=names[-1])

    def _local(self, text: str) -> str:
        return text.replace(".", self._point)


@cache
def _known(code: str) -> Language:
    return Language(code)


def get_language(code: str) -> Language:
    """Return a language by its code.

    Raises
    ------
    InvalidParameterError
        If there is no such language.
    """
    wrong = one_of("language", languages())(code)
    if wrong:
        raise InvalidParameterError(wrong)
    return _known(code)


def _compiled(path: Path) -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    stream = BytesIO()
    with path.open("rb") as file:
        write_mo(stream, read_po(file, locale=path.stem))
    return stream.getvalue()
