"""Further networks that people use, in small sizes, with the weights that their libraries draw.

Their definitions are not compared with what `initsk` reads of them, unlike those of the table.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from tests.zoo.table import Architecture, all_rows, images, token_ids, values
from tests.zoo.tasks import no_task_reason
from tests.zoo.timm_nets import create
from tests.zoo.transformers_nets import model


def default_rows() -> list[Architecture]:
    """Return the networks with a task: those of the table, and those of this module."""
    return [row for row in (*all_rows(), *ROWS) if no_task_reason(row) is None]


def timm_row(
    name: str, family: str = "CNN", size: int = 32, label: str | None = None, **arguments: Any
) -> Architecture:
    """Return a model of timm with ten classes."""
    return Architecture(label or f"timm {name}", family, "timm", create(name, **arguments), images(size))


def mixer(block: str = "MixerBlock", norm: str = "LayerNorm", **settings: Any) -> Callable[[], nn.Module]:
    """Return a builder of one of timm's networks of perceptrons, with six blocks of 128."""

    def build() -> nn.Module:
        from timm.models import mlp_mixer as source

        sizes = {"img_size": 32, "patch_size": 8, "num_blocks": 6, "embed_dim": 128, "num_classes": 10}
        norms = {"LayerNorm": nn.LayerNorm, "Affine": source.Affine}
        return source.MlpMixer(block_layer=getattr(source, block), norm_layer=norms[norm], **sizes, **settings)

    return build


VIT = "vision transformer"
# Two heads of the usual width of 64, on a grid of 4 x 4 patches.
SMALL_VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 128, "depth": 6, "num_heads": 2}
TIMM_ROWS = [
    *(
        timm_row(name)
        for name in (
            "resnet10t", "resnet18", "resnet26", "resnetv2_50", "seresnet18", "resnext26ts", "dla46_c",
            "ese_vovnet19b_dw", "cs3darknet_s", "mobilenetv2_050", "mobilenetv3_small_050",
            "mobilenetv4_conv_small_050", "lcnet_050", "tinynet_e", "efficientnet_b0", "tf_efficientnetv2_b0",
            "rexnet_100", "regnety_002", "repghostnet_050", "starnet_s050", "convnext_atto", "nf_regnet_b0",
        )
    ),
    timm_row("resnet26", label="timm resnet26, zero_init_last=False", zero_init_last=False),
    timm_row("vit_tiny_patch16_224", VIT, label="timm vit, 6 blocks of 128", **SMALL_VIT),
    timm_row("deit3_small_patch16_224", VIT, label="timm deit3, 6 blocks of 128", **SMALL_VIT),
    timm_row("beitv2_base_patch16_224", VIT, label="timm beitv2, 6 blocks of 128", **SMALL_VIT),
    Architecture("timm mixer, 6 blocks of 128", "MLP", "timm", mixer(), images(32)),
    Architecture("timm resmlp, 6 blocks of 128", "MLP", "timm", mixer("ResBlock", "Affine", mlp_ratio=4), images(32)),
    timm_row(
        "swin_tiny_patch4_window7_224", VIT, label="timm swin", img_size=32, patch_size=2, window_size=4, embed_dim=32,
        depths=(2, 2, 4, 2), num_heads=(1, 2, 4, 8),
    ),
    timm_row("mobilevit_xxs", VIT, 64),
    timm_row("mobilevitv2_050", VIT, 64),
    timm_row("fastvit_t8", VIT, 64),
    timm_row("inception_next_atto"),
    timm_row("pit_ti_224", VIT, 64, img_size=64),
    timm_row("convit_tiny", VIT, 32, img_size=32, patch_size=8, depth=6),
]  # fmt: skip


