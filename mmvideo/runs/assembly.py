"""What a run works with, made from its data: device, model, objective, batches."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn

from mmvideo.components import EncoderChoice
from mmvideo.config import RunConfig
from mmvideo.data.loading import SplitLoader, in_batches
from mmvideo.data.run_data import RunData
from mmvideo.encoders.ahead import encode_clips, encoding_now
from mmvideo.encoders.base import Encoder
from mmvideo.errors import InputError
from mmvideo.modalities.base import Modality
from mmvideo.model import FusionModel, build_model
from mmvideo.objectives import Objective, Setting
from mmvideo.runs.own_code import content_digest
from mmvideo.runs.torchrun import launched
from mmvideo.schema import files_named
from mmvideo.store.encoded import EncodedClips
from mmvideo.training.encoded import EncodedData, EncodedSplit, encode_split
from mmvideo.training.processes import share_of
from mmvideo.training.session import TrainingData
from mmvideo.vocabulary import Split

START: Literal["spawn", "fork"] = "spawn"
"""How a run's further processes begin."""


def make_fabric(config: RunConfig, devices: int = 1) -> Fabric:
    """The device and precision a configuration asks for.

    Args:
        devices: more than one are for what `Fabric.launch` begins, in a process for each, or joins, where
            torchrun has begun them, on this machine or on several.

    Raises:
        InputError: CUDA is asked for and not there, or has fewer devices.
    """
    device = config.runtime.device
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("runtime.device is 'cuda', but torch finds no GPU; use 'auto' or 'cpu'")
    accelerator = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    torch.set_num_threads(config.runtime.threads)
    if accelerator == "cuda":  # on a CPU this would choose other kernels too
        torch.set_float32_matmul_precision("high")  # TF32; of torch's newer switch, inductor asks in vain
    group = launched() if devices > 1 else None
    nodes = 1 if group is None else group.nodes
    here = devices // nodes
    if accelerator == "cuda" and here > torch.cuda.device_count():
        raise InputError(
            f"The run is to have {here} devices here, but torch finds {torch.cuda.device_count()}; ask for "
            "fewer by runtime.devices or torchrun's --nproc_per_node, or make more of them visible"
        )
    strategy: Any = "auto"
    if group is not None:
        strategy = Replicas(cluster_environment=TorchElasticEnvironment())
    elif devices > 1:
        strategy = Replicas(cluster_environment=LightningEnvironment(), start_method=START)
    return Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=nodes,
        precision=config.train.precision,
        strategy=strategy,
    )


class Replicas(DDPStrategy):
    """A model in every process, whose gradients mmvideo.training.processes sums: as objectives may ask for
    several backward passes a step, and need not reach all parameters, torch's own wrapper cannot."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]
        return module


def encode_damaged(data: RunData, device: torch.device) -> None:
    """Where a frozen encoder's tokens of clips are kept: those of a modality that is damaged now are made as
    they are read; the kept ones are of clips as they are."""
    for name, modality in data.modalities.items():
        if modality.encoded is not None and modality.damage is not None:
            chosen = data.config.inputs[name].encoder
            ahead = chosen.component.encode_ahead(chosen.options, modality, device)
            modality.encode_now = encoding_now(ahead)


def encode_ahead(data: RunData, device: torch.device, *, views: bool = True) -> None:
    """Where what a frozen encoder makes of clips is kept: compute what is missing, and read it from now on in
    place of the input.

    Args:
        views: also of clips changed as in training, where that is kept.

    Raises:
        InputError: clips that cannot be encoded; the others are.
    """
    for name, modality in data.modalities.items():
        chosen = data.config.inputs[name].encoder
        key = (chosen, modality.config, _files_named(data.config))

        def kept(shown: Modality, slot: str, chosen: EncoderChoice = chosen, key: Any = key) -> Any:
            make = partial(_encoded, chosen, shown, data, device)
            return data.source.keep(("encoded ahead", slot), key, make)

        modality.encoded = kept(modality, name)
        if views:
            shown = enumerate(changed_views(chosen, modality))
            modality.views = tuple(kept(changed, f"{name}, view {view}") for view, changed in shown)


def changed_views(chosen: EncoderChoice, modality: Modality) -> list[Modality]:
    """The modality in each of the changes of training in which its encoder keeps clips."""
    return [modality.changed(view) for view in range(chosen.component.views_ahead(chosen.options))]


def _encoded(
    chosen: EncoderChoice, modality: Modality, data: RunData, device: torch.device
) -> EncodedClips | None:
    encoder: type[Encoder] = chosen.component
    ahead = encoder.encode_ahead(chosen.options, modality, device)
    return None if ahead is None else encode_clips(ahead, modality, data.source)


def trained_model(data: RunData) -> FusionModel:
    """The configured model, as it is trained: with the levels that the objective reads beside the fusion."""
    return build_model(data.config, data.outputs, data.told, data.config.objective.component.reads)


def make_objective(data: RunData) -> Objective:
    """The configured objective, told how many training clips each class has."""
    config = data.config
    counts: tuple[int, ...] = ()
    if data.task != "regression":
        labels = torch.from_numpy(data.labels(data.clips("train")))
        one_hot = labels if labels.ndim == 2 else torch.nn.functional.one_hot(labels, data.outputs)
        counts = tuple(int(count) for count in one_hot.sum(dim=0))
    setting = Setting(config.modalities, config.width, data.outputs, data.task, counts)
    objective: Objective = config.objective.build(setting)
    return objective


def training_data(data: RunData, model: FusionModel, fabric: Fabric) -> TrainingData:
    """The batches a run trains on; with frozen encoders, of what these make of the clips.

    The encoded clips are kept for the next run of this process, as long as that has the same ones.
    """
    config = data.config
    size, seed, share = config.train.batch_size, config.seed, share_of(fabric)
    if not config.encoders_frozen:
        return SplitLoader(
            data.dataset("train", training=True),
            data.dataset("val"),
            batch_size=size,
            seed=seed,
            workers=config.runtime.loader_workers,
            pad_to=data.pad_to,
            share=share,
        )

    def encoded() -> dict[Split, EncodedSplit]:
        model.to(fabric.device)
        splits: tuple[Split, ...] = ("train", "val")
        batches = {split: in_batches(data.dataset(split), size) for split in splits}
        return {split: encode_split(model, batches[split], fabric.device) for split in splits}

    key = (
        *(config.data, config.modalities, repr(config.active), config.encoders_from, config.width, size),
        _files_named(config),
        *(encoder.levels for encoder in model.encoders.values()),
    )
    held = data.source.keep("encoded", key, encoded)
    return EncodedData(held["train"], held["val"], batch_size=size, seed=seed, share=share)


def _files_named(config: RunConfig) -> tuple[tuple[str, str], ...]:
    """What the files hold that inputs name, weights above all: what was made with others is made anew."""
    named = ((key, path) for key, path in files_named(config) if key.startswith("inputs."))
    return tuple((key, content_digest(path)) for key, path in named)
