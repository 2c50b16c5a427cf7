"""What a run works with, made from its configuration and its data: device, tokenizer, model, objective."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import torch
from lightning_fabric import Fabric

from mmvideo.components import OBJECTIVES, build
from mmvideo.config import RunConfig
from mmvideo.data.loading import SplitLoader, in_batches
from mmvideo.data.run_data import Data
from mmvideo.data.tokenizer import WordPieces
from mmvideo.errors import InputError
from mmvideo.model import FusionModel, build_model, fusion_class
from mmvideo.records import TOKENIZER
from mmvideo.runs.directory import RunDirectory
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.encoded import EncodedData, EncodedSplit, encode_split
from mmvideo.training.objectives import Objective, Setting, objective_class
from mmvideo.training.session import TrainingData
from mmvideo.types import FeatureInput
from mmvideo.vocabulary import Modality, Split


def make_fabric(config: RunConfig) -> Fabric:
    """The device and precision a configuration asks for.

    Raises:
        InputError: CUDA is asked for and not there.
    """
    device = config.runtime.device
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("runtime.device is 'cuda', but torch finds no GPU; use 'auto' or 'cpu'")
    accelerator = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    torch.set_num_threads(config.runtime.threads)
    return Fabric(accelerator=accelerator, devices=1, precision=config.train.precision)


def trained_model(
    config: RunConfig, data: Data, tokenizer: WordPieces | None, features: Mapping[Modality, FeatureInput]
) -> FusionModel:
    """The configured model, as it is trained: with the levels that the objective reads beside the fusion."""
    further = objective_class(config.objective.name).reads
    return build_model(config, data.outputs, tokenizer.size if tokenizer else 0, features, further)


def make_objective(config: RunConfig, data: Data) -> Objective:
    """The configured objective, told how many training clips each class has."""
    counts: tuple[int, ...] = ()
    if data.task != "regression":
        labels = torch.from_numpy(data.labels(data.clips("train")))
        one_hot = labels if labels.ndim == 2 else torch.nn.functional.one_hot(labels, data.outputs)
        counts = tuple(int(count) for count in one_hot.sum(dim=0))
    setting = Setting(config.modalities, config.width, data.outputs, data.task, counts)
    name, options = config.objective.name, config.objective.options
    objective: Objective = build(OBJECTIVES, "objective", name, options, setting=setting)
    return objective


def training_data(
    config: RunConfig, data: Data, tokenizer: WordPieces | None, model: FusionModel, device: torch.device
) -> TrainingData:
    """The batches a run trains on; with frozen encoders, of what these make of the clips.

    The encoded clips are kept for the next run of this process, as long as that has the same ones.
    """
    size, seed = config.train.batch_size, config.seed
    if not config.encoders_frozen:
        return SplitLoader(
            data.dataset("train", config, tokenizer, training=True),
            data.dataset("val", config, tokenizer),
            batch_size=size,
            seed=seed,
            workers=config.runtime.loader_workers,
            pad_to=config.train.pad_to,
        )
    further = objective_class(config.objective.name).reads
    levels = frozenset(fusion_class(config).levels_read(config.fusion.options) | further)
    key = (data.fingerprint, config.data, config.modalities, config.encoders_from, levels)
    if key not in _encoded:
        _encoded.clear()
        model.to(device)
        _encoded[key] = {
            split: encode_split(model, in_batches(data.dataset(split, config, tokenizer), size), device)
            for split in ("train", "val")
        }
    return EncodedData(_encoded[key]["train"], _encoded[key]["val"], batch_size=size, seed=seed)


_encoded: dict[Hashable, dict[Split, EncodedSplit]] = {}


def load_tokenizer(run: RunDirectory) -> WordPieces | None:
    """The run's own tokenizer; None where it reads no text."""
    path = run.path / TOKENIZER
    return WordPieces.load(path) if path.exists() else None


def checkpoints(run: RunDirectory) -> Checkpoints:
    return Checkpoints(run.path / "checkpoints")
