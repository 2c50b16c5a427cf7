"""torchvision classification models as per-frame feature extractors."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from mmvideo.errors import InputError, unknown
from mmvideo.layers.normalization import GroupNorm


def torchvision_backbone(name: str, weights: str | None, *, frozen: bool) -> tuple[nn.Module, int]:
    """The named model without its classifier, and the number of features it gives.

    Batch norm is replaced, since in training it would make a clip depend on its batch-mates: by its own
    frozen statistics where weights are loaded, from scratch by group norm (Wu & He, 2018,
    https://arxiv.org/abs/1803.08494).

    Args:
        weights: None (from scratch), a torchvision weights name such as `DEFAULT` or `IMAGENET1K_V2` (fetched
            to torch's cache unless it is there), or the path of a local state dict.
        frozen: it is not to be trained, or not as a whole, and so needs weights.

    Raises:
        InputError: unknown model or weights, or a state dict that does not fit.
    """
    available = torchvision.models.list_models(module=torchvision.models)
    if name not in available:
        raise unknown("visual backbone", name, ["small", *available])
    if frozen and weights is None:
        raise InputError(f"frozen needs weights: a frozen random '{name}' would learn nothing")
    is_file = weights is not None and (
        Path(weights).suffix in {".pt", ".pth", ".safetensors"} or Path(weights).exists()
    )
    if weights is None or is_file:
        model = torchvision.models.get_model(name, weights=None)
    else:
        known = {member.name for member in torchvision.models.get_model_weights(name)}
        if weights not in known | {"DEFAULT"}:
            raise unknown(f"weights of '{name}' (nor is it a file)", weights, known | {"DEFAULT"})
        model = torchvision.models.get_model(name, weights=weights)
    if is_file:
        _load_file(model, name, Path(str(weights)))
    features = _drop_classifier(model)
    _replace_batch_norm(model, keep_statistics=weights is not None)
    return model, features


def _load_file(model: nn.Module, name: str, path: Path) -> None:
    """Load a state dict; its classifier may have another number of classes, since that is dropped anyway."""
    if not path.exists():
        raise InputError(f"weights: there is no file {path}")
    try:
        state = _read_state(path)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, LookupError) as error:
        raise InputError(f"weights: {path} holds no state dict that can be read: {error}") from error
    own = model.state_dict()
    wrong = [key for key in own if key not in state or state[key].shape != own[key].shape]
    head = {f"{_classifier_name(model)}.weight", f"{_classifier_name(model)}.bias"}
    if unfit := sorted(set(wrong) - head):
        raise InputError(
            f"weights: {path} does not fit '{name}': {len(unfit)} tensors are missing or of another "
            f"shape ({', '.join(unfit[:3])} …)"
        )
    model.load_state_dict({key: state[key] for key in own if key not in head}, strict=False)


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _classifier_name(model: nn.Module) -> str:
    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]


def _drop_classifier(model: nn.Module) -> int:
    """Replace the last linear layer by nothing; return how many features it read."""
    name = _classifier_name(model)
    classifier = model.get_submodule(name)
    assert isinstance(classifier, nn.Linear)
    model.set_submodule(name, nn.Identity())
    return classifier.in_features


def _replace_batch_norm(model: nn.Module, *, keep_statistics: bool) -> None:
    for name, module in list(model.named_modules()):
        if not isinstance(module, nn.BatchNorm2d):
            continue
        if keep_statistics:
            new: nn.Module = FrozenBatchNorm2d(module.num_features, eps=module.eps)
            new.load_state_dict({k: v for k, v in module.state_dict().items() if k != "num_batches_tracked"})
        else:
            groups = next(g for g in (32, 16, 8, 4, 2, 1) if module.num_features % g == 0)
            new = GroupNorm(groups, module.num_features)
        model.set_submodule(name, new)
