"""Names of pretrained models: a slip in a folder's path is told at once, and without the network."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mmvideo.errors import InputError
from mmvideo.pretrained import find_model


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the hub is asked for, which has none; `models/bert` lies in the working directory."""
    names: list[str] = []

    def ask(_: object, name: str, timeout: float) -> None:
        names.append(name)
        raise ConnectionError("no network")

    (tmp_path / "models" / "bert").mkdir(parents=True)
    (tmp_path / "weights.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", ask)
    return names


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("./models/bertt", r"'models' has no 'bertt'. Did you mean models/bert\?"),
        ("models/bertt", r"'models' has no 'bertt'. Did you mean models/bert\?"),
        ("modles/bert/base", r"has no 'modles'. Did you mean models\?"),
        ("../nowhere/bert", "has no 'nowhere'"),
        ("/nowhere/bert", "'/' has no 'nowhere'"),
        ("~/bert", "has no '~'"),
        ("weights.safetensors", "is a file; name the folder"),
    ],
)
def test_a_folder_that_is_not_there_is_told_without_the_network(
    name: str, told: str, asked: list[str]
) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=told):
        find_model(name)
    assert time.monotonic() - began < 5
    assert asked == []


def test_what_may_be_the_hubs_is_asked_for_once(asked: list[str]) -> None:
    for name in ("bert-base-uncased-not-there", "owner/not-there"):
        with pytest.raises(InputError, match=rf"does not give it: no network\..*hf download {name}"):
            find_model(name)
    assert asked == ["bert-base-uncased-not-there", "owner/not-there"]


def test_a_folder_is_found(asked: list[str]) -> None:
    assert find_model("models/bert") == "folder"
    assert asked == []
