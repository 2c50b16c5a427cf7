"""Opening a configuration's data: what is in it, and what stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from planted_runs import small_inputs

from mmvideo.clips.manifest import Clip, read_manifest, write_manifest
from mmvideo.config import DataConfig, Input, RunConfig
from mmvideo.data.opened import open_data
from mmvideo.data.run_data import RunData, available_modalities
from mmvideo.errors import InputError
from mmvideo.modalities.text import Text
from mmvideo.store.subtitles import read_words
from mmvideo.vocabulary import MODALITIES, SPLITS

Configure = Callable[..., RunConfig]


def reading(config: RunConfig, manifest: Path, **data: object) -> RunConfig:
    """The configuration on another manifest."""
    return config.model_copy(
        update={"data": config.data.model_copy(update={"manifest": str(manifest), **data})}
    )


def test_it_knows_what_each_clip_has(configure: Configure, planted: Path) -> None:
    data = RunData.open(configure())
    manifest = read_manifest(planted)
    assert [clip.id for clip in data.clips("val")] == [clip.id for clip in manifest.split("val")]
    assert set(data.source.keys) == {clip.id for clip in manifest.clips}
    for clip in manifest.clips:
        assert "visual" in data.present(clip)
        assert ("text" in data.present(clip)) == (clip.subtitles is not None)
    assert available_modalities(configure()) == MODALITIES
    assert data.source.failed == {}


def test_a_run_that_is_not_given_a_modality_knows_which_clips_have_it(configure: Configure) -> None:
    """So that all arms of a study tell the missingness baseline the same."""
    data, alone = RunData.open(configure()), RunData.open(configure(text_alone=True))
    assert [data.present(clip) for clip in data.source.clips] == [
        alone.present(clip) for clip in alone.source.clips
    ]
    assert data.train_presence() == alone.train_presence()
    assert list(alone.modalities) == ["text"]


def test_presence_in_training_is_counted_for_each_class(configure: Configure) -> None:
    data = RunData.open(configure())
    counts = data.train_presence()
    assert list(counts) == sorted(counts)
    labels = Counter(clip.label for clip in data.clips("train"))
    for column, label in enumerate(data.classes):
        assert sum(row[column] for row in counts.values()) == labels[label]
    without_text = sum(sum(row) for pattern, row in counts.items() if "text" not in pattern)
    assert without_text == sum(clip.subtitles is None for clip in data.clips("train")) > 0


def test_it_is_opened_once(configure: Configure) -> None:
    assert open_data(configure()) is open_data(configure(seed=1, text_alone=True))


def test_what_changes_the_data_changes_its_fingerprint(
    configure: Configure, planted: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(planted)

    def fingerprint(name: str, swap: bool = False, reverse: bool = False) -> str:
        clips = []
        for clip in manifest.clips:
            subtitles = manifest.path(clip, "subtitles")
            files = {
                "video": str(manifest.path(clip, "video")),
                "subtitles": str(subtitles) if subtitles else None,
            }
            clips.append(clip.model_copy(update=files))
        if swap:
            clips[0], clips[1] = (
                a.model_copy(update={"video": b.video})
                for a, b in ((clips[0], clips[1]), (clips[1], clips[0]))
            )
        write_manifest(tmp_path / name, reversed(clips) if reverse else clips)
        return open_data(reading(configure(), tmp_path / name)).fingerprint

    original = open_data(configure()).fingerprint
    assert fingerprint("elsewhere.jsonl") == original
    assert fingerprint("reversed.jsonl", reverse=True) == original
    assert fingerprint("swapped.jsonl", swap=True) != original


def test_the_tokenizer_reads_training_clips_alone(
    configure: Configure, planted: Path, tmp_path: Path
) -> None:
    """A word that only a test clip says is unknown."""
    manifest = read_manifest(planted)
    subtitles = tmp_path / "secret.srt"
    subtitles.write_text("1\n00:00:00,000 --> 00:00:01,000\nzyzzyva xx\n")
    spoken = {manifest.split("train")[0].id: "train", manifest.split("test")[0].id: "test"}

    def knows(split: str) -> bool:
        clips = []
        for clip in manifest.clips:
            text = manifest.path(clip, "subtitles")
            path = subtitles if spoken.get(clip.id) == split else text
            files = {"video": str(manifest.path(clip, "video")), "subtitles": str(path) if path else None}
            clips.append(clip.model_copy(update=files))
        write_manifest(tmp_path / f"{split}.jsonl", clips)
        config = reading(configure(text_alone=True), tmp_path / f"{split}.jsonl")
        found = RunData.open(config).modalities["text"]
        assert isinstance(found, Text)
        ids, _ = found.tokenizer.encode(read_words(subtitles), 48)
        return 1 not in ids.tolist()  # 1 stands for what is unknown

    assert knows("train")
    assert not knows("test")


def test_what_was_learnt_is_kept_and_read_again(configure: Configure, tmp_path: Path) -> None:
    data = RunData.open(configure())
    data.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["text.json"], "visual and audio learn nothing"
    config = configure(text_alone=True, inputs=small_inputs({"text": {"vocabulary_size": 40}}))
    assert RunData.open(config).told["text"] < data.told["text"]
    assert RunData.open(config, learnt={"text": tmp_path}).told == {"text": data.told["text"]}


class TestRefused:
    def test_a_store_that_cannot_be_written(
        self, configure: Configure, planted: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "store").write_text("a file")
        with pytest.raises(InputError, match=r"Cannot write to the store '.*store' .*--data.store"):
            open_data(reading(configure(), planted, store=str(tmp_path / "store")))

    def test_a_group_in_two_splits(self, configure: Configure, planted: Path, tmp_path: Path) -> None:
        manifest = read_manifest(planted)
        clips = [
            clip.model_copy(
                update={"video": str(manifest.path(clip, "video")), "subtitles": None, "group": "one"}
            )
            if clip.id in ("train-00000", "test-00000")
            else clip.model_copy(update={"video": str(manifest.path(clip, "video")), "subtitles": None})
            for clip in manifest.clips
        ]
        write_manifest(tmp_path / "leaking.jsonl", clips)
        with pytest.raises(InputError, match=r"'?one'?.*test-00000|test-00000.*one"):
            open_data(reading(configure(), tmp_path / "leaking.jsonl"))

    def test_files_that_do_not_exist(self, configure: Configure, planted: Path, tmp_path: Path) -> None:
        write_manifest(tmp_path / "moved.jsonl", read_manifest(planted).clips)
        with pytest.raises(InputError, match="files named in the manifest do not exist"):
            open_data(reading(configure(), tmp_path / "moved.jsonl"))


def test_metadata_counts_as_text_and_warnings_of_subtitles_are_kept(tmp_path: Path) -> None:
    (tmp_path / "half.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nhello\n\n2\nlost\n")
    clips = [
        Clip(id=f"{split} {kind}", label=kind, group=f"{split} {kind}", split=split, **content)
        for split in SPLITS
        for kind, content in (
            ("told", {"metadata": {"title": "A fox"}}),
            ("said", {"subtitles": "half.srt"}),
            ("mute", {"metadata": {"note": "unread"}}),
        )
    ]
    write_manifest(tmp_path / "m.jsonl", clips)

    def opened(**options: str) -> RunData:
        data = DataConfig(manifest=str(tmp_path / "m.jsonl"), store=str(tmp_path / "store"))
        return RunData.open(RunConfig(data=data, inputs={"text": Input.of("text", **options)}))

    def present(data: RunData) -> list[tuple[str, ...]]:
        return [data.present(clip) for clip in data.clips("val")]

    plain, told = opened(), opened(template="It is {title}.")
    assert present(plain) == [(), ("text",), ()]
    assert present(told) == [("text",), ("text",), ()]
    assert set(told.source.warnings) == {f"{split} said" for split in SPLITS}
    assert told.source.warnings["val said"] == ("half.srt: line 5: text without times: 'lost'",)
    with pytest.raises(InputError, match=r"text\.options\.template: no clip has the metadata titel"):
        opened(template="{titel}")
