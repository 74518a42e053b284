"""Reports as JSON and as Markdown."""

import json
import re
from itertools import pairwise

import pytest
from jsonschema import Draft202012Validator

from tests.report.helpers import ORDER, PICTURES, ROOT


def elements_of(content):
    for section in content["sections"]:
        for element in section["elements"]:
            yield element
            yield from element.get("elements", [])


@pytest.mark.parametrize("language", ["en", "id"])
def test_json_follows_its_schema_and_has_all_digits(result, language):
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    content = json.loads(result.to_json(language=language), parse_constant=pytest.fail)
    Draft202012Validator(schema).validate(content)
    assert [section["key"] for section in content["sections"]] == ORDER
    assert {element["key"] for element in elements_of(content) if element["type"] == "picture"} == PICTURES
    [ranking] = [element for element in elements_of(content) if element.get("key") == "ranking"]
    summary = result.summary()
    # The row of the baseline has no rank.
    ranking["rows"] = [row for row in ranking["rows"] if row["rank"] is not None]
    assert [row["initializer"] for row in ranking["rows"]] == summary["initializer"].tolist()
    assert [row["mean_score"] for row in ranking["rows"]] == summary["mean_score"].tolist()
    assert ranking["rows"][0]["difference_to_best"] is None
    assert ranking["rows"][1]["epochs_to_target"] == "infinite"


def test_markdown_has_tables_and_links_to_pictures(result, tmp_path):
    path = result.to_markdown(tmp_path / "report.md")
    text = path.read_text()
    assert text.startswith("# Initializers compared: a data set\n")
    assert text.count("\n## ") == len(ORDER) - 1
    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (tmp_path / link).is_file()
    assert set(re.findall(r"report_files/(\w+)\.png", text)) == PICTURES
    rows = [line for line in text.splitlines() if line.startswith("|")]
    # Every row of a table has as many cells as its heading.
    cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    rules = [i for i, row in enumerate(rows) if set(row) <= set("|-: ")]
    for start, end in zip([i - 1 for i in rules], [i - 1 for i in rules[1:]] + [len(rows)], strict=True):
        assert len(set(cells[start:end])) == 1


def test_markdown_has_no_empty_parts(result):
    lines = [line for line in result.to_markdown().splitlines() if line]
    for line, following in pairwise(lines):
        assert not (line.startswith("### ") and following.startswith("#"))
