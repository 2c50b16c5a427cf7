"""Pretrained models of text: what a checkpoint says of its texts, and its states or vector of each window.

Any text model of transformers' AutoModel. How a window becomes one vector is read off the folder's own files,
as sentence-transformers writes them (modules.json and what it names); that library itself is not needed.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types as at
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.errors import InputError, unknown
from mmvideo.modalities.text_windows import TextFormat
from mmvideo.modalities.tokenizer import WordPieces
from mmvideo.pretrained import (
    Family,
    config_settings,
    load_pretrained,
    load_whole,
    model_config,
    model_file,
    model_json,
    read_once,
)

Pooling = Literal["mean", "cls", "last", "max"]
Layer = Annotated[int, at.Ge(0)] | Literal["last", "weighted"]


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
        "any text model of AutoModel, or sentence-transformers folder", "AutoModel, any", 384, 22.6,
        "sentence-transformers/all-MiniLM-L6-v2", FREE,
    ),
}  # fmt: skip
"""What `mmvideo encoders` shows; others are read in the same way."""
MODES: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
    "pooling_mode_max_tokens": "max",
}
"""Switches of a pooling file that are understood → what they pool by."""
MODULES = ("Transformer", "Pooling", "Normalize")
ENDLESS = 10**9
"""Tokenizers that do not know their model's length name more pieces than that."""
OFFSET = ("roberta", "mpnet", "camembert", "xlm", "data2vec-text", "longformer")
"""How names of kinds begin whose positions are counted from that of padding on."""
INSTRUCT = re.compile(r"(.*?instruct\w*\s*:\s*)(.*?)(\n\s*query\s*:\s*)", re.IGNORECASE | re.DOTALL)
"""A prompt of instruction-tuned embedders (Wang et al., 2024, https://arxiv.org/abs/2401.00368)."""
WINDOWS_AT_ONCE = 32


@dataclass(frozen=True)
class TextFiles:
    """What a checkpoint's files say of its texts, and of a window's vector."""

    format: TextFormat
    """Names the transformer's own folder."""
    pooling: Pooling | None = None
    """None: the folder does not say, and nobody asked."""
    of_prompt: bool = True
    """Whether the prompt's pieces are pooled too."""
    normalized: bool = False
    """Vectors are of length 1."""


@read_once
def text_files(
    model: str | None, *, pooled: bool, pooling: Pooling | None, instruction: str | None, window: int | None
) -> TextFiles:
    """What the files of a folder or hub model say, and what overrides them.

    Args:
        pooled: whether windows become vectors.
        pooling: in place of what the folder says.
        instruction: a name of the folder's prompts; or a task, which is put into the folder's prompt for
            tasks; where it has none, what stands before every text.
        window: word pieces of a window, if fewer than the model reads.

    Raises:
        InputError: no model, one of another kind or that needs the hub's code, or files that are missing.
    """
    if model is None:
        model_config(model)  # which says what is missing
    assert model is not None
    modules = _modules(model)
    folder = _transformer(model, modules)
    config = model_config(folder)
    refuse_other_than_text(folder)
    sentence = _object(model, "sentence_bert_config.json")
    longest = _longest(folder, config, sentence)
    if window is not None and window > longest:
        raise InputError(f"window {window} is more than the {longest} word pieces that '{model}' reads")
    given = TextFormat(
        folder, window or longest, _prompt(model, instruction), bool(sentence.get("do_lower_case"))
    )
    if not pooled:
        return TextFiles(given)
    normalized = any(kind == "Normalize" for kind, _ in modules)
    if pooling is not None:
        return TextFiles(given, pooling, normalized=normalized)
    found, of_prompt = _pooling(model, modules)
    return TextFiles(given, found, of_prompt, normalized)


class WindowModel(nn.Module):
    """A pretrained network over windows of word pieces, each of them by itself.

    Args:
        layer: whose states; with `weighted`, those of all, one beside the other.
    """

    def __init__(self, network: Any, files: TextFiles, layer: Layer, name: str) -> None:
        super().__init__()
        self.network, self.files, self.layer = network, files, layer
        blocks = network.config.num_hidden_layers
        if isinstance(layer, int) and layer > blocks:
            raise InputError(f"layer {layer}: '{name}' has {blocks} blocks; 0 is what they are given")
        self.layers = blocks + 1 if layer == "weighted" else 1
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
        if not every:
            return out.last_hidden_state
        return torch.cat(out.hidden_states, dim=-1) if self.layers > 1 else out.hidden_states[self.layer]

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


