"""The base class of results that have a report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload


class Reported:
    """A result with a report as a page, Markdown, JSON and pictures."""

    @overload
    def to_html(self, path: None = None, *, language: str = ..., fragment: bool = ..., **options: Any) -> str: ...
    @overload
    def to_html(self, path: str | Path, *, language: str = ..., fragment: bool = ..., **options: Any) -> Path: ...
    def to_html(
        self, path: str | Path | None = None, *, language: str = "en", fragment: bool = False, **options: Any
    ) -> str | Path:
        """Return or write the report as a page in one file, which needs no network and no JavaScript.

        Parameters
        ----------
        path : str or Path, optional
            File of the page; its pictures are written as PNG and SVG into the folder ``<name>_files`` next to it.
            Without a path the page is returned as text.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        fragment : bool, default=False
            Return an element of another page, as notebooks show it. The element is an iframe, so that neither page
            changes the styles of the other.
        **options
            For a comparison, ``axes``: "shared" (default) for axes of the histograms that all rows share and that fit
            the data, or "article" for the fixed axes -1..1 by 0..4. For a diagnosis, ``rates``: whether to try other
            learning rates (default True), which takes as long as some trials.

        Returns
        -------
        str or Path
            The page as text, or its path.

        Raises
        ------
        InvalidParameterError
            If the language or an option is unknown, the path is a folder, or the result has several experiments.

        Examples
        --------
        >>> from torch import nn
        >>> from initsk import recommend_initializer
        >>> page = recommend_initializer(nn.Sequential(nn.Linear(2, 3), nn.ReLU())).to_html(language="id")
        >>> '<html lang="id">' in page, "Inisialisasi yang disarankan" in page
        (True, True)
        """
        return self._report("html", path, language, fragment=fragment, **options)

    @overload
    def to_markdown(self, path: None = None, *, language: str = ..., **options: Any) -> str: ...
    @overload
    def to_markdown(self, path: str | Path, *, language: str = ..., **options: Any) -> Path: ...
    def to_markdown(self, path: str | Path | None = None, *, language: str = "en", **options: Any) -> str | Path:
        """Return the report as Markdown, or write it with its pictures.

        Parameters
        ----------
        path, language, **options
            As in `to_html`.

        Returns
        -------
        str or Path
            The text, or its path.
        """
        return self._report("markdown", path, language, **options)

    @overload
    def to_json(self, path: None = None, *, language: str = ..., **options: Any) -> str: ...
    @overload
    def to_json(self, path: str | Path, *, language: str = ..., **options: Any) -> Path: ...
    def to_json(self, path: str | Path | None = None, *, language: str = "en", **options: Any) -> str | Path:
        """Return or write the report as JSON with unrounded numbers, in the form of ``docs/report.schema.json``.

        Parameters
        ----------
        path, language, **options
            As in `to_html`.

        Returns
        -------
        str or Path
            The text, or its path.
        """
        return self._report("json", path, language, **options)

    def to_pictures(
        self, folder: str | Path, *, format: str | Sequence[str] | None = None, language: str = "en", **options: Any
    ) -> list[Path]:
        """Write every picture of the report.

        Parameters
        ----------
        folder : str or Path
            Folder for the pictures, which is created if it does not exist.
        format : {"png", "svg", "pdf"} or list of them, optional
            Format of the files; by default PNG and SVG. A PDF embeds its fonts as TrueType, as journals want them.
        language, **options
            As in `to_html`.

        Returns
        -------
        list of Path
            The written files; equal results give equal bytes.

        Raises
        ------
        InvalidParameterError
            If a format is not one of these.
        """
        from initsk.report import pictures_of

        return pictures_of(self, folder, language, format, **options)

    def answer(self, *, language: str = "en") -> str:
        """Return the answer of the report: what was found, in one or two sentences.

        Parameters
        ----------
        language : str, default="en"
            As in `to_html`.
        """
        from initsk.report import answer_of

        return answer_of(self, language)

    def __str__(self) -> str:
        from initsk.report import printed

        return printed(self)

    def _repr_html_(self) -> str:
        from initsk.report import notebook_html

        return notebook_html(self)

    def _report(self, kind: str, path: str | Path | None, language: str, **options: Any) -> Any:
        from initsk.report import make_report

        return make_report(self, kind, path, language, **options)
