"""The floor in a report: its rows, the arms below it, and that nothing is concluded from these."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from made_records import reseal, rewrite
from rich.console import Console

from mmvideo.evaluation.floor_record import Floor, FloorRecord, floor_file
from mmvideo.files import Damaged
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.console import print_comparison
from mmvideo.report.load import load_study
from mmvideo.report.page import render

CLASSES = ("left", "right", "up", "down")
SHARES = {("visual",): 0.9, ("audio",): 0.3, ("visual", "audio", "text"): 0.95}


def write_floor(
    folder: Path,
    shares: dict[tuple[str, ...], float] = SHARES,
    seeds: tuple[int, ...] = (0, 1, 2),
    training_clips: int = 4,
    **changes: str,
) -> None:
    """Floors that are right on these shares of the clips, of as many training clips as arms have."""
    lines = next(folder.glob("*/predictions_test.jsonl")).read_text().splitlines()
    clips = [json.loads(line) for line in lines][::-1]
    labels = np.array([CLASSES.index(clip["label"]) for clip in clips])
    floors = []
    for modalities, share in shares.items():
        right = np.random.default_rng(0).random(len(labels)) < share
        outputs = np.full((len(labels), 4), np.log(0.1))
        outputs[np.arange(len(labels)), np.where(right, labels, (labels + 1) % 4)] = np.log(0.7)
        rows = tuple(tuple(row) for row in outputs.round(6).tolist())
        floors.append(
            Floor(
                modalities=modalities, outputs=rows, in_parts=False, strength=0.1, val_loss=1.0, seconds=1.0
            )
        )
    run = json.loads(next(folder.glob("*/result.json")).read_text())
    known = {"data_fingerprint": run["data_fingerprint"]} | changes
    record = FloorRecord(
        key="k", task="single_label", classes=CLASSES, clips=tuple(clip["id"] for clip in clips),
        training_clips=training_clips, left_out=("text",), seconds=1.0, floors=tuple(floors), **known,
    )  # fmt: skip
    for seed in seeds:
        rewrite(folder / floor_file(seed), record)


@pytest.fixture
def compared(make_study: Callable[..., Path]) -> Comparison:
    folder = make_study()
    write_floor(folder)
    return compare(load_study(folder))


def test_floors_are_rows_of_their_own(compared: Comparison) -> None:
    rows = compared.table[compared.table["kind"] == "floor"].set_index("arm")
    assert list(rows.index) == ["floor all", "floor visual", "floor audio"]
    assert rows["accuracy"].tolist() == pytest.approx([0.95, 0.9, 0.3], abs=0.05)
    assert rows.loc["floor visual", "bayes_accuracy"] == 0.5
    assert rows["n_seeds"].isna().all()


def test_an_arm_that_had_fewer_training_clips_is_not_held_to_a_floor(make_study: Callable[..., Path]) -> None:
    folder = make_study()
    write_floor(folder, training_clips=9)
    few = next(folder.glob("visual-s1-*"))
    for run in folder.glob("*-s?-*"):
        if run != few:
            reseal(run, counts={"train": 9, "val": 2, "test": 2})
    compared = compare(load_study(folder))
    arms = compared.table.set_index("arm")
    assert arms.loc["late", "floor"] == "underfits"
    assert arms.loc["visual", "floor"] == ""
    assert np.isnan(arms.loc["visual", "floor_difference"])
    note = "Not compared with floors, which read 9 training clips, since they had fewer: visual."
    assert note in compared.notes


def test_a_floor_that_one_seed_lacks_is_left_out_and_told(make_study: Callable[..., Path]) -> None:
    """Each seed may draw its own validation split, and with it the only clip that has a modality."""
    folder = make_study()
    write_floor(folder)
    write_floor(folder, {("visual",): 0.9, ("audio",): 0.3, ("visual", "audio"): 0.95}, seeds=(1,))
    compared = compare(load_study(folder))
    rows = compared.table[compared.table["kind"] == "floor"]
    assert list(rows["arm"]) == ["floor visual", "floor audio"]
    told = [note for note in compared.notes if note.startswith("No floor of")]
    assert [note.split(":")[0] for note in told] == [
        "No floor of visual+audio+text", "No floor of visual+audio"
    ]  # fmt: skip


def test_an_arm_below_the_floor_of_its_modalities_underfits(compared: Comparison) -> None:
    arms = compared.table.set_index("arm")
    assert arms.loc[["hierarchical", "late", "visual"], "floor"].tolist() == ["underfits"] * 3
    assert arms.loc[["audio", "text", "score averaging", "floor visual"], "floor"].tolist() == [""] * 4
    assert arms.loc["visual", "floor_high"] < 0 < arms.loc["audio", "floor_low"]
    assert arms.loc["text", ["floor_low", "floor_high"]].isna().all()


def test_nothing_is_concluded_from_encoders_that_underfit(compared: Comparison) -> None:
    assert compared.answer.sentence == (
        "Nothing can be concluded about fusion with these encoders: a linear model on plain features is "
        f"ahead of visual and {compared.leader}."
    )
    points = dict(compared.answer.points)
    assert points["but for the floor"].startswith("Fusion adds to what single modalities give")
    assert points["visual against floor visual"].endswith("]: visual underfits")
    assert points["against floor all"].startswith("−")
    page, printed = render(compared, ""), StringIO()
    assert "<small>underfits</small>" in page
    assert "logistic regression on plain features of whole clips" in page
    print_comparison(compared, Console(file=printed, width=200))
    assert "visual underfits" in printed.getvalue()


@pytest.mark.parametrize(
    ("shares", "ahead"),
    [
        ({("visual",): 0.3, ("visual", "audio", "text"): 0.95}, "floor all"),
        ({("visual", "audio"): 0.95}, "floor all"),  # nothing plain to read of the words
        ({("audio",): 0.95, ("visual", "audio", "text"): 0.3}, "floor audio"),
    ],
)
def test_a_floor_above_the_fusion_leaves_nothing_to_conclude(
    make_study: Callable[..., Path], shares: dict[tuple[str, ...], float], ahead: str
) -> None:
    folder = make_study()
    write_floor(folder, shares)
    comparison = compare(load_study(folder))
    assert "Nothing can be concluded about fusion" in comparison.answer.sentence
    assert comparison.answer.sentence.endswith(f" {comparison.leader}.")
    assert dict(comparison.answer.points)[f"against {ahead}"].startswith("−")


def test_a_floor_below_all_is_told_and_changes_nothing(make_study: Callable[..., Path]) -> None:
    folder = make_study()
    write_floor(folder, {("visual",): 0.3, ("visual", "audio", "text"): 0.35})
    comparison = compare(load_study(folder))
    assert comparison.answer.sentence.startswith("Fusion adds to what single modalities give")
    assert dict(comparison.answer.points)["against floor all"].startswith("+")
    assert set(comparison.table["floor"]) == {""}


def test_one_seed_does_not_tell_that_an_arm_underfits(make_study: Callable[..., Path]) -> None:
    folder = make_study(seeds=(0,))
    write_floor(folder)
    comparison = compare(load_study(folder))
    printed = StringIO()
    print_comparison(comparison, Console(file=printed, width=200))
    words = "\n".join([printed.getvalue(), *comparison.answer.lines, *comparison.table["floor"]])
    assert "underfit" not in words
    assert "visual below its floor" in words
    assert comparison.answer.sentence == (
        "A single seed gives no verdict; on these clips a linear model on plain features is ahead of visual "
        f"and {comparison.leader}."
    )


def test_floors_that_differ_by_seed_are_counted_and_have_a_spread(make_study: Callable[..., Path]) -> None:
    """Where each seed draws its own validation split, it fits its own floor."""
    folder = make_study()
    write_floor(folder)
    other = FloorRecord.model_validate_json((folder / floor_file(0)).read_text())
    turned = other.floors[1].model_copy(update={"outputs": other.floors[1].outputs[::-1]})
    floors = (other.floors[0], turned, other.floors[2])
    rewrite(folder / floor_file(2), other.model_copy(update={"floors": floors}))
    rows = compare(load_study(folder)).table.set_index("arm")
    assert rows.loc["floor audio", "n_seeds"] == 3
    assert rows.loc["floor audio", "seed_std"] > 0
    assert rows.loc[["floor visual", "majority class"], ["n_seeds", "seed_std"]].isna().all(axis=None)


def test_clips_without_the_modality_do_not_count(make_study: Callable[..., Path]) -> None:
    """Every tenth clip has no audio: there the arm knows nothing, and the floor what absence tells."""
    folder = make_study()
    write_floor(folder, {("audio",): 0.5})
    study = load_study(folder)
    difference = compare(study).table.set_index("arm").loc["audio", "floor_difference"]
    audio = next(arm for arm in study.arms if arm.name == "audio")
    here = audio.runs[0].present["audio"]
    floor = study.floors[0].predictions(study.clips.ids)["audio",]
    own, other = ((o.argmax(axis=-1) == study.clips.labels)[..., here] for o in (audio.outputs, floor))
    assert here.sum() == 270
    assert difference == pytest.approx(own.mean() - other.mean())
    assert difference != pytest.approx(
        (audio.outputs.argmax(-1) == study.clips.labels).mean() - 0.5, abs=1e-4
    )


def test_without_floors_nothing_is_marked(make_study: Callable[..., Path]) -> None:
    folder = make_study()
    write_floor(folder)
    (folder / floor_file(2)).unlink()
    comparison = compare(load_study(folder))
    assert set(comparison.table["floor"]) == {""}
    assert "floor" not in set(comparison.table["kind"])
    assert "<dt>floor</dt>" not in render(comparison, "")


def test_floors_of_other_data_or_changed_ones_are_refused(make_study: Callable[..., Path]) -> None:
    folder = make_study()
    write_floor(folder, data_fingerprint="other")
    with pytest.raises(Damaged, match=r"floor-s0\.json was made on other data.*Delete it"):
        load_study(folder)
    write_floor(folder)
    file = folder / floor_file(1)
    file.write_text(file.read_text().replace("0.1", "0.2", 1))
    with pytest.raises(Damaged, match="changed after it was written"):
        load_study(folder)
