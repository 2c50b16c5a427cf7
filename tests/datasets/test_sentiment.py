"""CMU-MOSI and CMU-MOSEI in MMSA's layout, and MOSI's tables of utterance features."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmvideo.clips.manifest import Clip, Manifest, read_manifest
from mmvideo.errors import InputError
from mmvideo.modalities.feature_survey import FeatureConfig, read_features
from mmvideo.recipes import prepare

SCORES = {"train": (-1.8, 0.0, 2.6, 0.4), "valid": (-3.0, 1.0), "test": (0.0, -0.2)}
WIDTHS = {"text": 8, "audio": 3, "vision": 4}
STEPS = 5
TABLE_HEADER = "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n"


def features(manifest: Manifest, clip: Clip, modality: str) -> np.ndarray:
    return read_features(manifest, clip, modality, FeatureConfig())[0]


def name(mode: str, row: int) -> tuple[str, str]:
    return f"{mode}_vid-{row // 2}", str(row)


@pytest.fixture
def source(tmp_path: Path, make_files: Any) -> Path:
    """Raw/<video>/<clip>.mp4, label.csv, and Processed/aligned_50.pkl; row r's arrays hold r + 1, twice."""
    lines = []
    content: dict[str, dict[str, Any]] = {}
    for mode, scores in SCORES.items():
        names = [name(mode, row) for row in range(len(scores))]
        make_files(tmp_path, [f"Raw/{video}/{clip}.mp4" for video, clip in names])
        for (video, clip), score in zip(names, scores, strict=True):
            lines.append(f'{video},{clip},"A GOOD, FILM",{score},,,,Positive,{mode}\n')
        content[mode] = {
            "id": [f"{video}$_${clip}" for video, clip in names],
            "raw_text": np.array(["A GOOD, FILM"] * len(names)),
            "regression_labels": np.array(scores),
            "annotations": ["Positive"] * len(names),
        }
        for kind, width in WIDTHS.items():
            values = np.zeros((len(scores), STEPS, width))
            values[:, :2] = np.arange(1, len(scores) + 1)[:, None, None]
            content[mode][kind] = values
        content[mode]["text"][:, 2:] = 9  # what a text model gives for padding
        content[mode]["text_bert"] = np.zeros((len(scores), 3, STEPS))
        content[mode]["text_bert"][:, 1, :2] = 1
    (tmp_path / "label.csv").write_text(TABLE_HEADER + "".join(lines))
    (tmp_path / "Processed").mkdir()
    (tmp_path / "Processed" / "aligned_50.pkl").write_bytes(pickle.dumps(content))
    return tmp_path


@pytest.mark.parametrize("recipe", ["cmu_mosi", "cmu_mosei"])
def test_raw_clips(load_recipe: Any, source: Path, rows: Any, recipe: str) -> None:
    mosi = load_recipe(recipe)
    outcome = prepare(mosi.RECIPE, mosi.Options(source=source, out=source / "out", check=True))
    clips = rows(outcome)
    assert len(clips) == 8
    clip = clips["train_vid-1_2"]
    assert (clip.label, clip.group, clip.split) == (2.6, "train_vid-1", "train")
    assert clip.metadata == {"transcript": "A GOOD, FILM"}
    assert not outcome.leaks
    assert "train 4 instead of" in " ".join(outcome.problems)


@pytest.mark.parametrize(("kind", "expected", "aside"), [
    ("score", [-1.8, 0.0, 2.6, 0.4], 0),
    ("seven", ["-2", "0", "3", "0"], 0),
    ("negative_or_not", ["negative", "not negative", "not negative", "not negative"], 0),
    ("negative_or_positive", ["negative", "positive", "positive"], 2),
])  # fmt: skip
def test_labels(
    load_recipe: Any, source: Path, rows: Any, kind: str, expected: list[Any], aside: int
) -> None:
    mosi = load_recipe("cmu_mosi")
    outcome = prepare(mosi.RECIPE, mosi.Options(source=source, out=source / "out", label=kind))
    assert [clip.label for clip in rows(outcome).values() if clip.split == "train"] == expected
    assert sum(map(len, outcome.set_aside.values())) == aside


