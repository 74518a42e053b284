"""A report as JSON; docs/report.schema.json describes it."""

import json
from math import isfinite, isnan
from typing import Any

import numpy as np

from initsk.report._blocks import Block, Code, Facts, Item, Picture, Report, Section, Table, Words

VERSION = 1


def to_json(report: Report) -> str:
    """Return the report as JSON: every number as it is, every sentence in the report's language."""
    content = {
        "format": "initsk report",
        "version": VERSION,
        "kind": report.kind,
        "language": report.say.code,
        "title": report.title,
        "sections": [_section(section) for section in report.sections],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _section(section: Section) -> dict[str, Any]:
    blocks = [_block(block) for block in section.blocks if not _of_the_page(block)]
    return {"key": section.key, "title": section.title, "blocks": blocks}


def _of_the_page(block: Block) -> bool:
    return isinstance(block, Picture) and block.place == "page"


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Words():
            return {"type": "words", "role": block.role, "text": block.text}
        case Table():
            columns = [{"key": c.key, "title": c.title, "kind": c.kind} for c in block.columns]
            rows = [{c.key: _value(row[c.key]) for c in block.columns} for row in block.rows]
            return {"type": "table", "key": block.key, "title": block.title, "columns": columns, "rows": rows}
        case Picture():
            return {"type": "picture", "key": block.key, "description": block.description}
        case Facts():
            return {"type": "facts", "items": [{"name": fact.name, "value": fact.value} for fact in block.items]}
        case Code():
            return {"type": "code", "text": block.text}
        case Item():
            inner = [_block(part) for part in block.blocks if not _of_the_page(part)]
            verdict = {"verdict": block.verdict, "healthy": block.healthy} if block.verdict else {}
            return {"type": "item", "key": block.key, "title": block.title, **verdict, "blocks": inner}


def _value(value: Any) -> Any:
    """Return a cell: NaN and what is missing as null, infinity as a word."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, float) or isfinite(value):
        return value
    return None if isnan(value) else "infinite" if value > 0 else "-infinite"