def _modules(model: str) -> list[tuple[str, str]]:
    """Kind and folder of each module of a sentence-transformers folder; none where it is no such folder."""
    path = model_file(model, "modules.json")
    if path is None:
        return []
    listed = _parsed(path)
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise InputError(f"{path} holds no list of modules")
    modules = [(str(e.get("type")).rpartition(".")[2], str(e.get("path") or "")) for e in listed]
    if strange := sorted({kind for kind, _ in modules} - set(MODULES)):
        raise InputError(
            f"model '{model}': its modules.json has {', '.join(strange)}; what is understood is "
            f"{', '.join(MODULES)}. Name a folder without it, with `pooling`."
        )
    return modules


def _transformer(model: str, modules: list[tuple[str, str]]) -> str:
    """Where the transformer itself lies."""
    inside = next((path for kind, path in modules if kind == "Transformer"), "")
    if not inside:
        return model
    if not Path(model).is_dir():
        raise InputError(
            f"model '{model}' has its transformer in '{inside}'; download it, and name the folder"
        )
    return str(Path(model) / inside)


def _pooling(model: str, modules: list[tuple[str, str]]) -> tuple[Pooling, bool]:
    """How the folder pools, and whether it counts the prompt."""
    where = next((path for kind, path in modules if kind == "Pooling"), None)
    said = {} if where is None else model_json(model, f"{where}/config.json")
    asked = [str(said["pooling_mode"])] if isinstance(said.get("pooling_mode"), str) else []
    asked += [key for key, on in said.items() if key.startswith("pooling_mode_") and on is True]
    kinds: dict[str, Pooling] = {**MODES, "mean": "mean", "cls": "cls", "max": "max", "lasttoken": "last"}
    if not asked:
        raise InputError(
            f"model '{model}' does not say how states become one vector (a pooling module in modules.json, "
            f"with its config.json); say it with `pooling`: {', '.join(MODES.values())}; or use unit 'words'"
        )
    if len(asked) > 1 or asked[0] not in kinds:
        raise InputError(
            f"model '{model}' pools by {' and '.join(asked)}; what is understood is one of "
            f"{', '.join(MODES)}. Choose another with `pooling`."
        )
    return kinds[asked[0]], bool(said.get("include_prompt", True))


def _prompt(model: str, instruction: str | None) -> str:
    """What stands before every text."""
    said = _object(model, "config_sentence_transformers.json")
    prompts: dict[str, str] = {str(k): str(v) for k, v in (said.get("prompts") or {}).items()}
    if instruction is None:
        return prompts.get(str(said.get("default_prompt_name")), "")
    if instruction in prompts:
        return prompts[instruction]
    if prompts and re.fullmatch(r"[\w-]+", instruction):
        raise unknown(f"prompt of '{model}'", instruction, prompts)
    for prompt in prompts.values():
        if match := INSTRUCT.fullmatch(prompt):
            return f"{match[1]}{instruction}{match[3]}"
    return instruction


def _longest(folder: str, config: dict[str, Any], sentence: dict[str, Any]) -> int:
    """Word pieces that the model was trained to read at once."""
    positions = config.get("max_position_embeddings")
    if positions and str(config.get("model_type")).startswith(OFFSET):
        positions -= int(config.get("pad_token_id") or 0) + 1
    lengths = [
        sentence.get("max_seq_length"),
        _object(folder, "tokenizer_config.json").get("model_max_length"),
        positions,
        config.get("n_positions"),
    ]
    known = [int(length) for length in lengths if length and 0 < length < ENDLESS]
    if not known:
        raise InputError(
            f"model '{folder}' does not say how many word pieces it reads (max_seq_length, model_max_length "
            "or max_position_embeddings); add model_max_length to its tokenizer_config.json"
        )
    return min(known)


def _object(model: str, file: str) -> dict[str, Any]:
    """A JSON file that a model may lack."""
    return {} if model_file(model, file) is None else model_json(model, file)


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from error


def refuse_other_than_text(name: str) -> None:
    """
    Raises:
        InputError: there is no such model, or its states are not those of a text.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    config = load_pretrained(AutoConfig.from_pretrained, name)
    kind = f"model '{name}' is of the kind '{config.model_type}'"
    advice = "Name one whose AutoModel reads text alone, such as BERT, RoBERTa or T5"
    try:
        found: Any = MODEL_MAPPING[type(config)]
    except KeyError as error:
        raise InputError(f"{kind}, for which transformers has no plain model. {advice}.") from error
    model = found[0] if isinstance(found, tuple) else found
    read = getattr(model, "input_modalities", "text")
    reads = {read} if isinstance(read, str) else set(read)
    if model.main_input_name != "input_ids" or reads != {"text"}:
        what = f"{' and '.join(sorted(reads))} ({model.main_input_name})"
        raise InputError(f"{kind}, which reads {what}. {advice}.")
    if not isinstance(getattr(config, "hidden_size", None), int):
        raise InputError(f"{kind}, and its configuration has no hidden_size. {advice}.")


def refuse_tokenizer(files: TextFiles) -> None:
    """Raises InputError where there is no tokenizer that tells each piece's place in the text."""
    WordPieces.pretrained(files.format.model)
