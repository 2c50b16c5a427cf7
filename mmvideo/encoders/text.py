"""Subtitles and metadata: a transformer over word pieces, small and from scratch or a pretrained one."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, ClassVar

import torch
from torch import nn

from mmvideo.encoders.text_files import refuse_other_than_text
from mmvideo.encoders.tuning import NOTHING, TunedEncoder, tune_network
from mmvideo.errors import InputError
from mmvideo.modalities.text import Pieces
from mmvideo.pretrained import load_pretrained
from mmvideo.schema import Positive, WeightsFile
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level


class TextTransformer(TunedEncoder):
    """Stem: word-piece embeddings. Trunk: the transformer's last layer. Clip: pooled.

    Inputs are ids (B, N) int64.

    Args:
        told: how many word pieces there are.
    """

    same_weights: ClassVar[Mapping[str, str]] = {
        "embedding.weight": "transformer.embeddings.word_embeddings.weight"
    }

    takes: ClassVar[str] = "text"

    class Config(TunedEncoder.Config):
        """The transformer, its tokenizer, and how much of it is trained."""

        model: WeightsFile = None
        """None: a small BERT from scratch. Else any local folder or hub name transformers' AutoModel
        loads."""
        frozen: bool = False
        """Leave a pretrained model as loaded, in evaluation mode."""
        max_tokens: Positive = 48
        """Word pieces kept per clip."""
        vocabulary_size: Positive = 1024
        """Size of the tokenizer trained on the training split's words."""
        layers: Positive = 2
        heads: Positive = 4
        hidden: Positive = 64

    @classmethod
    def needs(cls, config: Config) -> Pieces:
        return Pieces(config.max_tokens, config.vocabulary_size, config.model)

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        if config.model is not None:
            refuse_other_than_text(config.model)
            super().refuse_unusable(config)

    @classmethod
    def load_network(cls, config: Config) -> nn.Module:
        assert config.model is not None
        return _load(config.model)

    def __init__(self, config: Config, told: int, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        vocabulary_size = told
        if config.model is None:
            if config.frozen or config.tune != NOTHING:
                option = "frozen" if config.frozen else "tune"
                raise InputError(f"{option} needs model: a frozen random transformer would learn nothing")
            transformer = _small_bert(config, vocabulary_size)
        else:
            transformer = self.load_network(config)
            tune_network(transformer, config)
        embedding = transformer.get_input_embeddings()
        if embedding.num_embeddings < vocabulary_size:
            raise InputError(
                f"model '{config.model}' knows {embedding.num_embeddings} word pieces, its tokenizer "
                f"{vocabulary_size}; use the tokenizer that belongs to the model"
            )
        self.transformer = transformer if self.needs_trunk else None
        self.embedding = None if self.needs_trunk else embedding  # else it is the transformer's own
        self.project_stem = nn.Linear(embedding.embedding_dim, width) if "stem" in levels else None
        self.project_trunk = (
            nn.Sequential(nn.Linear(transformer.config.hidden_size, width), nn.LayerNorm(width))
            if self.needs_trunk
            else None
        )
        self.dropout = nn.Dropout(config.dropout)

    @property
    def pretrained(self) -> nn.Module | None:
        if self.config.model is None:
            return None
        return self.embedding if self.transformer is None else self.transformer

    def stem(self, inputs: Tokens) -> Tokens:
        if self.project_stem is None:  # only the trunk is read, and it starts from the ids
            shape = (*inputs.values.shape, self.width)
            return inputs.replace_values(inputs.values.new_zeros(shape, dtype=torch.float32))
        embed = self.embedding if self.transformer is None else self.transformer.get_input_embeddings()
        assert embed is not None
        ids = inputs.values.masked_fill(~inputs.mask, 0)
        return inputs.replace_values(self.dropout(self.project_stem(embed(ids))))

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        assert self.transformer is not None
        assert self.project_trunk is not None
        ids = inputs.values.masked_fill(~inputs.mask, 0)
        attend = inputs.mask.clone()
        attend[:, 0] = True  # an absent text reads one padding piece, so that no softmax is over nothing
        # with a mask (B, N), BERT waits for the device to know whether anything is masked
        mask = attend[:, None, None] if self.config.model is None else attend.long()
        states = self.transformer(input_ids=ids, attention_mask=mask).last_hidden_state
        return inputs.replace_values(self.dropout(self.project_trunk(states)))


def _small_bert(config: TextTransformer.Config, vocabulary_size: int) -> Any:
    """A BERT with random weights. `Any`, here and below: transformers' models share no type that fits."""
    from transformers import BertConfig, BertModel

    if config.hidden % config.heads:
        raise InputError(
            f"hidden {config.hidden} cannot be split over {config.heads} heads; choose a multiple"
        )
    bert = BertConfig(
        vocab_size=vocabulary_size,
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=2 * config.hidden,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
        max_position_embeddings=512,
        type_vocab_size=1,
    )
    return BertModel(bert, add_pooling_layer=False)


def _load(name: str) -> Any:
    from transformers import AutoModel

    refuse_other_than_text(name)
    model = load_pretrained(AutoModel.from_pretrained, name, use_safetensors=True)
    if getattr(model.config, "is_encoder_decoder", False):
        return model.get_encoder()
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # nobody reads it: it would count as parameters and never be trained
    return model
