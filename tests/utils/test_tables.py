"""Tables of values in a notebook."""

from collections import OrderedDict

from torch import nn

from initsk import initialize, network
from tests.helpers import build


def test_a_record_and_a_graph_have_tables_in_a_notebook():
    module = build(lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.LayerNorm(4)))
    record, graph = initialize(module, "he_normal", random_state=0), network.read(module)
    page = record._repr_html_()
    assert record.summary() in page
    for row in record.rows:
        assert f"<td>{row['name']}</td>" in page
        assert f"<td>{row['outcome']}</td>" in page
    page = graph._repr_html_()
    assert repr(graph) in page
    assert all(f"<td>{operation.name}</td>" in page for operation in graph.operations)


def test_names_of_layers_are_no_html():
    module = build(lambda: nn.Sequential(OrderedDict({"<b>": nn.Linear(2, 2)})))
    for value in (initialize(module, random_state=0), network.read(module)):
        assert "<b>" not in value._repr_html_()


def test_a_long_table_is_short():
    module = build(lambda: nn.Sequential(*(nn.Linear(2, 2) for _ in range(50))))
    assert initialize(module, random_state=0)._repr_html_().count("<tr") < 30
