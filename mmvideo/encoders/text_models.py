"""Pretrained models of text: the states of a checkpoint's word pieces, or its vector of each window.

Any text model of transformers' AutoModel; how a window becomes one vector is read off the folder's own files.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.encoders.hidden_layers import Layer, layers_given, states_read
from mmvideo.encoders.text_files import TextFiles
from mmvideo.errors import InputError
from mmvideo.pretrained import Family, config_settings, load_whole


def _family(title: str, network: str, width: int, parameters: float, example: str, licence: str) -> Family:
    return Family(
        title=title, network=network, input="words", gives="a piece, sentence or text", masks="exact",
        width=width, parameters=parameters, example=example, licence=licence,
    )  # fmt: skip


FREE = "Apache 2.0"
FAMILIES = {
    "bert": _family("BERT", "BertModel", 768, 109.5, "google-bert/bert-base-uncased", FREE),
    "modernbert": _family("ModernBERT", "ModernBertModel", 768, 149.0, "answerdotai/ModernBERT-base", FREE),
    "qwen3": _family("Qwen3-Embedding", "of Qwen3", 1024, 595.8, "Qwen/Qwen3-Embedding-0.6B", FREE),
    "sentences": _family(
        "any of AutoModel or sentence-transformers", "AutoModel, any", 384, 22.6,
        "sentence-transformers/all-MiniLM-L6-v2", FREE,
    ),
}  # fmt: skip
"""What `mmvideo encoders` shows; others are read in the same way."""
WINDOWS_AT_ONCE = 32


class WindowModel(nn.Module):
    """A pretrained network over windows of word pieces, each of them by itself.

    Args:
        layer: whose states; with `weighted`, those of all, one beside the other.
    """

    def __init__(self, network: Any, files: TextFiles, layer: Layer, name: str) -> None:
        super().__init__()
        self.network, self.files, self.layer = network, files, layer
        blocks = network.config.num_hidden_layers
        self.layers = layers_given(layer, blocks, name)
        self.features: int = self.layers * network.config.hidden_size
        self.made_by = {
            **config_settings(network.config),
            "layer": layer,
            **{key: value for key, value in asdict(files).items() if key != "format"},
            **{key: value for key, value in asdict(files.format).items() if key != "model"},
        }

    def forward(self, ids: Int[Tensor, "W L"], there: Bool[Tensor, "W L"]) -> Float[Tensor, "W L F"]:
        """States of the pieces; what stands behind a window's own is padding, and is not read."""
        parts = zip(ids.split(WINDOWS_AT_ONCE), there.split(WINDOWS_AT_ONCE), strict=True)
        return torch.cat([self._states(*part) for part in parts])

    def _states(self, ids: Tensor, there: Tensor) -> Tensor:
        every = self.layer != "last"
        out = self.network(input_ids=ids, attention_mask=there.long(), output_hidden_states=every)
        return torch.cat(list(states_read(self.layer, out)), dim=-1)

    def pool(
        self, states: Float[Tensor, "W L F"], there: Bool[Tensor, "W L"], prompt: Bool[Tensor, "W L"]
    ) -> Float[Tensor, "W F"]:
        """The vector of each window, as the checkpoint was trained to give it."""
        counted = there if self.files.of_prompt else there & ~prompt
        kind = self.files.pooling
        if kind == "mean":
            weights = counted[..., None].to(states.dtype)
            vectors = (states * weights).sum(dim=1) / weights.sum(dim=1)
        elif kind == "max":
            vectors = states.masked_fill(~counted[..., None], -torch.inf).amax(dim=1)
        else:
            places = torch.arange(counted.shape[1], device=counted.device)
            last = torch.where(counted, places, -1).amax(dim=1)
            chosen = last if kind == "last" else counted.int().argmax(dim=1)
            vectors = states[torch.arange(len(states), device=states.device), chosen]
        return F.normalize(vectors, dim=-1) if self.files.normalized else vectors


def load_text_model(files: TextFiles, layer: Layer, known: int = 0) -> WindowModel:
    """The network that the files belong to.

    Args:
        known: word pieces that its tokenizer knows.

    Raises:
        InputError: weights that do not fit, or that are no safetensors; a tokenizer of another model.
    """
    from transformers import AutoModel

    name = files.format.model
    network: Any = load_whole(AutoModel.from_pretrained, name, unread=("pooler.", "decoder."))
    if getattr(network.config, "is_encoder_decoder", False):
        network = network.get_encoder()
    if getattr(network, "pooler", None) is not None:
        network.pooler = None  # nobody reads it
    if hasattr(network.config, "use_cache"):
        network.config.use_cache = False
    embedded = network.get_input_embeddings().num_embeddings
    if known > embedded:
        raise InputError(
            f"model '{name}' knows {embedded} word pieces, its tokenizer {known}; use the tokenizer that "
            "belongs to the model"
        )
    return WindowModel(network.eval(), files, layer, name)
