"""The ready studies: each is built without its data, says what it is, and runs on a tiny data set."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_pretrained import picture_folder

from mmvideo.components import EncoderChoice
from mmvideo.config import Input, RunConfig
from mmvideo.evaluation.factors import factor_levels
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import execute
from mmvideo.studies.loading import load_function
from mmvideo.studies.plan import plan_lines, plan_of
from mmvideo.studies.study import Study

Configure = Callable[..., RunConfig]
EXPERIMENTS = Path(__file__).parents[2] / "experiments"
ARMS = {
    "fusion_strategies": 7,
    "fusion_by_subset": 19,
    "subsets": 7,
    "hierarchical_levels": 10,
    "missing_modality": 11,
    "data_efficiency": 28,
    "frozen_or_tuned": 11,
    "imbalance": 17,
    "encoders_by_fusion": 13,
}
FACTORS = {
    "fusion_by_subset": {"fusion": 4, "modalities": 4},
    "missing_modality": {"fusion": 4, "training": 2},
    "data_efficiency": {"fusion": 4, "train_share": 4},
    "frozen_or_tuned": {"fusion": 2, "encoder": 3},
    "imbalance": {"fusion": 2, "objective": 7},
    "encoders_by_fusion": {"fusion": 2, "visual": 2, "audio": 2},
}


@pytest.fixture(autouse=True)
def importable_for_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def build(file: str, **options: Any) -> Study:
    found = load_function(str(EXPERIMENTS / f"{file}.py"), "study")(**options)
    assert isinstance(found, Study)
    return found


@pytest.mark.parametrize("file", ARMS)
def test_it_is_built_and_planned_without_its_data(file: str, tmp_path: Path) -> None:
    base = "ucf101_frozen" if file == "frozen_or_tuned" else "planted"
    found = build(file, base=base, manifest="/nowhere/cats/manifest.jsonl")
    assert len(found.arms) == ARMS[file]
    levels = factor_levels([arm.factors for arm in found.arms if arm.role == "fusion"])
    assert {factor: len(labels) for factor, labels in levels.items()} == FACTORS.get(
        file, {name: len(labels) for name, labels in levels.items()}
    )
    assert {arm.config.modalities for arm in found.arms if arm.role == "control"} == {
        (name,) for name in found.arms[0].config.inputs
    }
    lines = plan_lines(plan_of(found, tmp_path), 1)  # what --dry-run prints
    assert sum(line.startswith(f"{arm.name} ") for arm in found.arms for line in lines) == ARMS[file]


@pytest.mark.parametrize("file", ARMS)
def test_it_opens_with_question_protocol_cost_result_and_command(file: str) -> None:
    said = ast.get_docstring(ast.parse((EXPERIMENTS / f"{file}.py").read_text(encoding="utf-8"))) or ""
    question, *rest = said.split("\n")
    assert "?" in question
    begun = [line.split(":")[0].split(" on ")[0] for line in rest if ":" in line]
    assert [word for word in ("Protocol", "Cost", "Result", "Command") if word not in begun] == []


TINY: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "hierarchical_levels": ({"levels": ("stem",)}, ("stem",)),
    "missing_modality": ({"fusions": ("late",)}, ("late-dropout0.3",)),
    "data_efficiency": (
        {"fusions": ("late",), "shares": (1.0, 0.25), "least_steps": 4},
        ("late-0.25", "text-0.25"),
    ),
    "encoders_by_fusion": ({"fusions": ("late",)}, ("late-pixels-mfcc",)),
    "frozen_or_tuned": ({"fusions": ("late",)}, ("late-last-block", "visual-tuned")),
}
"""Study → its options, and the arms that are trained: those unlike any other test's."""


@pytest.mark.parametrize("file", TINY)
def test_its_arms_are_trained_on_a_tiny_data_set(file: str, configure: Configure, tmp_path: Path) -> None:
    config = configure()
    if file == "frozen_or_tuned":
        model = picture_folder("clip", tmp_path / "clip")
        frames = EncoderChoice.of("frame_model", model=str(model))
        visual = Input.of("visual", frames, frame_size=24, random_crop=False)
        config = config.model_copy(update={"inputs": {**config.inputs, "visual": visual}})
    (tmp_path / "base.json").write_text(config.model_dump_json())
    options, names = TINY[file]
    found = build(file, base=str(tmp_path / "base.json"), **options)
    runs = {one.arm: one for one in found.runs() if one.seed == 0}
    for name in names:
        result = RunDirectory(execute(runs[name], root=tmp_path / "runs")).result()
        assert result.counts["test"] == 16
        assert (result.counts["train"] < 20) == (file == "data_efficiency")
        assert len(result.test_subsets) == 2 ** len(result.modalities)


def test_the_page_of_ready_studies_lists_all_with_their_question_and_runs() -> None:
    page = (EXPERIMENTS.parent / "docs" / "studies.md").read_text()
    listed = {}
    for line in page.splitlines():
        if line.startswith("| ") and "?" in line:
            question, command, runs, _ = (cell.strip() for cell in line.strip("| ").split(" | "))
            listed[question] = (command.strip("`"), runs)
    asked = {}
    for path in sorted(EXPERIMENTS.glob("*.py")):
        tree = ast.parse(path.read_text())
        if any(isinstance(node, ast.FunctionDef) and node.name == "study" for node in tree.body):
            asked[(ast.get_docstring(tree) or "").splitlines()[0].partition("?")[0] + "?"] = path.stem
    assert set(listed) == set(asked)
    assert len(asked) == len(ARMS) + 1
    for question, (command, runs) in listed.items():
        file = asked[question]
        if file == "interactions":  # whose encoders are runs that have to be there
            assert command == "make interactions"
            continue
        assert f" experiments/{file}.py" in command
        words = command.partition(" -- ")[2].split()
        given = dict(zip((word.removeprefix("--") for word in words[::2]), words[1::2], strict=True))
        found = build(file, **given)
        assert runs == str(len(found.arms) * len(found.seeds)), file
