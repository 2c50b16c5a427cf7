"""The loop: it learns, chooses on validation, stops early, fails loudly, and resumes to the same numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from mmvideo.config import TrainConfig
from mmvideo.errors import TrainingError
from mmvideo.objectives import Objective, Setting
from mmvideo.objectives.supervised import CrossEntropy
from mmvideo.seeding import derive_seed
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.loop import Progress, Select, fit
from mmvideo.training.predict import predict
from mmvideo.training.session import Session
from mmvideo.types import Batch, Prediction, Tokens
from mmvideo.vocabulary import TaskKind

Records = list[dict[str, Any]]
SETTING = Setting(("visual",), 4, 2)
SELECTS = get_args(Select)


class Toy(nn.Module):
    """Two layers with dropout, so that a resumed run has random draws to repeat."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))

    def forward(self, batch: Batch) -> Prediction:
        return Prediction(self.layers(batch.inputs["visual"].values.squeeze(1)), {})


def make_batch(values: Tensor, labels: Tensor) -> Batch:
    n = len(labels)
    tokens = Tokens(values[:, None], torch.ones(n, 1, dtype=torch.bool), torch.zeros(n, 1))
    return Batch(tuple(f"clip{i}" for i in range(n)), {"visual": tokens}, labels)


class ToyData:
    """Clips whose class is the sign of a sum; `flipped` gives validation the opposite labels."""

    def __init__(self, *, flipped: bool = False) -> None:
        values = torch.randn(48, 4, generator=torch.Generator().manual_seed(0))
        labels = (values.sum(dim=1) > 0).long()
        self.train, self.val = (
            (values[:32], labels[:32]),
            (values[32:], (1 - labels if flipped else labels)[32:]),
        )
        self.epochs: list[int] = []

    @property
    def batches_per_epoch(self) -> int:
        return 4

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        self.epochs.append(epoch)
        order = torch.randperm(32, generator=torch.Generator().manual_seed(derive_seed(0, "order", epoch)))
        for part in order.split(8):
            yield make_batch(self.train[0][part], self.train[1][part])

    def val_batches(self) -> Iterator[Batch]:
        yield make_batch(self.val[0][:10], self.val[1][:10])
        yield make_batch(self.val[0][10:], self.val[1][10:])


def train(
    folder: Path,
    config: TrainConfig,
    data: Any = None,
    objective: Objective | None = None,
    log: Callable[[dict[str, Any]], None] = lambda record: None,
    resumed: Callable[[int], None] = lambda epoch: None,
) -> tuple[nn.Module, Progress]:
    torch.manual_seed(1)
    model = Toy()
    folder.mkdir(exist_ok=True)
    progress = fit(
        model,
        objective or CrossEntropy(CrossEntropy.Config(), SETTING),
        data or ToyData(),
        config,
        seed=7,
        checkpoints=Checkpoints(folder),
        fabric=Fabric(accelerator="cpu", devices=1),
        log=log,
        resumed=resumed,
    )
    return model, progress


def without_seconds(records: Records) -> Records:
    return [{key: value for key, value in record.items() if "seconds" not in key} for record in records]


def test_it_learns_what_can_be_learned(tmp_path: Path) -> None:
    records: Records = []
    _, progress = train(tmp_path, TrainConfig(epochs=25, learning_rate=0.03, patience=25), log=records.append)
    last = {record["split"]: record for record in records}
    assert last["train"]["accuracy"] >= 0.9
    assert last["val"]["accuracy"] >= 0.9
    assert records[0]["loss"] > 3 * last["train"]["loss"]
    assert progress.step == 25 * 4
    assert [(r["epoch"], r["split"], r["step"]) for r in records[:3]] == [
        (1, "train", 4),
        (1, "val", 4),
        (2, "train", 8),
    ]


@pytest.mark.parametrize(("least_steps", "epochs"), [(0, 2), (8, 2), (9, 3), (20, 5)])
def test_few_epochs_are_as_many_as_give_the_least_steps(
    tmp_path: Path, least_steps: int, epochs: int
) -> None:
    data, records = ToyData(), Records()
    config = TrainConfig(epochs=2, least_steps=least_steps, select="last", decay=0.5, warmup=0.0)
    _, progress = train(tmp_path, config, data, log=records.append)
    assert (data.epochs, progress.step) == ([*range(1, epochs + 1)], 4 * epochs)
    rates = [record["learning_rate"] for record in records if record["split"] == "train"]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-3 / (2 * epochs)), "the schedule ends where training does"


