"""`mmvideo robustness`: the same damage for all runs, kept beside them, resumed, and read again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmvideo.cli import main
from mmvideo.components import MODALITY_KINDS
from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.evaluation.afterwards import ROBUSTNESS, RobustnessRecord, read_afterwards
from mmvideo.files import locked
from mmvideo.modalities.corruptions import Corruption
from mmvideo.report.robustness import measured_in
from mmvideo.runs.finished import Finished
from mmvideo.runs.robustness import Robustness, corruptions_of


def corruptions(kind: str) -> dict[str, Corruption]:
    found: dict[str, Corruption] = MODALITY_KINDS.resolve(kind).corruptions
    return found


NOISE = "visual.gaussian_noise"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / finished.name))


def scores(run: Path, name: str) -> tuple[float, ...]:
    file = f"{ROBUSTNESS}/{name}.json"
    return read_afterwards(run, file, RobustnessRecord, Robustness(run).result, "robustness").scores


def test_what_a_run_is_tested_by(configure: Callable[..., RunConfig]) -> None:
    config = configure()
    every = corruptions_of(config)
    assert len(every) == sum(len(corruptions(kind)) for kind in config.inputs) + 1
    assert every[-1] == {"visual": "gaussian_noise", "audio": "white_noise"}
    assert corruptions_of(config, ["text.characters"]) == [{"text": "characters"}]
    assert len(corruptions_of(config, ["audio"])) == len(corruptions("audio"))
    alone = configure(text_alone=True)
    assert corruptions_of(alone, ["audio.offset", "text.time_shift"]) == [{"text": "time_shift"}]
    with pytest.raises(InputError, match="white_noise"):
        corruptions_of(config, ["audio.white_nose"])
    with pytest.raises(InputError, match="modality"):
        corruptions_of(config, ["adio.white_noise"])


def test_each_damage_is_asked_for_once_and_by_one_name(configure: Callable[..., RunConfig]) -> None:
    config = configure()
    both = {"visual": "blur", "audio": "white_noise"}
    asked = ["audio.white_noise+visual.blur", "visual.blur+audio.white_noise"]
    (found,) = corruptions_of(config, asked)
    assert list(found.items()) == list(both.items())
    assert len(corruptions_of(config, ["audio", "audio.white_noise"])) == len(corruptions("audio"))
    with pytest.raises(InputError, match="damages a modality twice"):
        corruptions_of(config, ["audio.white_noise+audio.clipping"])
    with pytest.raises(InputError, match="got none"):
        corruptions_of(config, [])


@pytest.mark.parametrize("command", ["robustness", "contribute"])
def test_without_a_folder_there_is_nothing_to_measure(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == 2
    assert "at least one finished run or study" in capsys.readouterr().err


def test_a_record_in_anothers_file_is_measured_anew(run: Path) -> None:
    list(Robustness(run).measure([NOISE], (1,)))
    kept = run / f"{ROBUSTNESS}/{NOISE}-1.json"
    (run / f"{ROBUSTNESS}/{NOISE}-2.json").write_bytes(kept.read_bytes())
    _, found, _ = measured_in(run)
    assert f"is a copy of the record {ROBUSTNESS}/{NOISE}-1" in found.notes[0]
    assert found.curves["severity"].tolist() == [0, 1]
    assert dict(Robustness(run).measure([NOISE], (1, 2))) == {f"{NOISE}-1": False, f"{NOISE}-2": True}
    assert measured_in(run)[1].curves["severity"].tolist() == [0, 1, 2]


def test_goes_on_where_it_stopped(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = dict(Robustness(run).measure([NOISE], (1, 5)))
    assert first == {f"{NOISE}-1": True, f"{NOISE}-5": True}
    (run / f"{ROBUSTNESS}/{NOISE}-5.json").write_text("{")
    again = dict(Robustness(run).measure([NOISE], (1, 5)))
    assert again == {f"{NOISE}-1": False, f"{NOISE}-5": True}
    monkeypatch.setattr(Finished, "open", None)  # nothing is missing: no model is loaded
    assert not any(made for _, made in Robustness(run).measure([NOISE], (1, 5)))
    with pytest.raises(InputError, match="severities"):
        list(Robustness(run).measure([NOISE], (0, 6)))
    with pytest.raises(InputError, match="got none"):
        list(Robustness(run).measure([NOISE], ()))


def test_what_another_process_measures_is_not_measured_twice(run: Path, tmp_path: Path) -> None:
    """Two equal commands at once measured every severity twice."""
    other = Path(shutil.copytree(run, tmp_path / "other" / run.name))
    assert dict(Robustness(other).measure([NOISE], (1,))) == {f"{NOISE}-1": True}
    record = f"{ROBUSTNESS}/{NOISE}-1.json"
    measuring = Robustness(run).measure([NOISE], (1, 5))
    with locked(run / record):
        assert next(measuring) == (f"{NOISE}-5", True), "what nobody is at comes first"
        shutil.copy(other / record, run / record)
    assert list(measuring) == [(f"{NOISE}-1", False)]


def test_damage_that_changes_nothing_changes_no_number(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Picture, sound and words pass through the damage on their way to the model, and arrive as they were."""
    for kind, name, put in (
        ("visual", "blur", lambda take, indices, level, draw: take(indices)),
        ("audio", "offset", lambda samples, rate, level, draw: samples),
        ("text", "characters", lambda words, level, draw: list(words)),
    ):
        monkeypatch.setitem(corruptions(kind), name, Corruption(put, (1, 2, 3, 4, 5), ""))
    name = "visual.blur+audio.offset+text.characters"
    list(Robustness(run).measure([name], (1,)))
    _, found, _ = measured_in(run)
    assert found.curves["score"].nunique() == 1
    clean = Robustness(run).result.test["accuracy"]
    assert np.mean(scores(run, f"{name}-1")) == pytest.approx(clean)


def test_a_modality_without_content_is_that_modality_removed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Corruption(lambda words, level, draw: [], (1, 2, 3, 4, 5), "")
    monkeypatch.setitem(corruptions("text"), "word_deletion", gone)
    list(Robustness(run).measure(["text.word_deletion"], (1,)))
    result = Robustness(run).result
    expected = result.test_subsets["visual+audio"]["accuracy"]
    assert np.mean(scores(run, "text.word_deletion-1")) == pytest.approx(expected)


def test_tables_of_a_run_and_what_the_command_says(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["robustness", str(run), "--kinds", "audio.white_noise", "--severities", "1", "2"])
    assert ended.value.code == 0
    assert "2 measured" in capsys.readouterr().out
    _, found, _ = measured_in(run)
    assert found.curves["severity"].tolist() == [0, 1, 2]
    clean, one, two = found.curves["score"]
    assert found.areas["area"].item() == pytest.approx(((clean + two) / 2 + one) / 2)
    assert found.areas["effective"].isna().all()
    assert found.pairs.empty
