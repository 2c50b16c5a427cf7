"""Components named on the command line: flags and help of their own; mistakes told before data are read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmvideo.cli import main
from mmvideo.components import EncoderChoice, FusionChoice, ObjectiveChoice
from mmvideo.config import Input, RunConfig

Train = Callable[..., tuple[int | str | None, str, str]]

BASE_FILE = """
from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig

def base() -> RunConfig:
    return RunConfig(fusion=FusionChoice.of("late", dropout=0.3))
"""

OWN_ENCODER = """
from mmvideo.encoders.features import FeatureLstm

class Deep(FeatureLstm):
    class Config(FeatureLstm.Config):
        depth: int = 1
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without any data: what answers here has read none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "base.py").write_text(BASE_FILE)
    (tmp_path / "deep_encoder.py").write_text(OWN_ENCODER)
    return tmp_path


@pytest.fixture
def train(here: Path, capsys: pytest.CaptureFixture[str]) -> Train:
    """`train(*flags)`: exit code, standard output and standard error of `mmvideo train base.py …`."""

    def call(*flags: str) -> tuple[int | str | None, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["train", "base.py", *flags])
        return ended.value.code, *capsys.readouterr()

    return call


def configured(train: Train, *flags: str) -> RunConfig:
    code, printed, _ = train(*flags, "--dry-run")
    assert code == 0
    return RunConfig.model_validate_json(printed)


def test_the_flags_are_those_of_the_chosen_fusion(train: Train) -> None:
    config = configured(train, "--fusion.options.heads", "2", "--fusion.name", "mult")
    assert config.fusion == FusionChoice.of("mult", heads=2)


def test_one_that_the_base_names_keeps_its_options_and_another_has_its_defaults(train: Train) -> None:
    assert configured(train, "--fusion.name", "late").fusion == FusionChoice.of("late", dropout=0.3)
    assert configured(train, "--fusion.name=gated").fusion == FusionChoice.of("gated")


def test_so_are_those_of_objectives_and_encoders(train: Train) -> None:
    config = configured(
        train,
        *("--objective.name", "ogm", "--objective.options.alpha", "0.5"),
        *("--inputs.text.encoder.name", "transformer", "--inputs.text.encoder.options.layers", "1"),
    )
    assert config.objective == ObjectiveChoice.of("ogm", alpha=0.5)
    assert config.inputs["text"] == Input.of("text", EncoderChoice.of("transformer", layers=1))


@pytest.mark.parametrize("encoder_first", [True, False])
def test_another_kind_of_modality_brings_its_options_and_its_encoder(
    train: Train, encoder_first: bool
) -> None:
    kind = ["--inputs.visual.kind", "features", "--inputs.visual.options.no-standardize"]
    flag = "--inputs.visual.encoder"
    encoder = [f"{flag}.name", "deep_encoder:Deep", f"{flag}.options.depth", "3"]
    config = configured(train, *(encoder + kind if encoder_first else kind + encoder))
    deep = EncoderChoice.of("deep_encoder:Deep", depth=3)
    assert config.inputs["visual"] == Input.of("features", deep, standardize=False)
    assert config.inputs["audio"] == Input.of("audio")


def test_what_is_given_by_modality_has_a_flag_for_each(train: Train) -> None:
    flags = ["--train.modality-dropout.audio", "0.3", "--train.modality-dropout.text=0.1"]
    config = configured(train, *flags, "--train.pad-to.text", "16").train
    assert config.modality_dropout == {"audio": 0.3, "text": 0.1}
    assert config.pad_to == {"text": 16}
    code, _, message = train("--train.modality-dropout.sound", "0.3")
    assert code == 2
    assert "--train.modality-dropout" in message


def test_help_after_a_choice_shows_that_choices_options(train: Train) -> None:
    code, shown, _ = train("--fusion.name", "mult", "--help")
    assert code == 0
    assert "--fusion.options.self-layers" in shown
    _, shown, _ = train("--help")
    assert "--fusion.options.dropout" in shown
    assert "--fusion.options.self-layers" not in shown


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--fusion.options.self-layers", "2"], "--fusion.options.self-layers"),
        (["--fusion.name", "late", "--fusion.options.droput", "0.1"], "--fusion.options.dropout"),
        (["--fusion.name", "layt"], "Did you mean 'late'?"),
        (["--inputs.visual.kind", "feature"], "Did you mean 'features'?"),
        (["--inputs.vision.kind", "features"], "--inputs.visual.kind"),
        (["--inputs.text.encoder.name", "transformr"], "Did you mean 'transformer'?"),
        (["--inputs.text.encoder.name", "cnn_lstm"], "reads what is visual, not text"),
        (["--fusion.name", "not_there:Sum"], "there is no module 'not_there'"),
        (
            ["--fusion.name", "late", "--fusion.options.dropout", "1.5"],
            "fusion 'late': dropout: Input should",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_2_and_what_was_meant(train: Train, flags: list[str], told: str) -> None:
    code, _, message = train(*flags)
    assert code == 2
    assert told in message
    assert "There is no manifest" not in message, "data are not looked for"
