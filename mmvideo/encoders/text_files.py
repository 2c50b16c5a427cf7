"""What the files of a folder with a text model say: of its texts, and how a window becomes one vector.

They are read as sentence-transformers writes them (modules.json and what it names); that library itself is
not needed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmvideo.errors import InputError, unknown
from mmvideo.modalities.text_windows import TextFormat
from mmvideo.modalities.tokenizer import WordPieces
from mmvideo.pretrained import load_pretrained, model_config, model_file, model_json, read_once

Pooling = Literal["mean", "cls", "last", "max"]
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
