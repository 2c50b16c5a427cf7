"""A kind of modality, an encoder and a fusion of one's own, in modules beside the working directory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmvideo.cli import main
from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.vocabulary import SPLITS

KIND = '''
"""Heart beats, listed in the metadata."""

from typing import ClassVar

import torch

from mmvideo.modalities.base import Modality
from mmvideo.schema import PositiveFloat


class Pulse(Modality):
    kind: ClassVar[str] = "pulse"
    default_encoder: ClassVar[str] = "heart.encoder:PulseEncoder"

    class Config(Modality.Config):
        rest: PositiveFloat = 60.0
        """Beats a minute that count as none."""

    def where(self, source):
        return frozenset(clip.id for clip in source.clips if "pulse" in clip.metadata)

    def read(self, clip, stored, window, *, training):
        beats = [float(beat) - self.config.rest for beat in clip.metadata.get("pulse", "").split()]
        values = torch.tensor(beats).view(-1, 1) * self.needs
        return values, torch.linspace(0, window.length, len(beats))
'''

ENCODER = """
from typing import ClassVar

from torch import nn

from mmvideo.encoders.base import Encoder
from mmvideo.schema import PositiveFloat

from .parts import Squash


class PulseEncoder(Encoder):
    takes: ClassVar[str] = "pulse"

    class Config(Encoder.Config):
        scale: PositiveFloat = 0.1

    @classmethod
    def needs(cls, config):
        return config.scale

    def __init__(self, config, told, width, levels):
        super().__init__(config, told, width, levels)
        self.project = nn.Linear(1, width)
        self.squash = Squash(width) if self.needs_trunk else None

    def stem(self, inputs):
        return inputs.replace_values(self.project(inputs.values))

    def trunk(self, stem, inputs):
        return stem.replace_values(self.squash(stem.values))
"""

PARTS = """
from torch import nn


class Squash(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.Tanh())

    def forward(self, values):
        return self.mix(values)
"""

FUSION = '''
from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Positive
from mmvideo.types import FusionOutput


class Sum(Fusion):
    """Clip embeddings, added some times over."""

    class Config(Fusion.Config):
        times: Positive = 1

    def __init__(self, config, modalities, width):
        super().__init__(config, modalities, width)
        self.mix = mlp(width, width, 0.0)

    def forward(self, features):
        vectors, _ = self.clips(features)
        return FusionOutput(self.mix(vectors).sum(dim=1) * self.config.times)
'''

BASE = """
from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import DataConfig, Input, RunConfig, RuntimeConfig, TrackingConfig, TrainConfig

def base() -> RunConfig:
    words = EncoderChoice.of("transformer", layers=1, heads=2, hidden=16, vocabulary_size=64)
    return RunConfig(
        width=16,
        inputs={
            "pulse": Input.of("heart.kind:Pulse", rest=70.0),
            "text": Input.of("text", words, metadata_fields=("said",)),
        },
        fusion=FusionChoice.of("sums:Sum", times=2),
        data=DataConfig(manifest="manifest.jsonl", store="store"),
        train=TrainConfig(epochs=4, batch_size=8, learning_rate=1e-2),
        runtime=RuntimeConfig(device="cpu"),
        tracking=TrackingConfig(wandb=False),
    )
