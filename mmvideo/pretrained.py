"""Pretrained models by name: a folder here, or one of the hub's; a slip is told without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

from mmvideo.errors import InputError
from mmvideo.schema import is_path

P = ParamSpec("P")
T = TypeVar("T")
HUB_SECONDS = 10.0
"""How long the hub may take to say whether it has a model."""

MaskMode = Literal["exact", "fixed window", "equal length"]
"""What a model makes of padding. `exact`: nothing. `fixed window`: it takes inputs of one length only, cut
and masked outside of it. `equal length`: inputs of any length, and none that is padded."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Pretrained models that one adapter reads in one way, as `mmvideo encoders` lists them.

    Args:
        title: what they are called.
        network: the library's class, whose default configuration `parameters` and `width` are those of.
        input: what they are given.
        gives: the times that their vectors are of.
        masks: what they make of padding.
        width: length of a vector.
        parameters: of what is run of the network, in millions. Each is 4 bytes.
        example: a checkpoint of that size.
        licence: that of the example's weights.
    """

    title: str
    network: str
    input: str
    gives: str
    masks: MaskMode
    width: int
    parameters: float
    example: str
    licence: str = "on its card"


def read_once(read: Callable[P, T]) -> Callable[P, T]:
    """What is read off the files of a model, the first argument, kept until one of them is changed."""
    kept = lru_cache(maxsize=16)(lambda state, given, named: read(*given, **dict(named)))

    @wraps(read)
    def fresh(*given: P.args, **named: P.kwargs) -> T:
        return kept(_state(given[0]), given, tuple(named.items()))

    return fresh


def _state(model: object) -> tuple[Any, ...]:
    """What tells that a folder's files, or those of its folders, were changed; nothing of the hub's names."""
    folder = Path(str(model))
    files = sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]) if folder.is_dir() else []
    stats = ((file, file.stat()) for file in files)
    return tuple((str(file), s.st_mtime_ns, s.st_ctime_ns, s.st_size, s.st_ino) for file, s in stats)


def load_pretrained(load: Callable[..., Any], name: str, **options: Any) -> Any:
    """`load(name)` of transformers, without the network where the model is here already.

    Raises:
        InputError: there is no such model (see `find_model`), or it does not load.
    """
    place = find_model(name)
    try:
        if place == "cache":
            try:
                return load(name, local_files_only=True, **options)
            except OSError:  # only some of its files are there
                _ask_hub(name)
        return load(name, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # RuntimeError: tensors of another shape
        raise InputError(
            f"model '{name}' is neither a local folder nor a hub name that loads: {error}"
        ) from error


def load_whole(load: Callable[..., Any], name: str, *, unread: tuple[str, ...] = (), **options: Any) -> Any:
    """A network of transformers in single precision, all of whose weights are in the model's own files, as
    safetensors.

    Args:
        unread: how names of weights begin that nobody reads, and that may be missing.

    Raises:
        InputError: as `load_pretrained`, or there are weights that the files lack: transformers would draw
            them at random.
    """
    from transformers.utils import logging

    logging.set_verbosity_error()  # of what is missing an error tells; heads that are left out are no news
    logging.disable_progress_bar()
    options = {"use_safetensors": True, "output_loading_info": True, "dtype": "float32", **options}
    network, told = load_pretrained(load, name, **options)
    if lacking := sorted(key for key in told["missing_keys"] if not key.startswith(unread)):
        raise InputError(
            f"model '{name}': its weights do not fit {type(network).__name__}: {len(lacking)} are missing "
            f"({', '.join(lacking[:3])} …)"
        )
    return network


def config_settings(config: Any) -> dict[str, Any]:
    """What decides a network of transformers beside its weights, as plain JSON values."""
    told: dict[str, Any] = config.to_diff_dict()
    settings = {name: value for name, value in told.items() if not name.startswith(("_", "trans"))}
    return {"library": "transformers", "settings": settings}


def model_json(name: str, *files: str) -> dict[str, Any]:
    """The first of these JSON files that a model has.

    Raises:
        InputError: it has none of them, or what is there is no JSON object.
    """
    for file in files:
        path = model_file(name, file)
        if path is not None:
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise InputError(f"{path} is no JSON: {error}") from error
            if isinstance(found, dict):
                return found
            raise InputError(f"{path} holds no JSON object")
    raise InputError(
        f"model '{name}' has no {' or '.join(files)}; name a complete folder, or the hub's model"
    )


def model_file(name: str, file: str) -> Path | None:
    """Where a file of a model lies, fetched from the hub where it has to be. None: the model lacks it."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    place = find_model(name)
    if place == "folder":
        path = Path(name) / file
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(name, file, local_files_only=place == "cache"))
    except EntryNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"model '{name}': {file} cannot be fetched: {error}") from error


