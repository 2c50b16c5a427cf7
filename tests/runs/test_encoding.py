"""`mmvideo encode`: a base's or study's frozen encoders over all clips, shared by processes and by runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from planted_runs import small_inputs
from tiny_pretrained import picture_folder

from mmvideo.cli import main
from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.data.run_data import RunData
from mmvideo.encoders.ahead import Ahead, Encode, encode_clips
from mmvideo.errors import InputError
from mmvideo.runs.assembly import encode_ahead
from mmvideo.runs.encoding import Cache, caches
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.encoded import EncodedClips

Configure = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def reading(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """Pictures under a tiny frozen CLIP, and sound, of which nothing is kept."""
    folder = picture_folder("clip", tmp_path_factory.mktemp("clip"))
    encoder = EncoderChoice.of("frame_model", model=str(folder))
    visual = Input.of("visual", encoder, random_crop=False, frame_size=24)
    return configure(
        modalities=("visual", "audio"),
        fusion=FusionChoice.of("late"),
        inputs={**small_inputs(), "visual": visual},
    )


def fresh(config: RunConfig) -> Cache:
    """The cache of its pictures, of which nothing is there."""
    RunData.open(config).source.kept.clear()
    found = dict(caches([config]))
    assert found["audio"] is None
    cache = found["visual"]
    assert cache is not None
    for name in cache.encoded.clip_keys:
        cache.encoded.path(name).unlink(missing_ok=True)
    return cache


def contents(encoded: EncodedClips) -> dict[str, tuple[bytes, ...]]:
    return {name: tuple(part.tobytes() for part in encoded.read(name)) for name in encoded.clip_keys}


def test_processes_share_the_clips_and_make_what_a_run_makes(reading: RunConfig) -> None:
    cache = fresh(reading)
    assert cache.fill(cache.encoded.missing(), workers=2) is None
    by_processes = contents(cache.encoded)
    fresh(reading)
    data = RunData.open(reading)
    encode_ahead(data, torch.device("cpu"))
    visual = data.modalities["visual"].encoded
    assert visual is not None
    assert by_processes == contents(visual)


def test_two_at_once_encode_each_clip_once(reading: RunConfig) -> None:
    cache, seen = fresh(reading), list[str]()
    together = threading.Barrier(2, timeout=30)

    def encode(clip: Any, stored: OpenClip) -> Any:
        seen.append(clip.id)
        if len(seen) <= 2:
            together.wait()  # each of them has one
        return cache.ahead.encode(clip, stored)

    modality = RunData.open(reading).modalities["visual"]
    ahead = Ahead(encode, cache.ahead.made_by)
    both = [threading.Thread(target=encode_clips, args=(ahead, modality, cache.source)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert sorted(seen) == sorted(cache.encoded.clip_keys)
    assert cache.encoded.missing() == []


def test_a_bad_clip_does_not_stop_the_rest(reading: RunConfig) -> None:
    cache = fresh(reading)
    bad = list(cache.encoded.clip_keys)[1]

    def failing(encode: Encode) -> Encode:
        def made(clip: Any, stored: OpenClip) -> Any:
            if clip.id == bad:
                raise InputError("it has no pictures")
            return encode(clip, stored)

        return made

    ahead = Ahead(failing(cache.ahead.encode), cache.ahead.made_by)
    modality = RunData.open(reading).modalities["visual"]
    with pytest.raises(InputError, match=rf"1 clip cannot be encoded.*{bad}: it has no pictures"):
        encode_clips(ahead, modality, cache.source)
    assert cache.encoded.missing() == [bad]


def test_the_command_goes_on_where_it_stopped_and_says_so(
    reading: RunConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = fresh(reading)
    names = list(cache.encoded.clip_keys)
    cache.fill(names[:5], workers=1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(reading.model_dump(mode="json")))

    def told() -> list[str]:
        with pytest.raises(SystemExit) as ended:
            main(["encode", str(tmp_path / "run"), "--workers", "1"])
        assert ended.value.code == 0
        return capsys.readouterr().out.splitlines()

    first, second = told(), told()
    assert first[0] == f"visual: {len(names)} clips, 5 encoded before"
    assert first[1].startswith(f"visual: {len(names) - 5} encoded, ")
    assert first[2].startswith("audio: its encoder is trained")
    assert second[0] == f"visual: {len(names)} clips, {len(names)} encoded before"
    assert len(second) == 2