def vgg(name: str, batch_norm: bool = False) -> Callable[[], nn.Module]:
    """Return a builder of torchvision's VGG with its own initialization, and the small classifier used for CIFAR."""

    def build() -> nn.Module:
        from torchvision.models import vgg as source

        # The arguments of the class are those of its layers of 4096, which small images do not need.
        module = source.VGG(source.make_layers(source.cfgs[name], batch_norm), num_classes=10, init_weights=True)
        module.avgpool = nn.AdaptiveAvgPool2d(1)
        module.classifier = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 10))
        for layer in (module.classifier[0], module.classifier[3]):
            nn.init.normal_(layer.weight, 0, 0.01)
            nn.init.zeros_(layer.bias)
        return module

    return build


def densenet() -> nn.Module:
    from torchvision.models import DenseNet

    return DenseNet(growth_rate=12, block_config=(4, 4, 4), num_init_features=24, num_classes=10)


def torchvision_row(name: str, build: Callable[[], nn.Module]) -> Architecture:
    return Architecture(name, "CNN", "torchvision", build, images(32))


TORCHVISION_ROWS = [
    torchvision_row("vgg11, small classifier", vgg("A")),
    torchvision_row("vgg11_bn, small classifier", vgg("A", True)),
    torchvision_row("vgg16, small classifier", vgg("D")),
    torchvision_row("densenet, growth 12", densenet),
]

