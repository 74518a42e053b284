"""Inputs and outputs of networks of transformers and torch_geometric."""

import pytest
import torch

from initsk import diagnose, initialize, inspect_activations, recommend_initializer
from initsk.initializers import LSUV, GradInit, MetaInit
from initsk.inspection import gradient_coherence
from initsk.network import as_batch, loss_of, scores_of
from tests.helpers import batch, build

pytestmark = pytest.mark.filterwarnings("ignore")

LABELS = torch.arange(24) % 2
TOKENS = torch.randint(5, 60, (24, 7), generator=torch.Generator().manual_seed(0))


def bert(transformers, kind="BertForSequenceClassification"):
    config = transformers.BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
    )
    return build(lambda: getattr(transformers, kind)(config))


def gpt2(transformers):
    config = transformers.GPT2Config(vocab_size=60, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    return build(lambda: transformers.GPT2LMHeadModel(config))


def encoding(transformers, **more):
    return transformers.BatchEncoding({"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS), **more})


def test_tokens_and_masks_stay_integers_and_labels_are_passed_on(transformers):
    module = bert(transformers)
    found = as_batch(module, encoding(transformers, labels=LABELS))
    assert {name: part.dtype for name, part in found.keywords.items()} == dict.fromkeys(found.keywords, torch.int64)
    assert found.target is None
    output = found.run(module.eval())
    assert loss_of(output) is not None
    assert torch.equal(scores_of(output), output.logits)
    assert torch.equal(loss_of(output), output.loss)


def test_labels_and_y_give_the_same_gradients(transformers):
    module = bert(transformers)
    passed = inspect_activations(module, encoding(transformers, labels=LABELS), gradients=True).parameters()
    apart = inspect_activations(module, encoding(transformers), LABELS, gradients=True).parameters()
    assert passed.drop(columns="parameter", errors="ignore").equals(apart.drop(columns="parameter", errors="ignore"))


def test_labels_are_the_targets_of_a_model_without_a_head(transformers):
    found = as_batch(bert(transformers, "BertModel"), encoding(transformers, labels=LABELS))
    assert set(found.keywords) == {"input_ids", "attention_mask"}
    assert torch.equal(found.target, LABELS)


def test_every_function_takes_a_batch_of_transformers(transformers):
    module, X = bert(transformers), encoding(transformers, labels=LABELS)
    assert diagnose(module, X).loss == pytest.approx(0.7, abs=0.2)
    assert gradient_coherence(module, X).agreements
    assert recommend_initializer(module, X).measured is not None
    assert initialize(module, MetaInit(n_steps=2), X=X, random_state=0).to_frame()["touched"].any()


def test_a_language_model_has_its_own_loss(transformers):
    module = gpt2(transformers)
    X = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS), "labels": TOKENS}
    output = module.eval()(**X)
    assert torch.equal(loss_of(output), output.loss)
    tokens = loss_of(module(TOKENS), TOKENS).item()
    assert tokens == pytest.approx(torch.nn.functional.cross_entropy(output.logits.movedim(-1, 1), TOKENS).item())
    assert (inspect_activations(module, X, gradients=True).parameters()["gradient_norm"] > 0).any()


EDGES = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]])


def graph(geometric, n=6):
    labels = torch.arange(n) % 2
    return geometric.data.Data(x=batch(n, 5), edge_index=EDGES, y=labels, train_mask=labels > 0)


def gcn(geometric):
    return build(lambda: geometric.nn.GCN(5, 8, num_layers=2, out_channels=2))


def test_a_graph_is_taken_by_its_fields(geometric):
    X, module = graph(geometric), gcn(geometric)
    found = as_batch(module, X)
    assert list(found.keywords) == ["x", "edge_index"]
    assert found.keywords["edge_index"].dtype == torch.int64
    assert torch.equal(found.target, X.y)
    by_tuple = inspect_activations(module, (X.x, X.edge_index), X.y, gradients=True, batch_size=2)
    by_graph = inspect_activations(module, X, gradients=True, batch_size=2)
    assert by_tuple.parameters().equals(by_graph.parameters())


def test_every_function_takes_a_graph(geometric):
    X, module = graph(geometric), gcn(geometric)
    assert diagnose(module, X).loss > 0
    assert gradient_coherence(module, X).size > 0


@pytest.mark.parametrize(
    "scheme", [LSUV(), MetaInit(n_steps=2, batch_size=2), GradInit(n_steps=2, batch_size=2)], ids=str
)
def test_initializers_that_need_data_take_a_graph(geometric, scheme):
    class Headed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = geometric.nn.GCNConv(5, 8), torch.nn.Linear(8, 2)

        def forward(self, x, edge_index):
            return self.head(self.conv(x, edge_index).relu())

    frame = initialize(build(Headed), scheme, X=graph(geometric), random_state=0).to_frame().set_index("name")
    assert frame.loc["head.weight", "touched"]
    assert type(scheme).__name__ in frame.loc["head.weight", "why"]


def test_a_loader_of_graphs_and_a_module_that_takes_one_object(geometric):
    class OfData(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = geometric.nn.GCNConv(5, 8), torch.nn.Linear(8, 2)

        def forward(self, data):
            h = self.conv(data.x, data.edge_index).relu()
            return self.head(geometric.nn.global_mean_pool(h, data.batch))

    graphs = [geometric.data.Data(x=batch(6, 5, seed=i), edge_index=EDGES, y=torch.tensor([i % 2])) for i in range(6)]
    loader = geometric.loader.DataLoader(graphs, batch_size=3)
    module = build(OfData)
    found = as_batch(module, loader)
    assert found.inputs[0].num_graphs == 3
    assert found.target.tolist() == [0, 1, 0]
    summary = inspect_activations(module, loader, gradients=True)
    assert (summary.parameters()["gradient_norm"] > 0).all()
