"""Checkpoints: what is saved comes back bit for bit, and nothing in a file is ever run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from mmvideo.errors import InputError
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
    with pytest.raises(pickle.UnpicklingError):
        Checkpoints(tmp_path).load_last()
    assert not (tmp_path / "sprung").exists()
