"""Checkpoints: what is saved comes back bit for bit, and nothing in a file is ever run."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from mmvideo.errors import InputError
from mmvideo.files import DiskFull
from mmvideo.training.checkpoint import Checkpoints


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_best_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    Checkpoints(tmp_path).save_best(model)
    Checkpoints(tmp_path).load_best(other)
    assert same(model, other)
    assert os.listdir(tmp_path) == ["best.safetensors"]


def test_a_later_best_replaces_the_earlier(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first, second, read = nn.Linear(3, 2), nn.Linear(3, 2), nn.Linear(3, 2)
    for model in (first, second):
        Checkpoints(tmp_path).save_best(model)
    Checkpoints(tmp_path).load_best(read)
    assert same(read, second)


def test_without_weights_the_message_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"There are no trained weights at .*best.safetensors; train the run first"
    ):
        Checkpoints(tmp_path).load_best(nn.Linear(3, 2))


@pytest.mark.parametrize("other", [nn.Linear(3, 4), nn.Sequential(nn.Linear(3, 2))], ids=["shape", "names"])
def test_weights_of_another_model_are_refused(tmp_path: Path, other: nn.Module) -> None:
    Checkpoints(tmp_path).save_best(nn.Linear(3, 2))
    with pytest.raises(InputError, match="does not fit the configured model"):
        Checkpoints(tmp_path).load_best(other)


def test_the_state_to_resume_from_comes_back(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load_last() is None
    state = {"model": {"w": torch.randn(3)}, "progress": {"epoch": 4, "best_loss": float("inf")}}
    checkpoints.save_last(state)
    back = checkpoints.load_last()
    assert back is not None
    assert back["progress"] == state["progress"]
    assert torch.equal(back["model"]["w"], state["model"]["w"])
    assert os.listdir(tmp_path) == ["last.pt"]


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_a_planted_pickle_is_not_run(tmp_path: Path) -> None:
    torch.save({"progress": Trap(tmp_path / "sprung")}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="cannot be resumed from"):
        Checkpoints(tmp_path).load_last()
    Checkpoints(tmp_path).save_last({"progress": Trap(tmp_path / "sprung")})  # with the right checksum
    with pytest.raises(InputError, match="holds no training state"):
        Checkpoints(tmp_path).load_last()
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("damage", [
    lambda content: content[:-1],
    lambda content: content[: len(content) // 2],
    lambda content: content[:60],
    lambda content: b"",
    lambda content: content + b"x",
    lambda content: content[:400] + bytes([content[400] ^ 1]) + content[401:],
    lambda content: b"not a checkpoint\n" * 30,
    lambda content: bytes(1000),
], ids=["last byte", "half", "head", "empty", "longer", "one bit", "text", "zeros"])  # fmt: skip
def test_a_damaged_state_is_refused_and_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save_last({"model": {"w": torch.randn(30)}})
    checkpoints.last.write_bytes(damage(checkpoints.last.read_bytes()))
    with pytest.raises(InputError, match=r"last\.pt cannot be resumed from.*Delete it to train"):
        checkpoints.load_last()


@pytest.mark.parametrize(
    "state", [{}, {"model": {"w": torch.ones(1)}}, {"model": nn.Linear(2, 2).state_dict()}]
)
def test_the_state_of_another_training_is_refused_and_named(tmp_path: Path, state: dict[str, object]) -> None:
    Checkpoints(tmp_path).save_last(state)
    with pytest.raises(InputError, match=r"last\.pt cannot be resumed from: it is of another training"):
        Checkpoints(tmp_path).resume({"model": nn.Linear(3, 2)})


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    """It fits the model as well as the run's own does, so its name alone tells."""
    model = nn.Linear(3, 2)
    Checkpoints(tmp_path, "late-s1-0123456789").save_last({"model": model.state_dict()})
    with pytest.raises(InputError, match=r"it is of another training, late-s1-0123456789"):
        Checkpoints(tmp_path, "late-s0-0123456789").resume({"model": model})
    assert Checkpoints(tmp_path, "late-s1-0123456789").resume({"model": model}) == {}


def test_what_a_killed_attempt_left_half_written_is_removed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save_last({})
    kept = tmp_path / ".another.pt.x"
    for left in (tmp_path / ".last.pt.abc", tmp_path / ".best.safetensors.abc", kept):
        left.write_bytes(b"half")
    checkpoints.remove_stale()
    assert sorted(tmp_path.iterdir()) == [kept, checkpoints.last]


@pytest.mark.parametrize("write", ["save_best", "save_last"])
def test_a_full_disk_is_named_and_the_earlier_file_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    checkpoints, model = Checkpoints(tmp_path), nn.Linear(3, 2)
    given = {"save_best": model, "save_last": {"epoch": torch.tensor(1)}}[write]
    getattr(checkpoints, write)(given)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DiskFull, match="No space left"):
        getattr(checkpoints, write)(given)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
