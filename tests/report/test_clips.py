"""Hard clips and disagreements, of outputs that are set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_records import reseal

from mmvideo.cli.compare import stills_at_hand
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, read_manifest
from mmvideo.config import DataConfig, RunConfig
from mmvideo.data.opened import store_settings
from mmvideo.report.charts import subsets
from mmvideo.report.clips import SHOWN, Still, disagreements, hardest
from mmvideo.report.compare import compare
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.report.runs import StudyRuns
from mmvideo.runs.identity import manifest_digest
from mmvideo.store.clip_format import StoredClip, write_clip
from mmvideo.store.object_store import object_path
from mmvideo.store.store import Store
from mmvideo.store.subtitles import Word

MakeStudy = Callable[..., Path]
CLIPS = ("seen", "lost")


@pytest.fixture
def study(make_study: MakeStudy, fake_arm: type) -> StudyRuns:
    """Both arms are right on all clips, but `late` on the first two never, and `text` on the second never."""
    arms = {"late": fake_arm(0.9), "text": fake_arm(0.9, ("text",), "control", "single")}
    found = load_study(make_study(arms, n_clips=40))

    def with_wrong(name: str, wrong: list[int]) -> object:
        [arm] = [arm for arm in found.arms if arm.name == name]
        predicted = found.clips.labels.copy()
        predicted[wrong] = (predicted[wrong] + 1) % 4
        outputs = np.log(np.where(np.eye(4)[predicted] > 0, 0.9, 0.1 / 3))
        return dataclasses.replace(
            arm, runs=tuple(dataclasses.replace(run, outputs=outputs) for run in arm.runs)
        )

    return dataclasses.replace(found, arms=(with_wrong("late", [0, 1]), with_wrong("text", [1])))


def test_the_hardest_clips_come_first(study: StudyRuns) -> None:
    found = hardest(study)
    assert len(found) == SHOWN
    assert found["id"][:2].tolist() == ["clip0001", "clip0000"]
    assert found["score"][:3].tolist() == [0, 0.5, 1]
    assert found["present"][1] == "visual+text", "every tenth clip has no sound"


def test_disagreements_name_only_clips_that_differ(study: StudyRuns) -> None:
    ahead, behind = disagreements(study, "text", "late")
    assert ahead["id"].tolist() == ["clip0000"]
    assert (ahead["a"][0], ahead["b"][0]) == (1, 0)
    assert behind.empty


def test_subset_scores_are_means_over_the_seeds(make_study: MakeStudy, fake_arm: type) -> None:
    comparison = compare(load_study(make_study({"late": fake_arm(0.7)}, limits=None, n_clips=60)))
    assert subsets.scores(comparison) == {}, "these runs recorded none"
    [arm] = comparison.study.arms
    scores = iter((0.5, 0.6, 0.7))
    runs = [
        dataclasses.replace(
            run, result=run.result.model_copy(update={"test_subsets": {"visual": {"accuracy": next(scores)}}})
        )
        for run in arm.runs
    ]
    given = dataclasses.replace(
        comparison,
        study=dataclasses.replace(comparison.study, arms=(dataclasses.replace(arm, runs=tuple(runs)),)),
    )
    assert subsets.scores(given) == {"late": {"visual": pytest.approx(0.6)}}


@pytest.fixture
def stored(make_study: MakeStudy, fake_arm: type, tmp_path: Path) -> StudyRuns:
    """A study of clips `seen`, which is in the store, and `lost`, which is not."""
    clips = [Clip(id=name, label="left", group=name, split="test", video=f"{name}.mp4") for name in CLIPS]
    for clip in clips:
        (tmp_path / f"{clip.id}.mp4").write_text(clip.id)
    written = "".join(clip.model_dump_json(exclude_defaults=True) + "\n" for clip in clips)
    (tmp_path / "clips.jsonl").write_text(written)
    data = DataConfig(manifest=str(tmp_path / "clips.jsonl"), store=str(tmp_path / "store"))
    folder = make_study({"late": fake_arm(0.7, config={"data": data.model_dump()})}, seeds=(0,), n_clips=20)
    manifest, store = read_manifest(data.manifest), Store(data.store, store_settings(RunConfig(data=data)))
    path = object_path(store.root, store.key(clips[0], manifest, ContentHashes()))
    write_clip(path, StoredClip(words=(Word("hello", 0, 1),)), None)
    for run in folder.glob("late-s*"):
        reseal(run, manifest=manifest_digest(manifest))
    return load_study(folder)


def test_stored_clips_are_shown_on_the_page(stored: StudyRuns) -> None:
    found = stills_at_hand(stored, CLIPS)
    assert {id: still.words for id, still in found.items()} == {"seen": "hello"}
    shown = {hardest(stored)["id"][0]: Still("data:image/jpeg;base64,", None, "<b>bold")}
    page = render(compare(stored), "", shown)
    assert '<img src="data:image/jpeg;base64," alt="frames of clip' in page
    assert "<blockquote>&lt;b&gt;bold</blockquote>" in page


@pytest.mark.parametrize("missing", ["clips.jsonl", "seen.mp4", "store", "labels"])
def test_without_manifest_or_store_no_clip_is_shown(stored: StudyRuns, tmp_path: Path, missing: str) -> None:
    if missing == "labels":
        manifest = tmp_path / "clips.jsonl"
        manifest.write_text(manifest.read_text().replace("left", "right"))
    else:
        (tmp_path / missing).rename(tmp_path / "elsewhere")
    assert stills_at_hand(stored, CLIPS) == {}
