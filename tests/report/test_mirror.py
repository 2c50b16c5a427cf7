"""What of a study's report goes to W&B: its clips only where they may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmvideo.cli import compare as command
from mmvideo.config import RunConfig, TrackingConfig
from mmvideo.report.clips import Still, hardest
from mmvideo.report.compare import compare
from mmvideo.report.load import load_study

FRAMES = "data:image/jpeg;base64,QUJD"


@pytest.mark.parametrize("media", [False, True])
def test_clips_are_uploaded_only_where_they_may(
    make_study: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: bool
) -> None:
    comparison = compare(load_study(make_study(n_clips=40)))
    first = hardest(comparison.study)["id"][0]
    monkeypatch.setattr(command, "stills_at_hand", lambda study, ids: {first: Still(FRAMES, None, "said")})
    sent: dict[str, Any] = {}

    def log_study(*given: Any, tables: Any, figures: Any, **more: Any) -> None:
        sent.update(tables=tables, page=figures["report"].read_text())

    monkeypatch.setattr(command, "log_study", log_study)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    (tmp_path / "demo").mkdir(exist_ok=True)
    (tmp_path / "demo" / "report.html").write_text(f"<img src={FRAMES}>")
    config = RunConfig(tracking=TrackingConfig(media=media))
    study: Any = SimpleNamespace(name="demo", manifest="clips.jsonl", arms=[SimpleNamespace(config=config)])
    command.mirror(comparison, study, tmp_path / "demo", tmp_path, "mmvideo ablate")
    clips = sent["tables"]["hardest"]
    if media:
        assert (clips["frames"][0], clips["words"][0], clips["frames"][1]) == (b"ABC", "said", "")
        assert FRAMES in sent["page"]
    else:
        assert "frames" not in clips
        assert FRAMES not in sent["page"]
        assert "mmvideo ablate" in sent["page"]
