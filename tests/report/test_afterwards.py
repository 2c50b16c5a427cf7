"""What was measured of finished runs afterwards, from records to tables and the page's sections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_records import rewrite

from mmvideo.evaluation.afterwards import CONTRIBUTION, ContributionRecord, RobustnessRecord, robustness_file
from mmvideo.evaluation.contribution import subsets_of
from mmvideo.files import Damaged
from mmvideo.records import open_run
from mmvideo.report import _afterwards
from mmvideo.report.compare import compare
from mmvideo.report.contributions import contribution_frame, sign_notes
from mmvideo.report.contributions import measured_in as contributed
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.report.robustness import as_text, measured_in, robustness_frames
from mmvideo.report.sections import contributions, robustness
from mmvideo.vocabulary import MODALITIES, presence_pattern

CLIPS = 120
NOISE = "audio.white_noise"


@pytest.fixture
def study(make_study: Callable[..., Path]) -> Path:
    """Audio tells 0.3 where others stand in for it, and harms by 0.1 where nothing does; visual tells 0.2."""
    folder = make_study(n_clips=CLIPS)
    draw = np.random.default_rng(0)
    for run in sorted(folder.glob("*-s*-*")):
        result = open_run(run)
        made = {"run": result.folder, "result": result.seal, "task": result.task, "seconds": 1.0, "method": 1}
        if len(result.modalities) == 3:
            scores = {
                stand_in: {
                    presence_pattern(s): tuple(
                        float(0.25 + 0.2 * ("visual" in s) + worth * ("audio" in s) + 0.01 * n)
                        for n in draw.normal(size=CLIPS)
                    )
                    for s in subsets_of(MODALITIES)
                }
                for stand_in, worth in (("absent", -0.1), ("permuted", 0.3))
            }
            record = ContributionRecord(
                **made, modalities=MODALITIES, draws=1, scores=scores, emap=(0.5,) * CLIPS
            )
            rewrite(run / CONTRIBUTION, record)
        if "audio" in result.modalities:
            for severity in (1, 2, 3):
                file = run / robustness_file(NOISE, severity)
                file.parent.mkdir(exist_ok=True)
                right = tuple((draw.random(CLIPS) < 0.8 - 0.2 * severity).astype(float).tolist())
                damaged = RobustnessRecord(
                    **made, corruption=NOISE, severity=severity, seed=0, levels=(1.0,), scores=right
                )
                rewrite(file, damaged)
    return folder


def test_contributions_and_where_stand_ins_disagree(study: Path) -> None:
    table = contribution_frame(load_study(study)).set_index(["arm", "stand_in", "quantity", "of"])
    late = table.loc["late"].sort_index()
    assert late.loc[("permuted", "shapley", "audio"), "value"] == pytest.approx(0.3, abs=0.01)
    assert late.loc[("absent", "removal", "audio"), "value"] == pytest.approx(-0.1, abs=0.01)
    assert late.loc[("absent", "shapley", "visual"), "value"] == pytest.approx(0.2, abs=0.01)
    assert set(table.index.get_level_values("arm")) == {"hierarchical", "hierarchical twin", "late"}
    told = sign_notes(contribution_frame(load_study(study)))
    assert "late: the shapley of audio is negative with 'absent' and positive with 'permuted'." in told
    assert not [note for note in told if "shapley of visual" in note]


def test_runs_that_saw_other_draws_of_the_damage_are_not_compared(study: Path) -> None:
    """As `mmvideo robustness --seed 1` leaves them, interrupted."""
    run = next(study.glob("late-s1-*"))
    for severity in (1, 2, 3):
        file = run / robustness_file(NOISE, severity)
        record = RobustnessRecord.model_validate_json(file.read_text())
        rewrite(file, record.model_copy(update={"seed": 1}))
    found = robustness_frames(load_study(study))
    assert found.curves.empty
    assert found.pairs.empty
    assert [note for note in found.notes if "left out" in note and "--seed 0 and 1" in note]
    _, alone, _ = measured_in(run)
    assert alone.curves["severity"].tolist() == [0, 1, 2, 3], "all of a run by itself are the same"


def test_contributions_of_an_earlier_version_are_not_compared(study: Path) -> None:
    for run in study.glob("late-s1-*"):
        record = ContributionRecord.model_validate_json((run / CONTRIBUTION).read_text())
        rewrite(run / CONTRIBUTION, record.model_copy(update={"method": 0}))
    assert set(contribution_frame(load_study(study))["arm"]) == {"hierarchical", "hierarchical twin"}


def test_curves_areas_and_pairs(study: Path) -> None:
    loaded = load_study(study)
    found = robustness_frames(loaded)
    curve = found.curves.query("arm == 'late'").sort_values("severity")
    assert curve["severity"].tolist() == [0, 1, 2, 3]
    assert curve["score"].iloc[1:].tolist() == pytest.approx([0.6, 0.4, 0.2], abs=0.06)
    late = next(arm for arm in loaded.arms if arm.name == "late")
    clean = np.mean([run.result.test["accuracy"] for run in late.runs])
    row = found.areas.set_index("arm").loc["late"]
    inner = curve["score"].tolist()
    assert row["area"] == pytest.approx(((clean + inner[3]) / 2 + inner[1] + inner[2]) / 3)
    assert row["drop"] == pytest.approx(clean - inner[3])
    assert found.areas["effective"].notna().all()  # with the arm of audio alone, there are three others
    assert len(found.pairs) == 3
    assert not {"audio", "visual"} & set(found.pairs["a"])
    next(study.glob(f"late-s0-*/{robustness_file(NOISE, 2)}")).unlink()
    without = robustness_frames(load_study(study))
    assert "late" not in set(without.areas["arm"])
    assert "not measured at all severities" in without.notes[0]


def test_a_changed_number_is_refused_and_the_rest_shown(study: Path) -> None:
    """One damaged record of a run's robustness or contributions stopped the whole report."""
    changed = next(study.glob(f"late-s0-*/{CONTRIBUTION}"))
    changed.write_text(changed.read_text().replace("0.5", "0.6"))
    cut = next(study.glob(f"hierarchical-s1-*/{robustness_file(NOISE, 2)}"))
    cut.write_text(cut.read_text()[:50])
    loaded = load_study(study)
    with pytest.warns(UserWarning, match=r"mmvideo contribute .*makes it again"):
        assert set(contribution_frame(loaded)["arm"]) == {"hierarchical", "hierarchical twin"}
    found = robustness_frames(loaded)
    assert [note for note in found.notes if str(cut) in note and "makes it again" in note]
    assert set(found.areas["arm"]) == {"hierarchical twin", "late", "audio"}
    assert sorted(found.curves.query("arm == 'hierarchical'")["severity"]) == [0, 1, 3]
    comparison = compare(loaded)
    for file in (changed, cut):
        assert len([note for note in comparison.notes if str(file) in note]) == 1
    page = render(comparison, "")
    assert "<h2>Contribution of modalities</h2>" in page
    assert "<h2>Robustness</h2>" in page
    assert str(changed) in page


