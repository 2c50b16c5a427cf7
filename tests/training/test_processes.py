"""Several processes train as one does: the same weights and records, whatever the objective reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tiny_training import CLASSES, WIDTH, tiny_batch, tiny_model
from torch import nn
from torch.multiprocessing.spawn import ProcessRaisedException

from mmvideo.components import OBJECTIVES, ObjectiveChoice
from mmvideo.config import TrainConfig
from mmvideo.data.shares import WHOLE, Part, Share
from mmvideo.objectives import Setting
from mmvideo.runs import assembly
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.loop import Log, fit
from mmvideo.training.processes import share_of
from mmvideo.types import Batch, Tokens

MODALITIES = ("visual", "audio")
NOISE = {"ogm_ge"}
"""What draws in every step, so that one process draws otherwise than several."""


class Data:
    """Batches of 8, 7 and 1 clips; the last is smaller than two or three processes."""

    batches_per_epoch = 3

    def __init__(self, share: Share) -> None:
        self.share = share

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        for number, size in enumerate((8, 7, 1)):
            yield self.part(tiny_batch(MODALITIES, size, 10 * epoch + number))

    def val_batches(self) -> Iterator[Batch]:
        yield self.part(tiny_batch(MODALITIES, 5, 1))
        yield self.part(tiny_batch(MODALITIES, 1, 2))

    def part(self, batch: Batch) -> Batch:
        if self.share == WHOLE:
            return batch
        own = self.share.rows
        inputs = {m: Tokens(own(t.values), own(t.mask), own(t.time)) for m, t in batch.inputs.items()}
        return Part(Batch(own(batch.ids), inputs, own(batch.labels)), batch.ids)


Ended = tuple[dict[str, np.ndarray], list[dict[str, Any]]]


def train(
    fabric: Fabric, folder: Path, name: str = "cross_entropy", log: Log | None = None, **config: Any
) -> Ended:
    """The trained weights, the objective's among them, and the log."""
    torch.manual_seed(0)
    objective = ObjectiveChoice.of(name).build(Setting(MODALITIES, WIDTH, CLASSES, class_counts=(9, 6, 2)))
    model = tiny_model(MODALITIES)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # processes draw for their own part
    records: list[dict[str, Any]] = []
    folder.mkdir(parents=True, exist_ok=True)
    fit(
        model,
        objective,
        Data(share_of(fabric)),
        TrainConfig(**{"epochs": 2, "learning_rate": 0.01, "select": "last"} | config),
        seed=4,
        fabric=fabric,
        checkpoints=Checkpoints(folder),
        log=log or records.append,
    )
    weights = {
        f"{part}.{key}": value.numpy()
        for part, of in (("model", model), ("objective", objective))
        for key, value in of.state_dict().items()
    }
    return weights, [{k: v for k, v in record.items() if "seconds" not in k} for record in records]


def every_objective(fabric: Fabric, folder: Path) -> dict[str, Ended]:
    return {name: train(fabric, folder / name, name) for name in OBJECTIVES}


def checked_weights(fabric: Fabric, folder: Path) -> tuple[dict[str, Ended], dict[str, float]]:
    """Every objective's training, and how far processes' weights are apart after it."""
    found, apart = every_objective(fabric, folder), {}
    for name, (weights, records) in found.items():
        assert bool(records) == fabric.is_global_zero, "one process logs"
        flat = torch.from_numpy(np.concatenate([value.ravel() for value in weights.values()]))
        others: Any = fabric.all_gather(flat)
        apart[name] = (others - others[0]).abs().max().item()
    return found, apart


def processes(count: int, monkeypatch: pytest.MonkeyPatch, config: Any) -> Fabric:
    monkeypatch.setattr(assembly, "START", "fork")  # without importing torch once more in each
    return assembly.make_fabric(config, count)


def agree(found: Ended, expected: Ended) -> None:
    assert found[0].keys() == expected[0].keys()
    for key, value in expected[0].items():
        np.testing.assert_allclose(found[0][key], value, rtol=0, atol=1e-5, err_msg=key)
    assert [r.keys() for r in found[1]] == [r.keys() for r in expected[1]]
    for one, other in zip(found[1], expected[1], strict=True):
        for key, value in other.items():
            same = (
                one[key] == value if isinstance(value, str) else math.isclose(one[key], value, abs_tol=1e-4)
            )
            assert same, (key, one[key], value)


@pytest.mark.parametrize("count", [2, 3])
def test_every_objective_trains_as_in_one_process(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configure: Any
) -> None:
    expected = every_objective(Fabric(accelerator="cpu", devices=1), tmp_path / "one")
    fabric = processes(count, monkeypatch, configure())
    found, apart = fabric.launch(checked_weights, tmp_path / "several")
    assert apart.keys() == set(OBJECTIVES)
    assert max(apart.values()) == 0
    for name in sorted(set(OBJECTIVES) - NOISE):
        agree(found[name], expected[name])


def broken_off(fabric: Fabric, folder: Path) -> None:
    """The first process ends in the third epoch, while the other waits for it."""

    def stop(record: dict[str, Any]) -> None:
        if record["epoch"] == 3:
            raise KeyError("broken off")

    train(fabric, folder, epochs=4, log=stop)


def test_what_two_processes_began_one_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configure: Any
) -> None:
    alone = Fabric(accelerator="cpu", devices=1)
    weights, records = train(alone, tmp_path / "whole", epochs=4)
    with pytest.raises(ProcessRaisedException, match="broken off"):
        processes(2, monkeypatch, configure()).launch(broken_off, tmp_path / "moved")
    ended = train(alone, tmp_path / "moved", epochs=4)
    assert [record["epoch"] for record in ended[1]] == [3, 3, 4, 4]
    agree(ended, (weights, records[4:]))