@pytest.mark.parametrize("with_table", [True, False])
def test_features_of_the_pickle(load_recipe: Any, source: Path, with_table: bool) -> None:
    mosi = load_recipe("cmu_mosi")
    if not with_table:
        (source / "label.csv").unlink()
        (source / "Raw").rename(source / "Elsewhere")
    options = mosi.Options(source=source, out=source / "out", features=Path("Processed/aligned_50.pkl"))
    manifest = read_manifest(prepare(mosi.RECIPE, options).manifest)
    assert len(manifest.clips) == 8
    assert {clip.video is not None for clip in manifest.clips} == {with_table}
    for clip in manifest.clips:
        row = int(clip.id.rpartition("_")[2])
        for modality, width in {"visual": 4, "audio": 3, "text": 8}.items():
            values = features(manifest, clip, modality)
            np.testing.assert_array_equal(values, np.full((2, width), row + 1))
        assert clip.metadata == {"transcript": "A GOOD, FILM"}


def test_lengths_of_unaligned_features(load_recipe: Any, source: Path) -> None:
    """What stands behind a sequence's own length is padding, whatever it holds."""
    mosi = load_recipe("cmu_mosi")
    path = source / "Processed" / "unaligned_50.pkl"
    content = pickle.loads((source / "Processed" / "aligned_50.pkl").read_bytes())  # noqa: S301
    for part in content.values():
        part["audio"][:] = 7
        part["audio_lengths"] = [row + 1 for row in range(len(part["id"]))]
    path.write_bytes(pickle.dumps(content))
    options = mosi.Options(source=source, out=source / "out", features=path)
    manifest = read_manifest(prepare(mosi.RECIPE, options).manifest)
    assert [len(features(manifest, clip, "audio")) for clip in manifest.clips] == [1, 2, 3, 4, 1, 2, 1, 2]


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c.pop("valid"), "not in MMSA's layout: it has no train, valid and test"),
    (lambda c: c["test"].pop("vision"), "'test' lacks vision"),
    (lambda c: c["test"].update(audio=np.zeros((9, 2, 3))), r"'test/audio' has .* for 2 utterances"),
    (lambda c: c["test"].update(audio=np.ones((2, 5, 3), complex)), "up to 64 bits"),
    (lambda c: c["test"].update(audio=[["x"]] * 2), "'test/audio': what is there are not numbers"),
    (lambda c: c["test"].update(audio_lengths=[1]), r"audio_lengths' are \(1,\) for 2 utterances"),
    (lambda c: c["test"].update(regression_labels=[0.5]), "'test' has lists of different lengths"),
    (lambda c: c["test"].update(regression_labels=[0.5, None]), "the label 'None' is no sentiment"),
    (lambda c: c.update(test=3), "'test' lacks audio, id"),
    (lambda c: c["train"].update(id=["a\x07$_$b"] * 4), "control characters"),
    (lambda c: c["train"].update(id=["a"] * 4), r"calls an utterance 'a'; expected <video>\$_\$<clip>"),
])  # fmt: skip
def test_pickles_of_another_layout(load_recipe: Any, source: Path, change: Any, message: str) -> None:
    mosi = load_recipe("cmu_mosi")
    path = source / "Processed" / "aligned_50.pkl"
    content = pickle.loads(path.read_bytes())  # noqa: S301
    change(content)
    path.write_bytes(pickle.dumps(content))
    (source / "label.csv").unlink()
    with pytest.raises(InputError, match=message):
        prepare(mosi.RECIPE, mosi.Options(source=source, out=source / "out", features=path))


@pytest.mark.parametrize(("line", "message"), [
    ("v,1,TEXT,4.5,,,,Positive,train\n", r"label.csv:2: the label '4.5' is no sentiment from -3 to 3"),
    ("v,1,TEXT,x,,,,Positive,train\n", r"label.csv:2: the label 'x'"),
    ("v,1,TEXT,1.5,,,,Positive,dev\n", r"label.csv:2: mode 'dev'; expected train, valid, test"),
])  # fmt: skip
def test_rows_that_are_wrong(load_recipe: Any, source: Path, line: str, message: str) -> None:
    mosi = load_recipe("cmu_mosi")
    (source / "label.csv").write_text(TABLE_HEADER + line)
    with pytest.raises(InputError, match=message):
        prepare(mosi.RECIPE, mosi.Options(source=source, out=source / "out"))


