"""`mmvideo check`, and the check that a component of one's own passes before it is trained."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmvideo.cli import main
from mmvideo.components import FUSIONS, OBJECTIVES, FusionChoice
from mmvideo.contract.check import check_component, check_own_component, chosen
from mmvideo.contract.fusions import CONTRACT
from mmvideo.errors import InputError
from mmvideo.files import read_json

FUSIONS_OF_ONES_OWN = """
import torch
from torch import nn
from mmvideo.errors import InputError
from mmvideo.files import read_json
from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Positive
from mmvideo.types import FusionOutput


class Fine(Fusion):
    class Config(Fusion.Config):
        layers: Positive = 1
        note: str = ""

    def __init__(self, config, modalities, width):
        super().__init__(config, modalities, width)
        self.mix = nn.Sequential(*(mlp(len(modalities) * width, width, 0.1) for _ in range(config.layers)))

    def forward(self, features):
        return FusionOutput(self.mix(self.clips(features)[0].flatten(1)))


class AcrossTheBatch(Fine):
    def __init__(self, config, modalities, width):
        super().__init__(config, modalities, width)
        self.attention = nn.MultiheadAttention(width, 2)

    def forward(self, features):
        vectors, _ = self.clips(features)
        vectors = vectors + self.attention(vectors, vectors, vectors, need_weights=False)[0]
        return FusionOutput(self.mix(vectors.flatten(1)))


class PlainList(Fine):
    def __init__(self, config, modalities, width):
        super().__init__(config, modalities, width)
        self.factors = [nn.Parameter(torch.randn(width)) for _ in modalities]

    def forward(self, features):
        return FusionOutput(self.mix((self.clips(features)[0] * torch.stack(self.factors)).flatten(1)))


class NamesNoLevel(Fine):
    reads = ("nope",)


class Gate(Fusion):
    def __init__(self, config, modalities, width):
        super().__init__(config, modalities, width)
        self.gate, self.mix = nn.Linear(width, 1), mlp(width, width, 0.0)

    def forward(self, features):
        vectors, _ = self.clips(features)
        return FusionOutput((self.gate(vectors).softmax(dim=1) * self.mix(vectors)).sum(dim=1))


class Pair(Fine):
    def __init__(self, config, modalities, width):
        if len(modalities) != 2:
            raise InputError("it is for two modalities")
        super().__init__(config, modalities, width)


class Unfinished(Fusion):
    def __init__(self, modalities, width):
        super().__init__(modalities, width)


class Raises(Fine):
    def forward(self, features):
        raise RuntimeError("no such thing")


class NotOne:
    pass
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of one's own beside the working directory, which is not on the Python path."""
    (tmp_path / "own_fusions.py").write_text(FUSIONS_OF_ONES_OWN)
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield tmp_path / "own_fusions.py"
    sys.path[:] = before
    sys.modules.pop("own_fusions", None)


def check(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])
    return int(ended.value.code or 0)


