"""A run that cannot be what was asked for: clips that do not decode, mistakes, and training that stops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from planted_runs import small_inputs

from mmvideo.cli import main
from mmvideo.clips.manifest import read_manifest, write_manifest
from mmvideo.components import EncoderChoice, FusionChoice, ObjectiveChoice
from mmvideo.config import DataConfig, RunConfig, RuntimeConfig, TrainConfig
from mmvideo.errors import InputError, TrainingError
from mmvideo.runs import execute as execution
from mmvideo.runs import training
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute

Configure = Callable[..., RunConfig]


class TestUndecodableClips:
    @pytest.fixture
    def damaged(self, planted: Path, data_config: DataConfig, tmp_path: Path) -> DataConfig:
        """The planted data with one test video that is no video."""
        manifest = read_manifest(planted)
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"no video at all" * 100)
        first = manifest.split("test")[0].id
        clips = []
        for clip in manifest.clips:
            subtitles = manifest.path(clip, "subtitles")
            video = broken if clip.id == first else manifest.path(clip, "video")
            files = {"video": str(video), "subtitles": str(subtitles) if subtitles else None}
            clips.append(clip.model_copy(update=files))
        write_manifest(tmp_path / "manifest.jsonl", clips)
        return data_config.model_copy(
            update={"manifest": str(tmp_path / "manifest.jsonl"), "max_failed_share": 0.1}
        )

    def test_they_are_counted_and_take_part_in_nothing(
        self, damaged: DataConfig, configure: Configure, tmp_path: Path
    ) -> None:
        path = execute(configure(text_alone=True, data=damaged), root=tmp_path / "runs")
        result = RunDirectory(path).result()
        assert list(result.failed_clips) == ["test-00000"]
        assert "broken.mp4" in result.failed_clips["test-00000"]
        assert result.counts == {"train": 48, "val": 16, "test": 15}
        lines = (path / "predictions_test.jsonl").read_text().splitlines()
        assert len(lines) == 15
        assert not any('"test-00000"' in line for line in lines)

    def test_too_many_stop_the_work(self, damaged: DataConfig, configure: Configure, tmp_path: Path) -> None:
        strict = damaged.model_copy(update={"max_failed_share": 0.0})
        with pytest.raises(InputError, match=r"1 of 80 clips .* failed to decode; at most 0.0% may"):
            execute(configure(text_alone=True, data=strict), root=tmp_path / "runs")


class TestRefused:
    """What is wrong by itself is refused when it is named; what data must show, when the run begins."""

    @pytest.mark.parametrize(("change", "message"), [
        (lambda: FusionChoice.of("hierarchal"), r"fusion 'hierarchal'. Did you mean 'hierarchical'\?"),
        (lambda: FusionChoice.of("late", droput=0.1),
         r"Unknown option of fusion 'late' 'droput'. Did you mean 'dropout'\?"),
        (lambda: FusionChoice.of("late", width=8), "Unknown option of fusion 'late' 'width'"),
        (lambda: FusionChoice.of("json:JSONDecoder"), r"not a subclass of mmvideo\.fusion\.base\.Fusion"),
        (lambda: ObjectiveChoice.of("entropy"), r"Unknown objective 'entropy'.*Known: .*cross_entropy"),
        (lambda: EncoderChoice.of("transformr"), r"encoder 'transformr'. Did you mean 'transformer'\?"),
        (lambda: small_inputs({"text": {"layer": 2}}), "Unknown option of encoder 'transformer' 'layer'"),
        (lambda: small_inputs(audio={"snr": 2.0}), "Unknown option of kind of modality 'audio' 'snr'"),
    ])  # fmt: skip
    def test_a_component_or_option_that_does_not_exist(
        self, change: Callable[[], object], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            change()

    @pytest.mark.parametrize(("changes", "message"), [
        ({"inputs": small_inputs({"text": {"frozen": True}})}, "frozen needs model"),
        ({"width": 18, "fusion": FusionChoice.of("hierarchical")}, "width 18 cannot be split over 4 heads"),
    ])  # fmt: skip
    def test_what_contradicts_itself(
        self, configure: Configure, tmp_path: Path, changes: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            execute(configure(**changes), root=tmp_path)

    def test_cuda_where_there_is_none(
        self, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
        with pytest.raises(InputError, match=r"runtime.device is 'cuda', but torch finds no GPU"):
            execute(configure(runtime=RuntimeConfig(device="cuda")), root=tmp_path)

    def test_a_manifest_that_is_not_there(
        self, data_config: DataConfig, configure: Configure, tmp_path: Path
    ) -> None:
        missing = data_config.model_copy(update={"manifest": str(tmp_path / "none.jsonl")})
        with pytest.raises(InputError, match=r"There is no manifest at .*none.jsonl"):
            execute(configure(data=missing), root=tmp_path)

    def test_evaluation_of_what_is_not_finished_or_has_other_classes(
        self, finished: Path, planted: Path, tmp_path: Path, configure: Configure, data_config: DataConfig
    ) -> None:
        unfinished = RunDirectory.create(tmp_path, configure(), "data")
        with pytest.raises(InputError, match="not finished"):
            evaluate_run(unfinished.path)
        manifest = read_manifest(planted)
        clips = [
            clip.model_copy(
                update={
                    "label": f"other {clip.label}",
                    "video": str(manifest.path(clip, "video")),
                    "subtitles": None,
                }
            )
            for clip in manifest.clips
        ]
        write_manifest(tmp_path / "other.jsonl", clips)
        with pytest.raises(
            InputError, match=r"has the classes \('other class0', .*the run at .* knows \('class0'"
        ):
            evaluate_run(finished, manifest=str(tmp_path / "other.jsonl"))

    def test_a_learning_rate_that_explodes_names_the_step(self, configure: Configure, tmp_path: Path) -> None:
        config = configure(
            text_alone=True, train=TrainConfig(epochs=3, batch_size=16, learning_rate=1e38, warmup=0)
        )
        with pytest.raises(TrainingError, match=r"The loss is .* at step \d+ \(epoch \d\)"):
            execute(config, root=tmp_path)
        [path] = (tmp_path / config.study).iterdir()
        assert not RunDirectory(path).finished

    def test_on_the_command_line_that_is_one_line(
        self, configure: Configure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = configure(text_alone=True, train=TrainConfig(batch_size=16, learning_rate=1e38, warmup=0))
        (tmp_path / "config.json").write_text(config.model_dump_json())
        with pytest.raises(SystemExit) as ended:
            main(["train", str(tmp_path / "config.json"), "--root", str(tmp_path)])
        assert ended.value.code == 1
        *notes, line = capsys.readouterr().err.splitlines()
        assert all(told.startswith("Note: ") for told in notes), notes
        assert line.startswith("mmvideo: error: The loss is ")
        assert "Lower train.learning_rate" in line


@pytest.mark.parametrize("trouble", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_a_run_that_stops_ends_its_mirror_as_failed(
    trouble: BaseException, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    tracker = SimpleNamespace(fail=lambda: calls.append("fail"), finish=lambda result: calls.append("finish"))

    def stop(*given: Any, **options: Any) -> None:
        raise trouble

    monkeypatch.setattr(execution, "open_tracker", lambda *given: tracker)
    monkeypatch.setattr(training, "fit", stop)
    config = configure(text_alone=True)
    with pytest.raises(type(trouble)):
        execute(config, root=tmp_path)
    assert calls == ["fail"]
    [path] = (tmp_path / config.study).glob("run-s0-*")
    assert not RunDirectory(path).finished
