"""A report as Markdown."""

import re

from initsk.report._blocks import Block, Code, Facts, Item, Picture, Report, Table, Words, written

# What would begin or end something in GitHub's Markdown, and tags.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def to_markdown(report: Report, folder: str | None = None) -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    report : Report
    folder : str, optional
        Where the pictures lie, relative to the file; without it they are described only.
    """
    parts = [f"# {escaped(report.title)}"]
    for number, section in enumerate(report.sections):
        if number:
            parts.append(f"## {escaped(section.title)}")
        for block in section.blocks:
            parts += _block(block, report, folder)
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escaped("a|b <i>\nnext")
    'a\\|b \\<i\\> next'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _block(block: Block, report: Report, folder: str | None) -> list[str]:
    match block:
        case Words():
            text = escaped(block.text)
            return [f"**{text}**" if block.role in ("answer", "warning") else text] if text else []
        case Table():
            return [f"**{escaped(block.title)}**", _table(block, report)]
        case Picture():
            return _picture(block, folder)
        case Facts():
            return ["\n".join(f"- {escaped(fact.name)}: {escaped(fact.value)}" for fact in block.items)]
        case Code():
            # Indented, so that no fence in it can end it.
            return ["\n".join(f"    {line}" for line in block.text.splitlines())]
        case Item():
            verdict = f" ({escaped(block.verdict)})" if block.verdict else ""
            inner = [part for inside in block.blocks for part in _block(inside, report, folder)]
            return [f"### {escaped(block.title)}{verdict}", *inner] if inner else []


def _picture(picture: Picture, folder: str | None) -> list[str]:
    if picture.place == "page":
        return []
    description = escaped(picture.description)
    return [description] if folder is None else [f"![{description}]({folder}/{picture.key}.png)"]


def _table(table: Table, report: Report) -> str:
    rows = [[written(row[c.key], c, report.say) for c in table.columns] for row in table.rows]
    lines = [[column.title for column in table.columns], *rows]
    texts = [f"| {' | '.join(escaped(cell) for cell in line)} |" for line in lines]
    rule = "|".join(" --- " if column.is_text else " ---: " for column in table.columns)
    return "\n".join([texts[0], f"|{rule}|", *texts[1:]])