@pytest.mark.parametrize("select", SELECTS)
def test_the_model_holds_the_weights_of_the_chosen_epoch(tmp_path: Path, select: Select) -> None:
    """On these data accuracy and loss have their best in different epochs, and accuracy reaches it twice."""
    records: Records = []
    config = TrainConfig(epochs=8, learning_rate=0.1, select=select)
    model, progress = train(tmp_path, config, log=records.append)
    val = [record for record in records if record["split"] == "val"]
    losses, scores = ([record[name] for record in val] for name in ("loss", "accuracy"))
    ties = [loss for loss, score in zip(losses, scores, strict=True) if score == max(scores)]
    assert len(ties) > 1
    loss = {"score": min(ties), "loss": min(losses), "last": losses[-1]}[select]
    assert progress.best_epoch == losses.index(loss) + 1
    assert (progress.best_loss, progress.best_score) == (loss, scores[losses.index(loss)])
    found = predict(model, ToyData().val_batches(), torch.device("cpu"))
    assert found.metrics()["nll"] == loss
    assert found.ids[:2] == ("clip0", "clip1")


@pytest.mark.parametrize(
    ("select", "task", "epochs", "chosen"),
    [  # (validation loss, score) of each epoch
        ("score", "single_label", [(0.5, 0.6), (0.9, 0.8), (0.7, 0.8), (0.7, 0.8), (0.1, 0.7)], 3),
        ("loss", "single_label", [(0.5, 0.6), (0.9, 0.8), (0.1, 0.7), (0.1, 0.9)], 3),
        ("last", "single_label", [(0.1, 0.9), (0.9, 0.1)], 2),
        ("score", "multi_label", [(0.3, 0.5), (0.9, 0.6)], 2),
        ("score", "regression", [(0.9, 0.9), (0.4, 0.4), (0.8, 0.8)], 2),
        ("score", "single_label", [(0.5, 0.6), (math.nan, 0.9), (math.inf, 0.9)], 1),
        ("last", "single_label", [(0.5, 0.6), (math.nan, 0.9)], 1),
        ("score", "single_label", [(math.nan, 0.9)], 0),
    ],
)
def test_which_epoch_is_the_best(
    select: Select, task: TaskKind, epochs: list[tuple[float, float]], chosen: int
) -> None:
    progress = Progress()
    for number, (loss, score) in enumerate(epochs, start=1):
        if progress.better(loss, score, select, task):
            progress.best_epoch, progress.best_loss, progress.best_score = number, loss, score
    assert progress.best_epoch == chosen


def test_it_stops_when_validation_gets_no_better(tmp_path: Path) -> None:
    """With opposite labels in validation every epoch of learning makes it worse: the first is the best."""
    data = ToyData(flipped=True)
    config = TrainConfig(epochs=30, learning_rate=0.05, patience=3, select="loss")
    _, progress = train(tmp_path, config, data)
    assert (progress.best_epoch, progress.epoch) == (1, 4)
    assert data.epochs == [1, 2, 3, 4]


def test_the_last_epoch_is_waited_for(tmp_path: Path) -> None:
    config = TrainConfig(epochs=6, learning_rate=0.05, patience=1, select="last")
    _, progress = train(tmp_path, config, ToyData(flipped=True))
    assert (progress.best_epoch, progress.epoch) == (6, 6)


def test_seconds_are_those_of_what_they_stand_beside(tmp_path: Path) -> None:
    """Validation takes longer than training here; only training adds up."""

    class Slow(ToyData):
        def val_batches(self) -> Iterator[Batch]:
            time.sleep(0.2)
            yield from super().val_batches()

    records: Records = []
    train(tmp_path, TrainConfig(epochs=2), Slow(), log=records.append)
    first, val, second, _ = records
    assert val["seconds"] >= 0.2 > first["seconds"]
    assert val["training_seconds"] == first["training_seconds"] == first["seconds"]
    assert second["training_seconds"] == first["seconds"] + second["seconds"]


class Breaks(CrossEntropy):
    """Cross-entropy that is NaN at the given step."""

    def __init__(self, step: int, value: float = math.nan) -> None:
        super().__init__(self.Config(), SETTING)
        self.left, self.value = step, value

    def forward(self, prediction: Prediction, batch: Batch) -> Tensor:
        self.left -= 1
        return super().forward(prediction, batch) * (self.value if self.left == 0 else 1.0)


class TestBrokenLoss:
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_it_names_the_step_and_the_last_good_checkpoint(self, tmp_path: Path, value: float) -> None:
        with pytest.raises(TrainingError, match=r"at step 10 \(epoch 3\).*last\.pt.*learning_rate") as raised:
            train(tmp_path, TrainConfig(epochs=5), objective=Breaks(10, value))
        assert str(value) in str(raised.value)
        kept = Checkpoints(tmp_path).load_last()
        assert kept is not None
        assert kept["progress"]["epoch"] == 2
        assert all(torch.isfinite(weight).all() for weight in kept["model"].values())

    def test_in_the_first_epoch_there_is_none_yet(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"at step 2 \(epoch 1\).*none was written yet"):
            train(tmp_path, TrainConfig(epochs=5), objective=Breaks(2))

    @pytest.mark.filterwarnings("ignore:invalid value encountered")
    def test_a_validation_loss_that_is_never_finite_is_no_result(self, tmp_path: Path) -> None:
        data = ToyData()
        data.val = (torch.full_like(data.val[0], torch.nan), data.val[1])
        with pytest.raises(TrainingError, match="No epoch of 2 had a finite validation loss"):
            train(tmp_path, TrainConfig(epochs=2), data)


