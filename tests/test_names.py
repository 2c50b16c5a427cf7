"""Names that become folders, at every entrance; numbers with which nothing would ever end."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mmvideo.cli import main
from mmvideo.components import ENCODERS, FUSIONS, MODALITY_KINDS, OBJECTIVES
from mmvideo.config import DataConfig, RunConfig, TrainConfig
from mmvideo.errors import InputError
from mmvideo.names import path_name
from mmvideo.planted import PlantedSpec, generate
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.tracker import ID_LENGTH, dashboard_id
from mmvideo.schema import Part
from mmvideo.studies.grid import run_grid
from mmvideo.studies.study import Arm, Study
from mmvideo.workers import Pool

STUDY = """
from mmvideo.config import RunConfig
from mmvideo.studies.study import Arm, Study

def base() -> RunConfig:
    return RunConfig()

def study() -> Study:
    return Study("demo", "Demo", (Arm("a", RunConfig()),), ("fusion",), (0,))
"""
BAD = [
    *("", ".", "..", "../../x", "a/b", "/tmp/x", "a\\b", "a\0b", "a\nb", "\x1b[31mred", "-rf", ".x", "_x"),
    *("nul", "COM1.txt", "a" * 101, "a ", " a", "a b", "a.", "caf\u00e9", "cafe\u0301", "a\u202eb", "a\n"),
]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "work" / "own.py").write_text(STUDY)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_is_no_folders_is_refused_at_every_entrance(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot name a study or an arm"):
        path_name(name)
    for field in ("study", "arm"):
        with pytest.raises(ValidationError, match="cannot name a study or an arm"):
            RunConfig.model_validate({field: name})
        unchecked = RunConfig().model_copy(update={field: name})
        with pytest.raises(InputError, match="cannot name a study or an arm"):
            RunDirectory.create(tmp_path / "runs", unchecked, "f00d")
    with pytest.raises(InputError, match="cannot name a study or an arm"):
        Study(name, "Title", (Arm("a", RunConfig()),), ("fusion",), (0,))
    with pytest.raises(InputError, match="cannot name a study or an arm"):
        Study("demo", "Title", (Arm(name, RunConfig()),), ("fusion",), (0,))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fuzz
@given(st.text(max_size=110))
def test_an_allowed_name_is_one_folder_of_the_root(name: str) -> None:
    try:
        path_name(name)
    except InputError:
        return
    assert (Path("/root") / name).resolve() == Path(f"/root/{name}")
    assert name.isascii()
    assert name.isprintable()


def test_names_in_use_stay_allowed() -> None:
    for name in ("train", "mixed", "visual+text", "planted-mixed", "2024_01.b", "a" * 100, "x-", "late.2x"):
        assert path_name(name) == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "own.py", "--study", "../../x"), "study: '../../x' cannot name a study or an arm"),
        (("train", "own.py", "--arm", "/tmp/x"), "arm: '/tmp/x' cannot name a study or an arm"),
        (("ablate", "own.py", "--name", "../x"), "'../x' cannot name a study or an arm"),
        (("ablate", "own.py", "--name", ""), "'' cannot name a study or an arm"),
        (("ablate", "own.py", "--set"), "--set takes field=value, such as train.epochs=40; got none"),
        (("ablate", "own.py", "--workers", "0"), "--workers is how many processes work at once: 1 or"),
        (("ablate", "own.py", "--workers", "-1"), "1 or more; got -1"),
        (("prepare", "planted", "--workers", "-1"), "1 or more; got -1"),
        (("train", "own.py", "--train.learning-rate", "inf"), "train.learning_rate: Input should be a fin"),
        (("train", "own.py", "--data.max-seconds", "nan"), "data.max_seconds: Input should be a finite"),
    ],
)  # fmt: skip
def test_the_command_line_refuses_them(
    arguments: tuple[str, ...], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *arguments)
    assert sorted(path.name for path in here.rglob("*") if "__pycache__" not in str(path)) == [
        "own.py",
        "work",
    ]


def test_no_pool_is_without_workers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="workers is how many"):
        Pool(path_name, workers=0)
    with pytest.raises(InputError, match="1 or more; got -2"):
        generate(PlantedSpec(), tmp_path / "planted", workers=-2)
    study = Study("demo", "Title", (Arm("a", RunConfig()),), ("fusion",), (0,))
    with pytest.raises(InputError, match="1 or more; got 0"):
        run_grid(study, bool, root=tmp_path, data_fingerprint="f00d", workers=0)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def parts() -> Iterator[type[Part]]:
    """Every section of a configuration and the options of every registered component."""
    yield from (RunConfig, DataConfig, TrainConfig)
    for table in (ENCODERS, FUSIONS, MODALITY_KINDS, OBJECTIVES):
        yield from (table.resolve(name).Config for name in table)


def test_no_number_of_a_configuration_is_infinite() -> None:
    tried = 0
    for part in parts():
        for name, field in part.model_fields.items():
            if float in (field.annotation, *typing.get_args(field.annotation)):
                tried += 1
                for value in (float("inf"), float("-inf"), float("nan")):
                    with pytest.raises(ValidationError):
                        part.model_validate({name: value})
    assert tried >= 30


def test_an_id_of_the_dashboard_is_as_long_as_it_may_be() -> None:
    short = dashboard_id("a", "b", "s0")
    long = [dashboard_id("a" * 100, "b" * 100, f"s{seed}") for seed in (0, 1)]
    assert short == "a-b-s0"
    assert [len(id or "") for id in long] == [ID_LENGTH, ID_LENGTH]
    assert long[0] != long[1]
