"""The floors of a study's data: one for each modality and one for all, made once for the same data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import planted_runs
import pytest

from mmvideo.errors import InputError
from mmvideo.runs import floor
from mmvideo.vocabulary import MODALITIES

configure = planted_runs.configure


@pytest.fixture
def arms(configure: planted_runs.Configure, tmp_path: Path):
    """Configurations of all modalities and of each alone; a store of their own for floors."""
    both = configure()
    return [both, *(both.model_copy(update={"modalities": (m,)}) for m in both.modalities)]


def test_a_floor_for_each_modality_and_all_made_once(arms, monkeypatch: pytest.MonkeyPatch) -> None:
    record = floor.floor_of(arms)
    found = record.predictions(record.clips)
    assert list(found) == [("visual",), ("audio",), ("text",), MODALITIES]
    assert all(outputs.shape == (16, len(record.classes)) for outputs in found.values())
    for outputs in found.values():
        np.testing.assert_allclose(np.exp(outputs).sum(axis=1), 1.0, atol=1e-4)
    turned = record.predictions(record.clips[::-1])
    assert np.array_equal(turned[MODALITIES], found[MODALITIES][::-1])
    assert record.training_clips == 48
    monkeypatch.setattr(floor, "plain_features", None)  # it is not made again
    assert floor.floor_of(arms[1:]) == record
    with pytest.raises(InputError, match="other test clips"):
        record.predictions(record.clips[1:])


def test_a_modality_that_arms_read_differently_has_none(arms) -> None:
    first = arms[0]
    noisy = first.inputs["audio"].model_copy(
        update={"options": first.inputs["audio"].options.model_copy(update={"snr_db": 0.0})}
    )
    other = first.model_copy(update={"inputs": {**first.inputs, "audio": noisy}})
    record = floor.floor_of([first, other])
    assert record.left_out == ("audio",)
    assert [one.modalities for one in record.floors] == [("visual",), ("text",), ("visual", "text")]
    assert record.key != floor.floor_of([first]).key != floor.floor_of([other]).key


def test_of_many_training_clips_some_are_drawn(arms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "MOST_TRAINING_CLIPS", 20)
    monkeypatch.setattr(floor, "VERSION", "as few as in this test")
    record = floor.floor_of(arms[3:])
    assert record.training_clips == 20
    assert [one.modalities for one in record.floors] == [("text",)]
    assert len(record.clips) == 16


def test_where_each_seed_draws_its_validation_each_has_its_floor(arms, planted: Path, tmp_path: Path) -> None:
    listed = planted.with_name("unsplit.jsonl")
    listed.write_text(planted.read_text().replace('"split":"val"', '"split":"train"'))
    data = arms[3].data.model_copy(update={"manifest": str(listed)})
    seeds = [arms[3].model_copy(update={"data": data, "seed": seed}) for seed in (0, 1)]
    first, second = (floor.floor_of([config]) for config in seeds)
    assert first.key != second.key
    assert first.clips == second.clips
