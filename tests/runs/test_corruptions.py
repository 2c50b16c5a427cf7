"""A finished study, damaged in every way that comes to mind: no number changes in silence, nothing crashes.

Each reader gives what it gave before, or one error that names a file or the run.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_records import made_result, rewrite

from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.report.compare import compare
from mmvideo.report.load import load_study
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.study_records import ArmRecord, StudyRecord

Configure = Callable[..., RunConfig]
Damage = Callable[[Path, Path], None]
FILES = (
    "result.json",
    "config.json",
    "env.json",
    "metrics.jsonl",
    "predictions_test.jsonl",
    "inputs/text.json",
    "checkpoints/best.safetensors",
)


def flip(file: Path, other: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    file.write_bytes(content)


def halve(file: Path, other: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path, other: Path) -> None:
    file.write_bytes(b"")


def delete(file: Path, other: Path) -> None:
    file.unlink()


def swap(file: Path, other: Path) -> None:
    """With that of the other seed."""
    shutil.copyfile(other, file)


def no_utf8(file: Path, other: Path) -> None:
    file.write_bytes(b"\xff\xfe" + file.read_bytes())


def folder(file: Path, other: Path) -> None:
    """A link to a folder in its place."""
    file.unlink()
    file.symlink_to(file.parent, target_is_directory=True)


def text(content: str) -> Damage:
    def put(file: Path, other: Path) -> None:
        file.write_text(content)

    put.__name__ = f"text {content[:12]}"
    return put


def edit(*keys: str | int, value: Any) -> Damage:
    """Another value somewhere in a JSON file, or in the first line of a JSON Lines file."""

    def change(file: Path, other: Path) -> None:
        first, *rest = [file.read_text()] if file.suffix == ".json" else file.read_text().split("\n")
        record = place = json.loads(first)
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        file.write_text("\n".join([json.dumps(record), *rest]))

    change.__name__ = f"edit {'.'.join(map(str, keys))}"
    return change


def line_twice(file: Path, other: Path) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([lines[0], *lines]))


def file_cases() -> list[Any]:
    damages: list[tuple[str, Damage]] = [
        (name, damage)
        for name in FILES
        for damage in (flip, halve, empty, delete, swap)
        if name not in ("inputs/text.json", "env.json") or damage is not swap  # the same for all seeds
    ]
    damages += [(name, damage) for name in ("result.json", *FILES[3:5]) for damage in (no_utf8, folder)]
    damages += [("result.json", text(one)) for one in ("[]", "null", "{}", "[" * 100_000, "1" * 5000)]
    damages += [
        ("result.json", edit("test", "accuracy", value=0.99)),
        ("result.json", edit("val", "accuracy", value=float("nan"))),
        ("result.json", edit("costs", "parameters", value="many")),
        ("result.json", edit("version", value=1)),
        ("result.json", edit("digests", value={})),
        ("config.json", edit("train", "epochs", value=3)),
        ("predictions_test.jsonl", edit("log_probabilities", 0, value=-0.001)),
        ("predictions_test.jsonl", edit("label", value="class3")),
        ("predictions_test.jsonl", edit("log_probabilities", value=[float("nan")] * 4)),
        ("predictions_test.jsonl", edit("present", value="text")),
        ("predictions_test.jsonl", line_twice),
        ("metrics.jsonl", edit("accuracy", value=1.0)),
        ("metrics.jsonl", edit("epoch", value="one")),
    ]
    return [pytest.param(name, damage, id=f"{name} {damage.__name__}") for name, damage in damages]


class Readings:
    """What compare, evaluate and execute give of a study's first run."""

    def __init__(self, root: Path, config: RunConfig) -> None:
        self.root, self.config = root, config
        self.study = root / "words"
        self.first, self.second = sorted(self.study.glob("words-s*"))

    def compare(self) -> Any:
        return compare(load_study(self.study)).record()

    def evaluate(self) -> Any:
        return evaluate_run(self.first)

    def execute(self) -> Any:
        run = RunDirectory(execute(self.config, root=self.root))
        result = run.result()
        return result.val, result.test, (run.path / "predictions_test.jsonl").read_bytes()

    def all(self) -> dict[str, Any]:
        """Each reader's answer; an error of the user's as text."""
        answers: dict[str, Any] = {}
        for reader in (self.compare, self.evaluate, self.execute):
            try:
                answers[reader.__name__] = reader()
            except InputError as error:
                answers[reader.__name__] = str(error)
        return answers