def test_a_single_runs_damaged_record_is_told(study: Path) -> None:
    run = next(study.glob("late-s0-*"))
    (run / robustness_file(NOISE, 1)).write_text("{")
    _, found, _ = measured_in(run)
    assert found.curves["severity"].tolist() == [0, 2, 3]
    assert any("mmvideo robustness" in note for note in found.notes)
    (run / CONTRIBUTION).write_text("{")
    with pytest.raises(Damaged, match="mmvideo contribute"):
        contributed(run)


def test_the_page_has_them_only_where_they_were_measured(
    study: Path,
) -> None:
    comparison = compare(load_study(study))
    page = render(comparison, "")
    for heading in ("Contribution of modalities", "Robustness"):
        assert page.count(f"<h2>{heading}</h2>") == 1
    assert NOISE in page
    assert page.count('id="robustness"') == 1  # its chart
    tables = _afterwards(comparison)
    assert set(tables) == {"contributions", "robustness", "robustness_areas", "robustness_pairs"}
    for file in [*study.glob(f"*/{CONTRIBUTION}"), *study.glob("*/robustness/*")]:
        file.unlink()
    comparison = compare(load_study(study))
    assert _afterwards(comparison) == {}
    assert contributions.content(comparison) is None
    assert robustness.content(comparison) is None


def test_a_study_on_the_terminal(study: Path) -> None:
    title, found, display = measured_in(study)
    lines = as_text(found, display).splitlines()
    assert title == "A demonstration"
    assert len(lines) == 1 + 4  # arms with audio
    assert lines[1].split()[0] == NOISE
