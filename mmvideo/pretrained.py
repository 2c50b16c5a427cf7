"""Pretrained models by name: a folder here, or one of the hub's; a slip is told without waiting."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from mmvideo.errors import InputError

HUB_SECONDS = 10.0
"""How long the hub may take to say whether it has a model."""


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
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"model '{name}' is neither a local folder nor a hub name that loads: {error}"
        ) from error


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
    if path.is_absolute() or name.startswith((".", "~")) or (len(path.parts) > 1 and path.parent.is_dir()):
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
