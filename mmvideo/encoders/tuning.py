"""Which parameters of a pretrained network train: none, its last blocks, adapters of low rank, or all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any

import annotated_types as at
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmvideo.encoders.base import Encoder
from mmvideo.errors import InputError
from mmvideo.schema import Dropout, Part, PositiveFloat, added


class Tune(Part):
    """The part of a pretrained model that is trained; none unless told."""

    blocks: Annotated[int, at.Ge(0)] = added(0, before=0)
    """Its last blocks (of a transformer its layers, of a CNN its stages), with what stands on them. With
    `lora`, adapters are put into these alone; 0: into all."""
    lora: Annotated[int, at.Ge(0)] = added(0, before=0)
    """Rank of adapters beside all linear layers of blocks, whose own weights stay (Hu et al., 2021,
    https://arxiv.org/abs/2106.09685). 0: none."""
    lora_alpha: PositiveFloat = added(16.0, before=16.0)
    """What adapters add is scaled by this over their rank."""
    lora_dropout: Dropout = added(0.0, before=0.0)
    """On the adapters' input, in training."""


NOTHING = Tune()


class TunedEncoder(Encoder):
    """An encoder on a pretrained network. A subclass gives it as `load_network` and, once it has called
    `tune_network` on it, as `pretrained`."""

    class Config(Encoder.Config):
        """How much of the pretrained model is trained."""

        frozen: bool = True
        """Leave the pretrained model as loaded, in evaluation mode; only what stands on it is trained."""
        tune: Tune = added(NOTHING, before=NOTHING)
        """The part of it that is trained, where it is only a part; the rest is then frozen, whatever `frozen`
        says."""

        @property
        def unchanging(self) -> bool:
            """Whether the model gives the same for a clip all through training."""
            return self.frozen and self.tune == NOTHING

    @classmethod
    def load_network(cls, config: Any) -> nn.Module:
        """The network that the options name, as it is loaded."""
        raise NotImplementedError(f"{cls.__name__} defines no load_network")

    @classmethod
    def refuse_unusable(cls, config: Any) -> None:
        if config.tune != NOTHING:
            _refuse_untunable(cls.load_network, config)

    def train(self, mode: bool = True) -> TunedEncoder:
        """What is frozen stays in evaluation mode: dropout in it would make it change after all."""
        super().train(mode)
        if mode and self.pretrained is not None:
            _train_mode(self.pretrained, self.config)
        return self


@lru_cache(maxsize=16)  # all runs of a grid ask for the same
def _refuse_untunable(load: Callable[[Any], nn.Module], config: TunedEncoder.Config) -> None:
    tune_network(load(config), config)


def tune_network(network: nn.Module, config: TunedEncoder.Config) -> None:
    """Leave a gradient to the parameters that the options say; those without one as it is loaded get none.

    Raises:
        InputError: it has fewer blocks than are asked for, or none that are found; adapters are asked for,
            and there is no linear layer, or peft is not installed.
    """
    if config.tune == NOTHING:
        if config.frozen:
            network.requires_grad_(False)
        return
    trained = {key for key, parameter in network.named_parameters() if parameter.requires_grad}
    network.requires_grad_(False)
    blocks, count, name = block_names(network), config.tune.blocks, type(network).__name__
    if not blocks:
        raise InputError(
            f"tune: no list of blocks is found in the model ({name}); train none or all of it with `frozen`"
        )
    if count > len(blocks):
        raise InputError(f"tune.blocks: the model ({name}) has {len(blocks)} blocks, not {count}")
    if config.tune.lora:
        _add_adapters(network, config.tune, blocks[-count:])  # all of them for 0
        return
    above = blocks_above(network)
    for key, parameter in network.named_parameters():
        parameter.requires_grad_(key in trained and above[key] < count)


def blocks_above(network: nn.Module) -> dict[str, int]:
    """For each of a network's parameters, how many blocks stand above its own.

    What is registered before the first block (embeddings, a stem) has all of them above it, what is after it
    and in no block (a last norm, pooling) none. Without blocks, it is 0 for all.
    """
    blocks = block_names(network)
    found: dict[str, int] = {}
    above = len(blocks)
    for name, _ in network.named_parameters():
        own = next((i for i, block in enumerate(blocks) if name.startswith(f"{block}.")), None)
        if own is not None:
            above = 0
        found[name] = above if own is None else len(blocks) - 1 - own
    return found


def block_names(network: nn.Module) -> list[str]:
    """The names of a network's blocks, from its input on: of all lists of modules the one that holds most of
    the parameters, those with linear layers first (the convolutions before a speech model are no blocks)."""

    def size(names: list[str]) -> tuple[bool, int]:
        held = [network.get_submodule(name) for name in names]
        linear = any(isinstance(module, nn.Linear) for part in held for module in part.modules())
        return linear, sum(parameter.numel() for part in held for parameter in part.parameters())

    return max(_module_lists(network), key=size, default=[])


def _module_lists(network: nn.Module) -> Iterator[list[str]]:
    """Names in each list of modules with parameters, outer lists first; of a ResNet, `layer1` to `layer4`."""
    numbered: dict[str, list[str]] = {}
    for name, child in network.named_children():
        if (word := re.fullmatch(r"(\D+)\d+", name)) and next(child.children(), None) is not None:
            numbered.setdefault(word[1], []).append(name)
    lists = [(names, 2) for names in numbered.values()]
    for name, module in network.named_modules():
        if isinstance(module, nn.ModuleList | nn.Sequential):
            within = f"{name}." if name else ""
            names = [
                within + key for key, part in module.named_children() if any(True for _ in part.parameters())
            ]
            lists.append((names, 1 if isinstance(module, nn.ModuleList) else 2))
    return (names for names, least in lists if len(names) >= least)


def _add_adapters(network: nn.Module, tune: Tune, blocks: list[str]) -> None:
    try:
        import peft
    except ImportError as error:
        raise InputError(
            "tune.lora needs peft, which is not installed: pip install 'mmvideo[peft]'"
        ) from error
    linear = [
        f"{block}.{key}"
        for block in blocks
        for key, module in network.get_submodule(block).named_modules()
        if type(module) is nn.Linear  # what derives from it is often read by its weight, past an adapter
    ]
    if not linear:
        raise InputError(
            f"tune.lora: the blocks of the model ({type(network).__name__}) have no linear layers to put "
            "adapters beside; train its last ones with `tune.blocks`"
        )
    given: dict[str, Any] = {"lora_alpha": tune.lora_alpha, "lora_dropout": tune.lora_dropout}
    peft.inject_adapter_in_model(peft.LoraConfig(r=tune.lora, target_modules=linear, **given), network)


def with_adapters(stored: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a network, also under the names that they have in one with adapters, and fresh adapters,
    which add nothing.

    Args:
        own: the state of the network with adapters.
    """
    plain = {name: name.replace(".base_layer.", ".") for name in own if ".base_layer." in name}
    renamed = {name: stored[before] for name, before in plain.items() if before in stored}
    return {n: value for n, value in own.items() if ".lora_" in n} | renamed | dict(stored)


def _train_mode(network: nn.Module, config: TunedEncoder.Config) -> None:
    """Training mode for what is trained. Batch norm keeps its statistics everywhere: in training it would tie
    a clip to its batch-mates."""
    whole = not config.frozen and config.tune == NOTHING
    network.train(whole)
    for name, module in network.named_modules():
        trained = {parameter.requires_grad for parameter in module.parameters()} == {True}
        if not whole and (trained or "lora_dropout" in name):
            module.train()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
