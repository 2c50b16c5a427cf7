"""A model's weights as plain tensors in a safetensors file, however a device laid them out in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mmvideo.errors import InputError
from mmvideo.files import write_whole


def save_weights(model: nn.Module, path: Path) -> None:
    """Write all parameters and buffers of the model.

    Each tensor is copied out of the memory it shares with others: cuDNN keeps an LSTM's weights as views of
    one block, which `safetensors.torch.save_model` refuses. Weights that are tied are written once; under
    each other name of theirs, the file's metadata has the name they are written under.

    Raises:
        DiskFull: no space is left for it.
    """
    written: dict[str, Tensor] = {}
    names: dict[tuple[object, ...], str] = {}
    metadata = {"format": "pt"}
    for name, tensor in model.state_dict().items():
        assert isinstance(tensor, Tensor), f"{name} is {type(tensor).__name__}: only tensors can be saved"
        view = tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()
        first = names.setdefault(view, name) if tensor.numel() else name
        if first == name:
            written[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        else:
            metadata[name] = first
    write_whole(path, save(written, metadata))


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, on the CPU, each under all of its names.

    Raises:
        InputError: there is no such file, or it is not a whole safetensors file.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata: Mapping[str, str] = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"{path} holds no weights that can be read ({error}). Put the file back as it was, or delete "
            "the folder of its run and train that again."
        ) from error
    tied = {name: tensors[first] for name, first in metadata.items() if first in tensors}
    return tied | tensors


def load_weights(model: nn.Module, path: Path) -> None:
    """Give the model the weights in a file, which must be its own to the last tensor.

    Raises:
        InputError: as in `read_weights`; or a tensor is missing, unknown to the model, or of another shape or
            type. The message names the file and the tensor.
    """
    stored, own = read_weights(path), model.state_dict()
    if faults := list(misfits(own, stored)):
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise InputError(f"{path} does not fit the configured model: {'; '.join(faults[:3])}{more}")
    model.load_state_dict(stored)


def misfits(own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> Iterator[str]:
    """What keeps stored tensors from taking the place of a model's own, a phrase a tensor."""
    for name, tensor in own.items():
        if name not in stored:
            yield f"{name} is missing"
        elif _kind(stored[name]) != _kind(tensor):
            yield f"{name} is {_kind(stored[name])} in the file and {_kind(tensor)} in the model"
    for name in stored:
        if name not in own:
            yield f"{name} is not in the model"


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