@pytest.fixture(scope="module")
def intact(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Readings:
    root = tmp_path_factory.mktemp("intact")
    config = configure(text_alone=True, study="words", arm="words")
    for seed in (0, 1):
        execute(config.model_copy(update={"seed": seed}), root=root)
    arms = (ArmRecord(name="words", role="control"),)
    limits: dict[str, Any] = {"bayes": {"text": 0.5}, "additive": {}}
    record = StudyRecord(
        name="words", title="Words", axes=("fusion",), arms=arms, seeds=(0, 1), limits=limits, manifest="m"
    )
    rewrite(root / "words" / "study.json", record)
    return Readings(root, config)


@pytest.fixture(scope="module")
def expected(intact: Readings) -> dict[str, Any]:
    answers = intact.all()
    assert not [answer for answer in answers.values() if isinstance(answer, str)], answers
    return answers


@pytest.fixture
def damaged(intact: Readings, expected: dict[str, Any], tmp_path: Path) -> Readings:
    """A copy, to be damaged."""
    shutil.copytree(intact.root, tmp_path / "runs")
    return Readings(tmp_path / "runs", intact.config)


def check(answers: dict[str, Any], expected: dict[str, Any], *names: str) -> int:
    """How many readers refused; all others give what they gave."""
    refused = 0
    for reader, answer in answers.items():
        if isinstance(answer, str):
            assert any(name in answer for name in names), (reader, answer)
            refused += 1
        else:
            assert answer == expected[reader], reader
    return refused


@pytest.mark.parametrize(("name", "damage"), file_cases())
def test_a_damaged_file(damaged: Readings, expected: dict[str, Any], name: str, damage: Damage) -> None:
    damage(damaged.first / name, damaged.second / name)
    refused = check(damaged.all(), expected, str(damaged.first / name), "words-s0")
    assert refused >= 2, "what reads the file refuses it, or makes it anew"


def renamed(study: Path, first: Path, second: Path) -> None:
    os.rename(first, first.with_name(first.name.replace("words-s0", "words-s2")))


def seeds_exchanged(study: Path, first: Path, second: Path) -> None:
    shutil.rmtree(second)
    shutil.copytree(first, second)


def another_arm(study: Path, first: Path, second: Path) -> None:
    shutil.copytree(first, first.with_name(first.name.replace("words", "more")))


def all_swapped_but_the_result(study: Path, first: Path, second: Path) -> None:
    kept = (first / "result.json").read_bytes()
    shutil.rmtree(first)
    shutil.copytree(second, first)
    (first / "result.json").write_bytes(kept)


def study_limits(study: Path, first: Path, second: Path) -> None:
    edit("limits", "bayes", "text", value=0.9)(study / "study.json", study)


def study_seeds(study: Path, first: Path, second: Path) -> None:
    edit("seeds", value=[0])(study / "study.json", study)


def study_empty(study: Path, first: Path, second: Path) -> None:
    (study / "study.json").write_bytes(b"")


def study_foreign(study: Path, first: Path, second: Path) -> None:
    shutil.copyfile(first / "result.json", study / "study.json")


@pytest.mark.parametrize(
    "damage",
    [
        renamed,
        seeds_exchanged,
        another_arm,
        all_swapped_but_the_result,
        study_limits,
        study_seeds,
        study_empty,
        study_foreign,
    ],
)
def test_damaged_folders_and_studies(
    damaged: Readings, expected: dict[str, Any], damage: Callable[[Path, Path, Path], None]
) -> None:
    damage(damaged.study, damaged.first, damaged.second)
    names = ("study.json", "words-s", "more-s0")
    assert check(damaged.all(), expected, *names) >= 1


def test_a_result_of_the_version_before_is_named(tmp_path: Path, configure: Configure) -> None:
    """Written as it was until records had versions: no digests, no seal."""
    run = tmp_path / "run-s0-0123456789"
    old = made_result(run, configure(text_alone=True)).model_dump(mode="json")
    for key in ("version", "seal", "digests", "deciding", "contents", "manifest"):
        del old[key]
    (run / "result.json").write_text(json.dumps(old))
    with pytest.raises(InputError, match=r"result\.json is .* of another version \(deciding: Field req"):
        RunDirectory(run).result()
