"""Audits of the networks in the table: which findings there are, and no false alarm."""

import pytest
import torch

import initsk
from tests.zoo.table import all_rows, built, isolated

pytestmark = pytest.mark.slow
ROWS = [pytest.param(row, id=f"{row.package}-{row.name}") for row in all_rows()]
each_row = pytest.mark.parametrize("row", ROWS, indirect=True)
each_of_transformers = pytest.mark.parametrize(
    "row", [param for param in ROWS if param.values[0].package == "transformers"], indirect=True
)

# Faults of the networks, by name of the row.
FAULTS: dict[str, set[str]] = {}
# What is noted and no fault: torch's own attention, and output layers of zeros.
NOTES = {
    "VisionTransformer": {"packed", "constant output"},
    "mixer_s32_224": {"constant output"},
    "gmlp_ti16_224": {"constant output"},
    "resmlp_12_224": {"constant output"},
    "DiTTransformer2DModel": {"constant output"},
}
# Networks of transformers that are given a mask of padding, and whose outputs depend on padding all the same: FNet
# takes no mask.
PADDING_FAULTS = {"FNetForSequenceClassification"}
LENGTHS = torch.tensor([12, 5, 8, 9, 4, 12])


def four_samples(row):
    """Return the two samples of a row in both orders, so that a part of them can run apart from the others."""

    def twice(value):
        if isinstance(value, dict):
            return {key: twice(part) for key, part in value.items()}
        if isinstance(value, tuple):
            return tuple(map(twice, value))
        has_rows = isinstance(value, torch.Tensor) and value.dim() and len(value) == 2
        return torch.cat([value, value.flip(0)]) if has_rows else value

    return row.inputs() if row.package == "torch_geometric" else twice(row.inputs())


@each_row
def test_findings(row):
    with isolated():
        module, inputs = built(row), four_samples(row)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        result = initsk.audit(module, inputs)
    found = result.findings()
    assert set(found.loc[found["decides"], "kind"]) == FAULTS.get(row.name, set())
    assert set(found.loc[~found["decides"], "kind"]) == NOTES.get(row.name, set())
    after = module.state_dict()
    assert [name for name, value in before.items() if not torch.equal(value, after[name])] == []


@each_row
def test_without_samples(row):
    with isolated():
        result = initsk.audit(built(row))
    found = result.findings()
    assert set(found["kind"]) <= FAULTS.get(row.name, set()) | NOTES.get(row.name, set())
    assert "batch leak" in result.not_checked["check"].tolist()


@each_of_transformers
def test_padding_of_language_models(row):
    with isolated():
        module, inputs = built(row), row.inputs()
        if "input_ids" not in inputs:
            pytest.skip("takes no tokens")
        mask = (torch.arange(12) < LENGTHS[:, None]).long()
        tokens = torch.randint(3, 99, mask.shape, generator=torch.Generator().manual_seed(0)) * mask
        # Inputs of two samples, such as those of a decoder, are given to six.
        others = {name: part.repeat(3, *[1] * (part.dim() - 1)) for name, part in inputs.items()}
        result = initsk.audit(module, others | {"input_ids": tokens, "attention_mask": mask})
    kinds = result.findings()["kind"].tolist()
    assert ("padding leak" in kinds) is (row.name in PADDING_FAULTS)
    assert "batch leak" not in kinds
