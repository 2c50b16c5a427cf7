"""Precomputed features of a manifest: padding, times, what is refused, statistics of the training split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmvideo.clips.audit import audit
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest, check_files, read_manifest, write_manifest
from mmvideo.components import EncoderChoice
from mmvideo.config import Input
from mmvideo.data.opened import make_modality
from mmvideo.errors import InputError
from mmvideo.modalities.base import ClipSource, View, Window
from mmvideo.modalities.feature_survey import FeatureConfig, read_features, survey
from mmvideo.modalities.features import PrecomputedFeatures, in_window

CONFIG = FeatureConfig()
WINDOW = Window(0.0, 1.0, 1.0, 0, View())


OF_TWO_CLASSES = (("train", "a"), ("test", "a"), ("val", "a"), ("train", "b"))


def clip(name: str, **more: Any) -> Clip:
    given: dict[str, Any] = {"label": "a", "group": name, "split": "train", "metadata": {"x": "y"}}
    return Clip(id=name, **given | more)


def manifest(root: Path, arrays: dict[str, np.ndarray], **more: Any) -> Manifest:
    """One clip for each array, which is its visual features."""
    for name, array in arrays.items():
        np.save(root / f"{name}.npy", array)
    return Manifest(tuple(clip(name, features={"visual": f"{name}.npy"}, **more) for name in arrays), root)


def read(root: Path, array: Any, config: FeatureConfig = CONFIG) -> np.ndarray:
    made = manifest(root, {"a": np.asarray(array, np.float32)})
    return read_features(made, made.clips[0], "visual", config)[0]


def opened(made: Manifest, name: str = "visual", learnt: Path | None = None) -> PrecomputedFeatures:
    """The modality, with what it has measured of the manifest."""
    modality = make_modality(name, Input.of("features", EncoderChoice.of("feature_lstm")), 8.0)
    assert isinstance(modality, PrecomputedFeatures)
    store: Any = None  # no media are read
    modality.open(ClipSource(made, store, {c.id: c.id for c in made.clips}, {}), learnt)
    return modality


@pytest.mark.parametrize(("array", "expected"), [
    ([1, 2], [[1, 2]]),
    ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    ([[1, 2], [0, 0], [0, 0]], [[1, 2]]),
    ([[0, 0], [1, 2], [0, 0], [0, 3], [0, 0]], [[0, 0], [1, 2], [0, 0], [0, 3]]),
    ([[0, 0], [0, 0]], np.zeros((0, 2))),
    ([0, 0], np.zeros((0, 2))),
])  # fmt: skip
def test_zeros_at_the_end_are_padding_and_nothing_else_is(tmp_path: Path, array: Any, expected: Any) -> None:
    np.testing.assert_array_equal(read(tmp_path, array), np.asarray(expected, np.float32))


def test_no_entry_is_an_absent_modality(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", np.ones((3, 5)))
    made = Manifest((clip("a"), clip("b", features={"flow": "b.npy"})), tmp_path)
    modality = opened(made, "flow")
    assert modality.present == {"b"}
    media: Any = None
    values, times = modality.read(made.clips[0], media, WINDOW, training=False)
    assert (values.shape, times.shape) == ((0, 5), (0,))


@pytest.mark.parametrize(("array", "message"), [
    ([[1, np.nan], [2, np.inf]], r"a: visual features a.npy hold 2 of 4 values that are NaN, infinite or "
     r"beyond 1e\+18, the first in dimension 1\. .*inputs.visual.options.non_finite"),
    ([[3e38, 1.0]], r"hold 1 of 2 values that are NaN, infinite or beyond 1e\+18"),
    (np.zeros((2, 2, 2)), r"have the shape \(2, 2, 2\); expected one vector"),
    (3.0, r"have the shape \(\)"),
    (np.zeros((2, 0)), r"have the shape \(2, 0\)"),
])  # fmt: skip
def test_what_cannot_be_used(tmp_path: Path, array: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, array)


def test_non_finite_values_can_be_zeros_and_are_counted(tmp_path: Path) -> None:
    zero = FeatureConfig(non_finite="zero")
    np.testing.assert_array_equal(read(tmp_path, [[1, -np.inf], [np.nan, 0]], zero), [[1, 0]])
    made = manifest(tmp_path, {"a": np.array([[1, np.nan]]), "b": np.array([[np.inf, 1]])})
    assert survey(made, made.clips, "visual", zero).zeroed == 2


class TestTimes:
    def test_a_sequence_is_spread_evenly_over_the_span(self) -> None:
        values = np.arange(8, dtype=np.float32).reshape(4, 2)
        kept, times = in_window(values, None, 2.0, 0.0, 5.0)
        np.testing.assert_array_equal(kept, values)
        np.testing.assert_allclose(times, [0.25, 0.75, 1.25, 1.75])

    def test_a_rate_places_it(self) -> None:
        _, times = in_window(np.ones((4, 2), np.float32), 10.0, 99.0, 0.0, 5.0)
        np.testing.assert_allclose(times, [0.05, 0.15, 0.25, 0.35], rtol=1e-6)

    def test_a_window_keeps_what_is_in_it_with_times_from_its_start(self) -> None:
        values = np.arange(10, dtype=np.float32)[:, None]
        kept, times = in_window(values, 1.0, 10.0, 3.0, 2.0)
        assert kept[:, 0].tolist() == [3, 4]
        assert times.tolist() == [0.5, 1.5]

    def test_what_is_present_stays_present(self) -> None:
        """One vector in ten seconds: a window between two of them takes the nearest."""
        values = np.arange(3, dtype=np.float32)[:, None]
        kept, times = in_window(values, 0.1, 30.0, 8.0, 1.0)
        assert kept[:, 0].tolist() == [0]
        assert 0 <= times[0] <= 1

    @pytest.mark.parametrize(("seconds", "start", "length", "time"), [(4, 0, 9, 2), (30, 12, 2, 1)])
    def test_a_single_vector_tells_of_the_whole_clip(
        self, seconds: float, start: float, length: float, time: float
    ) -> None:
        kept, times = in_window(np.ones((1, 2), np.float32), None, seconds, start, length)
        assert (kept.shape, times.tolist()) == ((1, 2), [time])

    def test_nothing_stays_nothing(self) -> None:
        kept, times = in_window(np.zeros((0, 2), np.float32), None, 1.0, 0.0, 1.0)
        assert (kept.shape, times.shape) == ((0, 2), (0,))

    @pytest.mark.parametrize(("more", "seconds"), [
        ({}, 0),
        ({"start": 1.0, "end": 4.0}, 3),
        ({"features_rate": {"flow": 10.0}}, 3),
        ({"features_rate": {"flow": 10.0}, "start": 1.0, "end": 6.0}, 5),
        ({"features_rate": {"flow": 10.0}, "end": 2.0}, 3),
    ])  # fmt: skip
    def test_how_long_a_clips_features_last(
        self, tmp_path: Path, more: dict[str, Any], seconds: float
    ) -> None:
        np.save(tmp_path / "a.npy", np.ones((30, 2)))
        made = Manifest((clip("a", features={"flow": "a.npy"}, **more),), tmp_path)
        assert opened(made, "flow").seconds(made.clips[0]) == seconds


class TestSurvey:
    def test_a_clip_whose_features_are_zeros_lacks_them(self, tmp_path: Path) -> None:
        made = manifest(tmp_path, {"a": np.ones(2), "b": np.zeros((3, 2))})
        assert survey(made, made.clips, "visual", CONFIG).present == {"a"}
        assert opened(made).present == {"a"}

    def test_statistics_are_of_the_training_splits_real_vectors(self, tmp_path: Path) -> None:
        generator = np.random.default_rng(0)
        arrays = {f"c{i}": generator.normal(50, 3, (i + 1, 4)) for i in range(6)}
        arrays["c3"][-1] = 0  # padding
        made = manifest(tmp_path, arrays)
        clips = [c if c.id != "c5" else c.model_copy(update={"split": "test"}) for c in made.clips]
        found = survey(made, clips, "visual", CONFIG)
        measured = found.input()
        rows = np.concatenate([arrays[f"c{i}"].astype(np.float32)[: 3 if i == 3 else None] for i in range(5)])
        np.testing.assert_allclose(measured.mean, rows.mean(axis=0, dtype=np.float64), rtol=1e-9)
        np.testing.assert_allclose(measured.std, rows.std(axis=0, dtype=np.float64), rtol=1e-6)
        assert (measured.width, measured.longest, len(found.present)) == (4, 5, 6)

    def test_a_constant_dimension_is_not_blown_up(self, tmp_path: Path) -> None:
        made = manifest(tmp_path, {"a": np.array([[1e6, 1], [1e6, 2]])})
        assert survey(made, made.clips, "visual", CONFIG).input().std == (1.0, 0.5)

    def test_without_standardisation(self, tmp_path: Path) -> None:
        made = manifest(tmp_path, {"a": np.array([[5, 1], [7, 2]])})
        found = survey(made, made.clips, "visual", FeatureConfig(standardize=False)).input()
        assert (found.mean, found.std) == ((0, 0), (1, 1))

    def test_all_problems_come_at_once(self, tmp_path: Path) -> None:
        made = manifest(tmp_path, {"a": np.ones(2), "b": np.array([1, np.nan]), "c": np.ones(3)})
        assert survey(made, made.clips, "visual", CONFIG).present == {"a", "b", "c"}
        with pytest.raises(
            InputError, match=r"(?s)visual features of 2 clips cannot be used:.*b: .*NaN.*c: its"
        ):
            survey(made, made.clips, "visual", CONFIG).input()

    @pytest.mark.parametrize("array", [np.zeros(2), None])
    def test_no_training_clip_with_features(self, tmp_path: Path, array: np.ndarray | None) -> None:
        made = Manifest((clip("a"),), tmp_path) if array is None else manifest(tmp_path, {"a": array})
        with pytest.raises(InputError, match=r"no training clip has any.*another inputs.visual.kind"):
            survey(made, made.clips, "visual", CONFIG).input()

    def test_what_was_measured_is_kept_to_the_bit_and_taken_by_another_run(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / name).mkdir()
        generator = np.random.default_rng(0)
        first = opened(manifest(tmp_path / "a", {"a": generator.normal(size=(3, 5))}))
        first.save(tmp_path)
        other = manifest(tmp_path / "b", {"a": generator.normal(size=(7, 5))})
        assert opened(other).told != first.told
        assert opened(other, learnt=tmp_path).told == first.told

    def test_features_of_another_width_than_the_runs(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / name).mkdir()
        opened(manifest(tmp_path / "a", {"a": np.ones(2)})).save(tmp_path)
        three = manifest(tmp_path / "b", {"a": np.ones(3)})
        with pytest.raises(InputError, match="have 3 numbers each; the run was trained on 2"):
            opened(three, learnt=tmp_path)

    @pytest.mark.parametrize("content", ["{}", "[3]", '{"width": "x", "longest": 1, "mean": [], "std": []}'])
    def test_a_file_that_holds_something_else(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "visual.json").write_text(content)
        with pytest.raises(InputError, match=r"visual\.json"):
            opened(manifest(tmp_path, {"a": np.ones(2)}), learnt=tmp_path)

    def test_a_file_that_changed_its_width_meanwhile(self, tmp_path: Path) -> None:
        made = manifest(tmp_path, {"a": np.ones(2)})
        modality = opened(made)
        np.save(tmp_path / "a.npy", np.ones(3))
        with pytest.raises(InputError, match="a: its visual features have 3 numbers each; those of this run"):
            modality.seconds(made.clips[0].model_copy(update={"features_rate": {"visual": 1.0}}))

    def test_one_survey_serves_all_runs_of_a_process(self, tmp_path: Path) -> None:
        made = manifest(tmp_path, {"a": np.ones(2)})
        store: Any = None
        source = ClipSource(made, store, {"a": "a"}, {})
        given = Input.of("features", EncoderChoice.of("feature_lstm"))
        first, second = make_modality("visual", given, 8.0), make_modality("visual", given, 4.0)
        for modality in (first, second):
            modality.open(source)
        assert first.told is second.told


class TestManifest:
    def test_round_trip(self, tmp_path: Path) -> None:
        made = clip("a", metadata={}, features={"audio": "all.h5#x/a"}, features_rate={"audio": 12.5})
        write_manifest(tmp_path / "m.jsonl", [made])
        found = read_manifest(tmp_path / "m.jsonl")
        assert found.clips == (made,)
        assert found.feature(made, "audio") == (tmp_path / "all.h5", "x/a")
        assert found.feature(made, "visual") is None

    @pytest.mark.parametrize(("more", "message"), [
        ({"features": {"my speech": "a.npy"}}, "(?s)features.my speech.*cannot name a modality"),
        ({"features_rate": {"visual": 5.0}}, "features_rate names a modality that features does not"),
        ({"features": {"visual": "a.npy"}, "features_rate": {"visual": 0.0}}, "features_rate.visual"),
    ])  # fmt: skip
    def test_refused(self, more: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            clip("a", **more)

    def test_missing_files_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"a: visual features .*none.npy"):
            check_files(Manifest((clip("a", features={"visual": "none.npy#3"}),), tmp_path))

    @pytest.mark.parametrize(("parts", "leaks"), [((0, 0), True), ((0, 1), False)])
    def test_one_part_of_a_file_in_two_splits_is_a_leak(
        self, tmp_path: Path, parts: tuple[int, int], leaks: bool
    ) -> None:
        np.save(tmp_path / "all.npy", np.eye(4))
        features = [{"visual": f"all.npy#{row}"} for row in (*parts, 2, 3)]
        clips = tuple(
            clip(f"c{i}", features=features[i], split=split, metadata={}, label=label)
            for i, (split, label) in enumerate(OF_TWO_CLASSES)
        )
        made, hashes = Manifest(clips, tmp_path), ContentHashes(tmp_path / "hashes.json")
        if leaks:
            with pytest.raises(
                InputError, match=r"same features in two splits: visual .*#0 in train \(c0\) and"
            ):
                audit(made, hashes=hashes)
        else:
            assert audit(made, hashes=hashes).clips == {"train": 2, "val": 1, "test": 1}

    @pytest.mark.parametrize(("value", "leaks"), [(0.0, False), (np.nan, False), (1.0, True)])
    def test_zeros_that_clips_share_are_no_leak(self, tmp_path: Path, value: float, leaks: bool) -> None:
        """They are how clips without a modality are often written, and to training these clips have none."""
        np.save(tmp_path / "shared.npy", np.full((4, 3), value))
        np.save(tmp_path / "own.npy", np.eye(4))
        features = [{"visual": f"own.npy#{i}", "audio": "shared.npy"} for i in range(4)]
        clips = tuple(
            clip(f"c{i}", features=features[i], split=split, label=label)
            for i, (split, label) in enumerate(OF_TWO_CLASSES)
        )
        made, hashes = Manifest(clips, tmp_path), ContentHashes(tmp_path / "hashes.json")
        if leaks:
            with pytest.raises(InputError, match="same features in two splits: audio"):
                audit(made, hashes=hashes)
        else:
            assert audit(made, hashes=hashes).clips == {"train": 2, "val": 1, "test": 1}