class TestTables:
    def test_the_real_ones(self, load_recipe: Any, shared_data: Path, tmp_path: Path) -> None:
        mosi = load_recipe("cmu_mosi_features")
        source = shared_data / "cmu_mosi_features"
        outcome = prepare(mosi.RECIPE, mosi.Options(source=source, out=tmp_path, check=True))
        assert outcome.problems == []
        manifest = read_manifest(outcome.manifest)
        clip = next(c for c in manifest.clips if c.id == "zhpQhgha_KU_9")
        assert (clip.label, clip.group, clip.split) == ("negative", "zhpQhgha_KU", "train")
        for modality, width in {"visual": 100, "audio": 73, "text": 100}.items():
            assert features(manifest, clip, modality).shape == (1, width)

    def test_only_utterances_whose_features_know_no_label(
        self, load_recipe: Any, shared_data: Path, tmp_path: Path
    ) -> None:
        mosi = load_recipe("cmu_mosi_features")
        options = mosi.Options(
            source=shared_data / "cmu_mosi_features", out=tmp_path, protocol="unseen", check=True
        )
        outcome = prepare(mosi.RECIPE, options)
        assert outcome.problems == []
        assert len(outcome.clips) == 752
        assert all("_test0.csv#" in reference for c in outcome.clips for reference in c.features.values())

    @pytest.fixture
    def made_up(self, tmp_path: Path) -> Path:
        """Six train and four test utterances, as wide as the real tables; the label is the last column."""
        labels = [0, 1] * 5
        told = [f'"vid_{i // 2}_{i}","WORDS {i}","{i // 2}","{label}"\n' for i, label in enumerate(labels)]
        (tmp_path / "transcripts.csv").write_text("".join(told))
        for part, order in {"train": [2, 3, 4, 5, 8, 9], "test": [0, 1, 6, 7]}.items():
            for table, width in {"audio": 73, "video": 100, "text": 100}.items():
                lines = [",".join([f'"{row}.5"'] * width + [f'"{labels[row]}"']) for row in order]
                (tmp_path / f"{table}_{part}0.csv").write_text("\n".join(lines) + "\n")
            lines = [",".join([f'"{row}"'] + ['"0.5"'] * 100) for row in order]
            (tmp_path / f"text_{part}.csv").write_text("\n".join(lines) + "\n")
        return tmp_path

    def test_each_utterance_gets_its_row_without_the_label(self, load_recipe: Any, made_up: Path) -> None:
        mosi = load_recipe("cmu_mosi_features")
        outcome = prepare(mosi.RECIPE, mosi.Options(source=made_up, out=made_up / "out", check=True))
        manifest = read_manifest(outcome.manifest)
        for clip in manifest.clips:
            row = int(clip.id.rpartition("_")[2])
            assert clip.label == ("negative", "positive")[row % 2]
            assert clip.group == f"vid_{row // 2}"
            np.testing.assert_array_equal(features(manifest, clip, "audio"), np.full((1, 73), row + 0.5))
        assert "train 6 instead of 1,447" in " ".join(outcome.problems)

    def test_tables_in_another_order_are_refused(self, load_recipe: Any, made_up: Path) -> None:
        mosi = load_recipe("cmu_mosi_features")
        path = made_up / "video_test0.csv"
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[1], lines[0], *lines[2:]]) + "\n")
        with pytest.raises(
            InputError, match=r"video_test0.csv: 2 labels are not those of transcripts.csv, the first"
        ):
            prepare(mosi.RECIPE, mosi.Options(source=made_up, out=made_up / "out"))

    def test_a_missing_table(self, load_recipe: Any, made_up: Path) -> None:
        mosi = load_recipe("cmu_mosi_features")
        (made_up / "audio_train0.csv").unlink()
        with pytest.raises(InputError, match=r"There is no .*audio_train0.csv. The tables are"):
            prepare(mosi.RECIPE, mosi.Options(source=made_up, out=made_up / "out"))