def test_one_that_keeps_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("own_fusions:Fine", "--options", "layers=1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fusion own_fusions:Fine"
    assert [line[:8] for line in lines[1:-1]] == ["passed  "] * len(CONTRACT)
    assert lines[-1] == f"all {len(CONTRACT)} promises kept"


@pytest.mark.parametrize(
    ("name", "broken", "reason"),
    [
        ("AcrossTheBatch", "A clip alone gives what it gives in a batch", "alone instead of in a batch, the"),
        ("PlainList", "All that is trained is registered", r"of shape \(16,\) is no registered parameter"),
        ("NamesNoLevel", "It names levels that encoders have", "(nope|Type-check error)"),
    ],
)
def test_one_that_does_not(
    name: str, broken: str, reason: str, capsys: pytest.CaptureFixture[str], own: Path
) -> None:
    assert check(f"own_fusions:{name}") == 1
    out = capsys.readouterr().out
    assert f"FAILED  {broken}" in out
    outcome = next(
        o for o in check_component(chosen(f"own_fusions:{name}", {})).broken if broken in o.promise
    )
    assert outcome.failure is not None
    assert outcome.failure.startswith("with visual, in training: ")
    with pytest.raises(InputError, match=rf"breaks promises of its kind.*{reason}"):
        check_own_component(chosen(f"own_fusions:{name}", {}), source="a", root=own.parent)


def test_weights_over_modalities_may_be_constant_for_a_single_one() -> None:
    assert check_component(chosen("own_fusions:Gate", {})).broken == ()


def test_settings_that_it_is_not_for_are_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("own_fusions:Pair") == 0
    out = capsys.readouterr().out
    assert "not tried with visual: it is for two modalities" in out
    assert "not tried with visual and audio and text" in out


def test_one_that_cannot_be_built_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("own_fusions:Unfinished") == 1
    assert "FAILED  It can be built." in (out := capsys.readouterr().out)
    assert "TypeError" in out


def test_what_breaks_every_promise_is_printed_once_for_those_it_breaks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check("own_fusions:Raises") == 1
    out = capsys.readouterr().out
    assert out.count("FAILED  ") == len(CONTRACT)
    assert out.count("with visual, in training: RuntimeError: no such thing") == 1


def test_a_file_below_the_working_directory_is_the_module_it_is(
    own: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check("own_fusions.py:Fine") == 0
    assert FusionChoice.of("own_fusions.py:Fine").name == "own_fusions:Fine"
    assert FusionChoice.model_validate({"name": "./own_fusions.py:Fine"}).name == "own_fusions:Fine"
    (own.parent / "elsewhere").mkdir()
    monkeypatch.chdir(own.parent / "elsewhere")
    capsys.readouterr()
    assert check("../own_fusions.py:Fine") == 2
    assert "is not below the working directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("own_fusions:Missing",), "has no 'Missing'"),
        (("own_fusion:Fine",), "there is no module 'own_fusion'"),
        (("own_fusions:NotOne",), "neither Fusion nor Encoder nor Objective"),
        (("own_fusions:Fine", "--options", "layer=2"), "Did you mean 'layers'"),
        (("own_fusions:Fine", "--options", "layers"), "KEY=VALUE pairs"),
        (("lat",), "Unknown"),
        (("raises_on_import:Fine",), "cannot be imported: ZeroDivisionError: division by zero (/"),
        (("no_python:Fine",), "cannot be imported: SyntaxError"),
        (("leaves:Fine",), "cannot be imported: SystemExit"),
    ],
)
def test_mistakes_are_told(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], own: Path
) -> None:
    modules = {"raises_on_import": "1 / 0", "no_python": "def", "leaves": "raise SystemExit(0)"}
    for name, text in modules.items():
        (own.parent / f"{name}.py").write_text(text)
    assert check(*arguments) == 2
    assert message in capsys.readouterr().err


def test_it_runs_once_for_each_source_and_its_options(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = own.parent / "runs"
    check_own_component(chosen("own_fusions:Fine", {}), source="a", root=root)
    (remembered,) = read_json(root / ".checked.json")
    assert remembered == "own_fusions:Fine {'absent_std': 1.0, 'layers': 1, 'note': ''} a"
    tried: list[str] = []
    monkeypatch.setattr(
        "mmvideo.contract.check.check_component",
        lambda choice: tried.append(choice.name) or check_component(choice),
    )
    check_own_component(chosen("own_fusions:Fine", {}), source="a", root=root)
    assert tried == []
    check_own_component(chosen("own_fusions:Fine", {}), source="edited", root=root)
    check_own_component(chosen("own_fusions:Fine", {"note": "b"}), source="a", root=root)
    assert len(tried) == 2


def test_drawing_leaves_the_random_state_alone() -> None:
    import torch

    before = torch.get_rng_state()
    check_component(chosen("late", {}))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_registered_objective_keeps_its_contract(name: str) -> None:
    checked = check_component(chosen(name, {}))
    assert checked.kind == "objective"
    assert checked.broken == ()
    assert checked.left_out == ()


def test_single_is_for_one_modality() -> None:
    checked = check_component(chosen("single", {}))
    assert checked.broken == ()
    assert len(checked.left_out) == 2
    assert "single" in FUSIONS
