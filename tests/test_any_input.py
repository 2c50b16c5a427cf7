"""Whatever a file, a flag or a name holds: it is read, or refused with one error for users."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import made_result
from mutations import ANY_JSON, mutated

from mmvideo.cli import main
from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError
from mmvideo.files import read_json, read_record, read_rows
from mmvideo.records import Environment, MetricLine, Prediction, RunResult, open_run
from mmvideo.schema import Part
from mmvideo.store.clip_format import StoredClip, read_clip, read_header, read_lengths, write_clip
from mmvideo.store.object_store import check_object
from mmvideo.store.subtitles import Word
from mmvideo.studies.overrides import overridden
from mmvideo.studies.study import Arm, Study
from mmvideo.study_records import ArmRecord, ComparisonRecord, StudyRecord

RECORDS: tuple[type[Part], ...] = (
    Environment,
    MetricLine,
    Prediction,
    RunResult,
    StudyRecord,
    ComparisonRecord,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


def refused(action: Any, *given: Any) -> None:
    """Anything else than an answer or an error for users goes on."""
    with contextlib.suppress(InputError):
        action(*given)


@pytest.mark.fuzz
@settings(max_examples=60)
@given(
    kind=st.sampled_from(RECORDS),
    content=st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode()),
)
def test_records_of_any_content(place: Path, kind: type[Part], content: bytes) -> None:
    file = place / "record.json"
    file.write_bytes(content)
    refused(read_record, file, kind, "")
    refused(read_rows, file, kind, "")
    refused(read_json, file)


@pytest.fixture(scope="module")
def finished(place: Path) -> tuple[Path, bytes]:
    """A finished run's folder, and its result.json."""
    config = RunConfig(arm="late", fusion=FusionChoice.of("late"))
    folder = place / "late-s0-0123456789"
    text = made_result(folder, config).text()
    (folder / "result.json").write_text(text)
    assert open_run(folder).arm == "late"
    return folder, text.encode()


@pytest.mark.fuzz
@settings(max_examples=60)
@given(data=st.data())
def test_a_runs_result_after_any_accident_is_itself_or_refused(
    finished: tuple[Path, bytes], data: st.DataObject
) -> None:
    folder, written = finished
    content = data.draw(mutated(written))
    (folder / "result.json").write_bytes(content)
    with contextlib.suppress(InputError):
        found = open_run(folder)
        assert found == RunResult.model_validate_json(written), "changed, and not noticed"


STUDY = StudyRecord(
    name="demo", title="Demo", axes=("fusion",), arms=(ArmRecord(name="late", role="fusion"),), seeds=(0,),
    limits=None, manifest="clips.jsonl",
)  # fmt: skip


@pytest.mark.fuzz
@settings(max_examples=40)
@given(content=mutated(STUDY.text().encode()))
def test_a_studys_record_after_any_accident_is_itself_or_refused(place: Path, content: bytes) -> None:
    file = place / "study.json"
    file.write_bytes(content)
    with contextlib.suppress(InputError):
        assert read_record(file, StudyRecord, "") == StudyRecord.model_validate_json(STUDY.text())


@pytest.fixture(scope="module")
def stored(place: Path) -> tuple[Path, bytes]:
    """An object of the store, and its bytes: a few pictures, some sound, two words."""
    rng = np.random.default_rng(0)
    clip = StoredClip(
        frames=rng.integers(256, size=(3, 4, 4, 3)).astype(np.uint8), frame_times=np.arange(3) / 8,
        samples=rng.uniform(-1, 1, 50).astype(np.float32),
        words=(Word("hello", 0.0, 0.5), Word("there", 0.5, 1.0)),
    )  # fmt: skip
    path = place / f"{'ab' * 32}.safetensors"
    write_clip(path, clip, "pyav", jpeg_quality=90)
    return path, path.read_bytes()


@pytest.mark.fuzz
@settings(max_examples=80)
@given(data=st.data())
def test_store_objects_after_any_accident(stored: tuple[Path, bytes], data: st.DataObject) -> None:
    path, content = stored
    path.write_bytes(data.draw(mutated(content)))
    assert check_object(path) in ("sound", "damaged", "unchecked")
    refused(read_header, path)
    refused(read_lengths, path)
    refused(read_clip, path)


FIELDS = sorted(flatten(RunConfig().model_dump(mode="json")))
ARMS = tuple(Arm(name, RunConfig(arm=name, fusion=FusionChoice.of(name))) for name in ("late", "early"))


@pytest.mark.fuzz
@settings(max_examples=60)
@given(
    field=st.sampled_from(FIELDS) | st.text(max_size=20),
    value=ANY_JSON.map(json.dumps)
    | st.text(max_size=20)
    | st.sampled_from(["NaN", "1e999", "-Infinity", "[" * 5000]),
)
def test_any_field_may_be_given_any_value(field: str, value: str) -> None:
    study = Study("demo", "Demo", ARMS, ("fusion",), (0,))
    with contextlib.suppress(InputError):
        for arm in overridden(study, [f"{field}={value}"]).arms:
            RunConfig.model_validate_json(arm.config.model_dump_json())


ODD_NAMES = ("../x", "/", "a/b", "-x", "--", "%s", "\0", "x" * 5000, "con:x", "e\u0301", "\ud800")
COMMANDS = ("compare", "evaluate", "inspect", "train", "ablate", "check", "")


@pytest.mark.fuzz
@settings(max_examples=40)
@given(command=st.sampled_from(COMMANDS), name=st.text(max_size=30) | st.sampled_from(ODD_NAMES))
def test_any_name_on_the_command_line_is_answered_with_a_code(place: Path, command: str, name: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(place),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main([*command.split(), name])
    assert ended.value.code in (0, 1, 2)
    assert "Traceback" not in err.getvalue()