def model_config(name: str | None) -> dict[str, Any]:
    """A model's config.json.

    Raises:
        InputError: no model is named, there is no such model, or it needs code from the hub.
    """
    if name is None:
        raise InputError("a pretrained encoder needs its option `model`: a local folder, or a hub name")
    config = model_json(name, "config.json")
    if "auto_map" in config:
        raise InputError(
            f"model '{name}' needs code that comes with it ({', '.join(sorted(config['auto_map']))} in its "
            "config.json), and such code is not run; name a model that transformers has itself"
        )
    return config


def preprocessor(name: str, part: str, *needed: str) -> dict[str, Any]:
    """What a model's preprocessor file says of its input.

    Args:
        part: where one file describes several, which of them: `image_processor`, `video_processor` or
            `feature_extractor`.
        needed: what has to stand there. A library's default for its class is that of another checkpoint.

    Raises:
        InputError: there is no such file, or something needed does not stand in it.
    """
    whole = "processor_config.json"  # where it describes the part, transformers reads no other
    found = {} if model_file(name, whole) is None else model_json(name, whole).get(part, {})
    if not found:
        of_video = ("video_preprocessor_config.json",) if part == "video_processor" else ()
        found = model_json(name, *of_video, "preprocessor_config.json", whole)
        found = found.get(part, found)
    if lacking := [key for key in needed if found.get(key) is None]:
        raise InputError(
            f"model '{name}': its preprocessor file does not say {', '.join(lacking)}, which the model was "
            "trained with; add it there"
        )
    return found


def find_model(name: str) -> Literal["folder", "cache", "hub"]:
    """Where a model lies. The hub is asked, once, only for what can be a name of its own.

    Raises:
        InputError: a folder that is not there, with those near it; or the hub lacks it or does not answer.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    path = Path(name)
    if path.is_dir():
        return "folder"
    if path.exists():
        raise InputError(f"model '{name}' is a file; name the folder that holds config.json and the weights")
    try:
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return "cache"
    except HFValidationError as error:
        raise InputError(_no_folder(path)) from error
    if is_path(name):
        raise InputError(_no_folder(path))
    _ask_hub(name)
    return "hub"


def _no_folder(path: Path) -> str:
    """Where the path stops to exist, and what lies there under a similar name."""
    here = next(parent for parent in [*path.parents, Path()] if parent.is_dir())
    wanted = path.relative_to(here).parts[0]
    near = get_close_matches(wanted, [entry.name for entry in here.iterdir() if entry.is_dir()], n=3)
    hint = f" Did you mean {' or '.join(str(here / name) for name in near)}?" if near else ""
    return f"model '{path}': there is no such folder; '{here}' has no '{wanted}'.{hint}"


@lru_cache(maxsize=64)
def _ask_hub(name: str) -> None:
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=HUB_SECONDS)
    except Exception as error:  # of the network's library as well as of the hub's
        near = get_close_matches(name, [entry.name for entry in Path().iterdir() if entry.is_dir()], n=3)
        hint = f" Did you mean the folder {' or '.join(near)}?" if near else ""
        reason = " ".join(str(error).split())
        raise InputError(
            f"model '{name}' is neither a folder here nor in the hub's cache, and the hub does not give it: "
            f"{reason}.{hint} Name a local folder, or put the model into the cache where there is a network "
            f"(`hf download {name}`)."
        ) from error