# Four blocks of width 128, as the language models for teaching.
SIZES: dict[str, Any] = {
    "vocab_size": 256, "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512,
    "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
DECODER = SIZES | {"use_cache": False}
GROUPED = DECODER | {"num_key_value_heads": 2}
GPT2 = {
    "vocab_size": 256, "n_embd": 128, "n_layer": 4, "n_head": 4, "n_positions": 64, "use_cache": False,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
T5 = {
    "vocab_size": 256, "d_model": 128, "d_kv": 32, "d_ff": 512, "num_layers": 3, "num_heads": 4, "use_cache": False,
    "decoder_start_token_id": 0,
}  # fmt: skip
BART = {
    "vocab_size": 256, "d_model": 128, "encoder_layers": 3, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 512, "decoder_ffn_dim": 512, "max_position_embeddings": 64,
    "use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
}  # fmt: skip
MAMBA = {"vocab_size": 256, "hidden_size": 128, "num_hidden_layers": 4, "state_size": 8, "use_cache": False}
PICTURE = {
    "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512, "image_size": 32,
    "patch_size": 8, "num_labels": 10,
}  # fmt: skip


def tokens() -> dict[str, Any]:
    return {"input_ids": token_ids(256, 24)}


def both() -> dict[str, Any]:
    return {"input_ids": token_ids(256, 16), "decoder_input_ids": token_ids(256, 8)}


def pictures() -> dict[str, Any]:
    return {"pixel_values": images(32)()}


def hugging(
    name: str,
    config: str,
    settings: dict[str, Any],
    family: str = "language model",
    inputs: Callable[[], Any] = tokens,
    label: str = "larger",
) -> Architecture:
    """Return a model of transformers."""
    return Architecture(f"{name}, {label}", family, "transformers", model(name, config, **settings), inputs)


MASKED = "masked language model"
TRANSFORMERS_ROWS = [
    hugging("GPT2LMHeadModel", "GPT2Config", GPT2),
    hugging("GPTNeoXForCausalLM", "GPTNeoXConfig", DECODER),
    hugging("LlamaForCausalLM", "LlamaConfig", GROUPED),
    hugging("Qwen2ForCausalLM", "Qwen2Config", GROUPED),
    hugging("Qwen3ForCausalLM", "Qwen3Config", GROUPED | {"head_dim": 32}),
    hugging("Gemma2ForCausalLM", "Gemma2Config", GROUPED | {"head_dim": 32}),
    hugging("Olmo2ForCausalLM", "Olmo2Config", GROUPED),
    hugging("StableLmForCausalLM", "StableLmConfig", GROUPED),
    hugging("MambaForCausalLM", "MambaConfig", MAMBA, "state space"),
    hugging("BertForMaskedLM", "BertConfig", SIZES, MASKED),
    hugging("RobertaForMaskedLM", "RobertaConfig", SIZES, MASKED),
    hugging("ModernBertForMaskedLM", "ModernBertConfig", SIZES, MASKED),
    hugging("BertForTokenClassification", "BertConfig", SIZES | {"num_labels": 5}, "encoder"),
    hugging("BertForSequenceClassification", "BertConfig", SIZES | {"num_labels": 4}, "encoder"),
    hugging("T5ForConditionalGeneration", "T5Config", T5, "encoder-decoder", both),
    hugging(
        "T5ForConditionalGeneration", "T5Config", T5 | {"feed_forward_proj": "gated-gelu"}, "encoder-decoder", both,
        "larger, gated",
    ),
    hugging("BartForConditionalGeneration", "BartConfig", BART, "encoder-decoder", both),
    hugging("ViTForImageClassification", "ViTConfig", PICTURE, VIT, pictures),
    hugging("DeiTForImageClassification", "DeiTConfig", PICTURE, VIT, pictures),
    hugging(
        "ResNetForImageClassification", "ResNetConfig",
        {"embedding_size": 16, "hidden_sizes": [32, 64, 128], "depths": [2, 2, 2], "num_labels": 10}, "CNN", pictures,
    ),
]  # fmt: skip


def mlp(*sizes: int, activation: type[nn.Module] = nn.ReLU, norm: bool = False) -> Callable[[], nn.Module]:
    """Return a builder of a perceptron."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for width_in, width in pairwise(sizes[:-1]):
            layers += [nn.Linear(width_in, width), *([nn.BatchNorm1d(width)] if norm else []), activation()]
        return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))

    return build


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def plain_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def autoencoder() -> nn.Module:
    return nn.Sequential(
        nn.Linear(196, 128), nn.ReLU(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 128), nn.ReLU(),
        nn.Linear(128, 196),
    )  # fmt: skip


class Recurrent(nn.Module):
    """A recurrent layer over vectors or tokens, and a linear layer on its last step or on all steps."""

    def __init__(self, kind: type[nn.RNNBase], vocabulary: int = 0, **settings: Any) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, 64) if vocabulary else None
        self.recurrent = kind(64 if vocabulary else 8, 64, batch_first=True, **settings)
        width = 128 if settings.get("bidirectional") else 64
        self.head = nn.Linear(width, vocabulary or 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps, _ = self.recurrent(x if self.tokens is None else self.tokens(x))
        return self.head(steps[:, -1] if self.tokens is None else steps)


class Encoder(nn.Module):
    """torch's encoder on vectors, with scores of the mean, or on tokens, with scores of the next token."""

    def __init__(self, vocabulary: int = 0, norm_first: bool = False) -> None:
        super().__init__()
        self.enter: nn.Module = nn.Embedding(vocabulary, 64) if vocabulary else nn.Linear(8, 64)
        self.positions = nn.Parameter(0.02 * torch.randn(1, 32, 64))
        layer = nn.TransformerEncoderLayer(64, 4, 256, 0.1, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head, self.is_causal = nn.Linear(64, vocabulary or 4), bool(vocabulary)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.enter(x) + self.positions[:, : x.shape[1]]
        if not self.is_causal:
            return self.head(self.encoder(h).mean(1))
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.head(self.encoder(h, mask, is_causal=True))


class BagOfWords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.EmbeddingBag(256, 32), nn.Linear(32, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.words(ids))


def torch_row(name: str, family: str, build: Callable[[], nn.Module], inputs: Callable[[], Any]) -> Architecture:
    return Architecture(name, family, "torch", build, inputs)


def steps() -> torch.Tensor:
    return values(2, 16, 8)


def table_of_numbers() -> torch.Tensor:
    return values(2, 20)


def flat_images() -> torch.Tensor:
    return values(2, 784)


TORCH_ROWS = [
    torch_row("MLP 784-512-256-128-64-10", "MLP", mlp(784, 512, 256, 128, 64, 10), flat_images),
    torch_row("MLP with batch norm", "MLP", mlp(784, 256, 256, 256, 10, norm=True), flat_images),
    torch_row("MLP, tanh", "MLP", mlp(20, 64, 64, 64, 5, activation=nn.Tanh), table_of_numbers),
    torch_row("MLP, GELU", "MLP", mlp(20, 64, 64, 64, 5, activation=nn.GELU), table_of_numbers),
    torch_row("MLP, SELU", "MLP", mlp(20, 64, 64, 64, 64, 64, 5, activation=nn.SELU), table_of_numbers),
    torch_row("MLP, sigmoid", "MLP", mlp(20, 64, 5, activation=nn.Sigmoid), table_of_numbers),
    torch_row("MLP, 8 layers of ReLU", "MLP", mlp(20, *[64] * 7, 5), table_of_numbers),
    torch_row("LeNet", "CNN", lenet, images(32)),
    torch_row("plain CNN", "CNN", plain_cnn, images(32)),
    torch_row("autoencoder", "MLP", autoencoder, lambda: values(2, 196)),
    torch_row("LSTM", "recurrent", lambda: Recurrent(nn.LSTM), steps),
    torch_row("LSTM, 2 layers", "recurrent", lambda: Recurrent(nn.LSTM, num_layers=2), steps),
    torch_row("GRU", "recurrent", lambda: Recurrent(nn.GRU), steps),
    torch_row("RNN", "recurrent", lambda: Recurrent(nn.RNN), steps),
    torch_row("LSTM, both directions", "recurrent", lambda: Recurrent(nn.LSTM, bidirectional=True), steps),
    torch_row("LSTM language model", "recurrent", lambda: Recurrent(nn.LSTM, 99), token_ids),
    torch_row("GRU language model", "recurrent", lambda: Recurrent(nn.GRU, 99), token_ids),
    torch_row("nn.TransformerEncoder", "encoder", Encoder, steps),
    torch_row("nn.TransformerEncoder, norm first", "encoder", lambda: Encoder(norm_first=True), steps),
    torch_row("nn.TransformerEncoder language model", "language model", lambda: Encoder(99), token_ids),
    torch_row("nn.EmbeddingBag", "MLP", BagOfWords, lambda: token_ids(256, 24)),
]


def graph_model(name: str, n_layers: int = 3, **settings: Any) -> Callable[[], nn.Module]:
    """Return a builder of one of torch_geometric's models of width 64."""

    def build() -> nn.Module:
        from torch_geometric.nn import models

        return getattr(models, name)(16, 64, num_layers=n_layers, out_channels=5, **settings)

    return build


class GraphClassifier(nn.Module):
    """A GIN whose nodes are added up for each graph."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes, self.head = graph_model("GIN")(), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        from torch_geometric.nn import global_add_pool

        return self.head(global_add_pool(self.nodes(x, edge_index), batch))


def nodes() -> dict[str, torch.Tensor]:
    """Return features of ten nodes on a ring in one direction."""
    around = torch.arange(10)
    return {"x": values(10, 16), "edge_index": torch.stack([around, (around + 1) % 10])}


def graph_row(name: str, build: Callable[[], nn.Module], inputs: Callable[[], Any] = nodes) -> Architecture:
    return Architecture(name, "graph", "torch_geometric", build, inputs)


GRAPH_ROWS = [
    graph_row("GCN, 3 layers of 64", graph_model("GCN")),
    graph_row("GCN, 5 layers with batch norm", graph_model("GCN", 5, norm="batch_norm")),
    graph_row("GAT, 8 heads", graph_model("GAT", heads=8)),
    graph_row("GATv2, 4 heads", graph_model("GAT", v2=True, heads=4)),
    graph_row("GIN, 3 layers of 64", graph_model("GIN")),
    graph_row("GraphSAGE, 3 layers of 64", graph_model("GraphSAGE")),
    graph_row("EdgeCNN", graph_model("EdgeCNN")),
    graph_row("GIN for graphs", GraphClassifier, lambda: nodes() | {"batch": torch.zeros(10, dtype=torch.int64)}),
]

ROWS = TIMM_ROWS + TORCHVISION_ROWS + TRANSFORMERS_ROWS + TORCH_ROWS + GRAPH_ROWS