"""


TRAIN = ("train", "configs/base.py", "--data.manifest", "nowhere.jsonl")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory: the package `heart`, the module `sums`, data; and a base in another folder."""
    folder = tmp_path_factory.mktemp("work")
    files = {
        "heart/__init__.py": "",
        "heart/kind.py": KIND,
        "heart/encoder.py": ENCODER,
        "heart/parts.py": PARTS,
        "sums.py": FUSION,
        "configs/base.py": BASE,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    clips = []
    for split, count in zip(SPLITS, (32, 8, 8), strict=True):
        for i in range(count):
            told = {"said": "good day"} | ({"pulse": "95 99 102" if i % 2 else "61 58"} if i % 7 else {})
            clips.append(
                Clip(id=f"{split}{i}", label=f"c{i % 2}", group=f"{split}{i}", split=split, metadata=told)
            )
    write_manifest(folder / "manifest.jsonl", clips)
    return folder


def mmvideo(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as it is installed: unlike `python -m`, it does not begin in the working directory."""
    command = [sys.executable, "-P", "-m", "mmvideo", *arguments]
    return subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def trained(here: Path) -> Path:
    done = mmvideo(here, "train", "configs/base.py", "--fusion.options.times", "3")
    assert done.returncode == 0, done.stderr
    [run] = (here / "runs" / "train").glob("run-s0-*")
    return run


@pytest.fixture
def in_process(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """The command without a process of its own: what it says when it ends with that code. Modules beside the
    working directory are imported anew by each test."""
    known = set(sys.modules)
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder not in ("", str(here))])

    def say(code: int, *arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        assert ended.value.code == code, told.err
        return told.err if code else told.out

    yield say
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("heart", "sums", "leaky"):
            del sys.modules[name]


def test_they_train_to_a_complete_record(trained: Path) -> None:
    result = json.loads((trained / "result.json").read_text())
    assert result["test"]["accuracy"] > 0.7, "only the pulse tells the two classes apart"
    assert set(result["test_subsets"]) == {"none", "text", "pulse", "text+pulse"}
    assert set(result["train_presence"]) == {"text", "text+pulse"}
    config = json.loads((trained / "config.json").read_text())
    assert config["fusion"] == {"name": "sums:Sum", "options": {"absent_std": 1.0, "times": 3}}
    assert config["inputs"]["pulse"] == {
        "kind": "heart.kind:Pulse",
        "options": {"rest": 70.0},
        "encoder": {
            "name": "heart.encoder:PulseEncoder",
            "options": {"clip_pool": "attention", "dropout": 0.1, "scale": 0.1},
        },
    }
    lines = [json.loads(line) for line in (trained / "predictions_test.jsonl").read_text().splitlines()]
    assert [line["present"] for line in lines[:2]] == [["text"], ["text", "pulse"]]


def test_the_run_alone_is_evaluated_and_trained_again(
    here: Path, trained: Path, in_process: Callable[..., str]
) -> None:
    result = json.loads((trained / "result.json").read_text())
    shown = json.loads(in_process(0, "evaluate", str(trained), "--modalities", "pulse"))
    assert shown["accuracy"] == result["test_subsets"]["pulse"]["accuracy"]
    again = mmvideo(here, "train", str(trained), "--root", "again")
    assert again.returncode == 0, again.stderr
    [copy] = (here / "again" / "train").glob("run-s0-*")
    assert copy.name == trained.name
    for name in ("predictions_test.jsonl", "checkpoints/best.safetensors"):
        assert (copy / name).read_bytes() == (trained / name).read_bytes()


def test_an_edited_part_of_one_makes_another_run(here: Path, trained: Path, tmp_path: Path) -> None:
    """Also one that a component only imports."""
    shutil.copytree(here, tmp_path / "work", ignore=shutil.ignore_patterns("runs", "again"))
    part = tmp_path / "work" / "heart" / "parts.py"
    part.write_text(part.read_text().replace("Tanh", "Sigmoid"))
    done = mmvideo(tmp_path / "work", "train", str(trained))
    assert done.returncode == 0, done.stderr
    [other] = (tmp_path / "work" / "runs" / "train").glob("run-s0-*")
    assert other.name != trained.name


def test_one_that_breaks_its_contract_is_refused_before_data_are_read(
    here: Path, in_process: Callable[..., str]
) -> None:
    (here / "leaky.py").write_text(FUSION.replace("sum(dim=1)", "sum(dim=0)"))
    told = in_process(2, *TRAIN, "--fusion.name", "leaky:Sum")
    assert "fusion 'leaky:Sum' breaks promises of its kind." in told
    assert "See `mmvideo check leaky:Sum`." in told


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--fusion.name", "sums:Summ"], "module 'sums' has no 'Summ'"),
        (["--inputs.pulse.encoder.name", "cnn_lstm"], "reads what is visual, not pulse"),
        (["--inputs.pulse.options.restt", "2"], "--inputs.pulse.options.rest"),
    ],
)
def test_a_mistake_is_told_before_data_are_read(
    flags: list[str], told: str, in_process: Callable[..., str]
) -> None:
    assert told in in_process(2, *TRAIN, *flags)