class Interrupted(Exception):
    pass


def five_epochs(select: Select) -> TrainConfig:
    return TrainConfig(epochs=5, learning_rate=0.03, select=select)


Trained = tuple[nn.Module, Progress, Records]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[Select, Trained]:
    """By `select`, training that nothing interrupts."""

    def whole(select: Select) -> Trained:
        records: Records = []
        folder = tmp_path_factory.mktemp("whole")
        model, progress = train(folder, five_epochs(select), log=records.append)
        return model, progress, without_seconds(records)

    return {select: whole(select) for select in SELECTS}


class TestResume:
    @pytest.mark.parametrize("select", SELECTS)
    @pytest.mark.parametrize("epoch", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("where", ["within the epoch", "after training", "after validation"])
    def test_an_interrupted_run_ends_like_an_undisturbed_one(
        self, tmp_path: Path, undisturbed: dict[Select, Trained], epoch: int, where: str, select: Select
    ) -> None:
        records: Records = []

        def log(record: dict[str, Any]) -> None:
            records.append(record)
            if (
                record["epoch"] == epoch
                and where == {"train": "after training", "val": "after validation"}[record["split"]]
            ):
                raise Interrupted

        class Data(ToyData):
            def train_batches(self, at: int) -> Iterator[Batch]:
                for number, batch in enumerate(super().train_batches(at)):
                    if at == epoch and number == 2 and where == "within the epoch":
                        raise Interrupted
                    yield batch

        with pytest.raises(Interrupted):
            train(tmp_path, five_epochs(select), Data(), log=log)
        continued: list[int] = []
        data = ToyData()
        torch.randn(5)  # whatever the process has drawn in between must not matter

        def resumed(after: int) -> None:
            continued.append(after)
            records[:] = [record for record in records if record["epoch"] <= after]

        model, progress = train(tmp_path, five_epochs(select), data, log=records.append, resumed=resumed)
        whole, whole_progress, whole_records = undisturbed[select]
        assert continued == [epoch - 1]
        assert data.epochs == list(range(epoch, 6))
        assert without_seconds(records) == whole_records
        assert asdict(progress) | {"seconds": 0} == asdict(whole_progress) | {"seconds": 0}
        for name, weight in whole.state_dict().items():
            assert torch.equal(model.state_dict()[name], weight), name

    def test_a_finished_training_is_not_repeated(self, tmp_path: Path) -> None:
        first, progress = train(tmp_path, five_epochs("score"))
        data = ToyData()
        second, again = train(tmp_path, five_epochs("score"), data)
        assert data.epochs == []
        assert again == progress
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))

    def test_another_seed_trains_otherwise(self, tmp_path: Path, undisturbed: dict[Select, Trained]) -> None:
        torch.manual_seed(1)
        model = Toy()
        fit(
            model,
            CrossEntropy(CrossEntropy.Config(), SETTING),
            ToyData(),
            five_epochs("score"),
            seed=8,
            checkpoints=Checkpoints(tmp_path),
            fabric=Fabric(accelerator="cpu", devices=1),
            log=lambda record: None,
        )
        assert not torch.equal(model.layers[0].weight, undisturbed["score"][0].layers[0].weight)  # type: ignore[index, union-attr]


def test_long_gradients_are_scaled_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However loud the loss, the optimizer gets a gradient of the configured norm."""

    class Loud(CrossEntropy):
        def forward(self, prediction: Prediction, batch: Batch) -> Tensor:
            return 1e6 * super().forward(prediction, batch)

    norms = []
    clip = Session.clip

    def watched(session: Session, optimizer: Any) -> Tensor:
        before = clip(session, optimizer)
        gradients = [p.grad.flatten() for p in session.model.parameters() if p.grad is not None]
        norms.append((before.item(), torch.cat(gradients).norm().item()))
        return before

    monkeypatch.setattr(Session, "clip", watched)
    train(tmp_path, TrainConfig(epochs=1, clip_norm=0.5), objective=Loud(Loud.Config(), SETTING))
    assert [after for _, after in norms] == pytest.approx([0.5] * 4, rel=1e-3)
    assert min(before for before, _ in norms) > 1e3


def test_prediction_gives_every_clip_once_and_leaves_the_model_as_it_was() -> None:
    torch.manual_seed(0)
    model = Toy()
    model.train()
    found = predict(model, ToyData().val_batches(), torch.device("cpu"))
    assert model.training
    assert found.outputs.shape == (16, 2)
    np.testing.assert_allclose(np.exp(found.outputs).sum(axis=1), 1, rtol=1e-12)
    assert (found.labels == ToyData().val[1].numpy()).all()
    again = predict(model, ToyData().val_batches(), torch.device("cpu"))
    assert (found.outputs == again.outputs).all()  # no dropout
