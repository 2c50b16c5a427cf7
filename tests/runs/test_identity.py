"""What a number is bound to: each of these gave another number, or an old one, without a word."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_records import made_result, reseal
from planted_runs import small_inputs

from mmvideo import component_code
from mmvideo.clips.manifest import Manifest, read_manifest, write_manifest
from mmvideo.component_code import code_digest
from mmvideo.components import FusionChoice
from mmvideo.config import DataConfig, RunConfig
from mmvideo.config_diff import flatten
from mmvideo.data import opened
from mmvideo.errors import InputError
from mmvideo.fusion.late import LateFusion
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.runs.identity import bind, contents, manifest_digest, signature
from mmvideo.runs.own_code import content_digest, own_sources
from mmvideo.runs.warm_start import sources
from mmvideo.types import FusionOutput

Configure = Callable[..., RunConfig]

OWN = """
from {package}helper import factor
from mmvideo.fusion.late import LateFusion

class Mine(LateFusion):
    cost = "a half"

    def forward(self, features):
        output = super().forward(features)
        return type(output)(output.pooled * factor(), output.diagnostics)
"""


def named(config: RunConfig) -> dict[str, str]:
    return contents(config, flatten(config.deciding()))


class TestOwnComponents:
    @pytest.fixture(params=["alone", "package"])
    def own(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Path]:
        """The folder of `mine_<name>[.fusion]:Mine`, which imports `helper` beside it."""
        place = tmp_path / "code"
        inner = place if request.param == "alone" else place / "mine_package"
        inner.mkdir(parents=True)
        if request.param == "package":
            (inner / "__init__.py").write_text("")
        name = "mine_alone" if request.param == "alone" else "fusion"
        package = "" if request.param == "alone" else "mine_package."
        (inner / f"{name}.py").write_text(OWN.format(package=package))
        (inner / "helper.py").write_text("def factor():\n    return 0.5\n")
        (inner / "unused.py").write_text("x = 1\n")
        monkeypatch.syspath_prepend(place)
        yield inner
        for module in [m for m in sys.modules if m.startswith(("mine_", "helper"))]:
            del sys.modules[module]

    def config(self, own: Path) -> RunConfig:
        name = "mine_package.fusion:Mine" if own.name == "mine_package" else "mine_alone:Mine"
        return RunConfig(fusion=FusionChoice.of(name))

    def test_their_source_decides_with_all_it_imports(self, own: Path) -> None:
        before = signature(self.config(own), "data")
        (own / "unused.py").write_text("x = 2\n")
        assert signature(self.config(own), "data") == before
        (own / "helper.py").write_text("def factor():\n    return 0.7\n")
        after = signature(self.config(own), "data")
        assert after != before
        (own / "helper.py").write_text("def factor():\n    return 0.5\n")
        assert signature(self.config(own), "data") == before
        module = own / ("fusion.py" if own.name == "mine_package" else "mine_alone.py")
        module.write_text(module.read_text() + "\n# another line\n")
        assert signature(self.config(own), "data") not in (before, after)

    def test_only_ones_own_files_count(self, own: Path) -> None:
        module = self.config(own).fusion.name.partition(":")[0]
        names = {file.name for file in own_sources(importlib.import_module(module)).values()}
        packaged = own.name == "mine_package"
        expected = {"helper.py", "fusion.py", "__init__.py"} if packaged else {"helper.py", "mine_alone.py"}
        assert names == expected

    def test_a_link_to_one_counts_by_what_it_leads_to(self, own: Path, tmp_path: Path) -> None:
        folder = tmp_path / "links"
        folder.mkdir()
        (folder / "mine_linked.py").symlink_to(tmp_path / "code" / "elsewhere.py")
        (tmp_path / "code" / "elsewhere.py").write_text(
            OWN.format(package="").replace("helper", "mine_beside")
        )
        (folder / "mine_beside.py").write_text("def factor():\n    return 0.5\n")
        sys.path.insert(0, str(folder))
        try:
            config = RunConfig(fusion=FusionChoice.of("mine_linked:Mine"))
            before = signature(config, "data")
            (folder / "mine_beside.py").write_text("def factor():\n    return 0.1\n")
            between = signature(config, "data")
            target = tmp_path / "code" / "elsewhere.py"
            target.write_text(target.read_text() + "\nx = 1\n")
            assert len({before, between, signature(config, "data")}) == 3
        finally:
            sys.path.remove(str(folder))

    def test_modules_of_the_same_name_in_two_folders_both_count(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in ("mine_two", "mine_two/a", "mine_two/b"):
            (tmp_path / place).mkdir()
            (tmp_path / place / "__init__.py").write_text("")
            (tmp_path / place / "helper.py").write_text("def factor():\n    return 0.5\n")
        text = OWN.format(package="mine_two.a.") + "\nfrom mine_two.b.helper import factor as other\n"
        (tmp_path / "mine_two/fusion.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        config = RunConfig(fusion=FusionChoice.of("mine_two.fusion:Mine"))
        found = {signature(config, "data")}
        for place in ("a/helper", "b/helper", "__init__", "a/__init__"):
            with (tmp_path / "mine_two" / f"{place}.py").open("a") as file:
                file.write("y = 1\n")
            found.add(signature(config, "data"))
        for module in [m for m in sys.modules if m.startswith("mine_two")]:
            del sys.modules[module]
        assert len(found) == 5

    def test_an_edited_one_is_trained_again(self, own: Path, configure: Configure, tmp_path: Path) -> None:
        config = configure(modalities=("text",), fusion=self.config(own).fusion)
        first = execute(config, root=tmp_path)
        assert execute(config, root=tmp_path) == first
        (own / "helper.py").write_text("def factor():\n    return 0.1\n")
        for module in ("helper", "mine_package.helper", "mine_package.fusion", "mine_alone"):
            sys.modules.pop(module, None)  # as in the process of the next command
        second = execute(config, root=tmp_path)
        assert second != first
        assert RunDirectory(second).result().test["nll"] != RunDirectory(first).result().test["nll"]

    def test_one_that_is_edited_while_it_trains_gives_no_result(self, own: Path, tmp_path: Path) -> None:
        config = self.config(own)
        run = RunDirectory.create(tmp_path / "runs", config, "data")
        (own / "helper.py").write_text("def factor():\n    return 0.1\n")
        with pytest.raises(InputError, match="was changed while this run trained"):
            bind(run.path, config, Manifest((), tmp_path), "data", {})

    def test_what_cannot_be_imported_is_said(self) -> None:
        with pytest.raises(InputError, match="there is no module 'nowhere'"):
            signature(RunConfig(fusion=FusionChoice.of("nowhere:Mine")), "data")


class TestFiles:
    def test_weights_count_by_their_content_not_by_their_place(self, tmp_path: Path) -> None:
        one, other = tmp_path / "one.pt", tmp_path / "other.pt"
        one.write_bytes(b"weights")
        other.write_bytes(b"weights")

        def config(weights: object) -> RunConfig:
            return RunConfig(
                inputs=small_inputs({"visual": {"backbone": "resnet18", "weights": str(weights)}})
            )

        first, moved = config(one), config(other)
        before = signature(first, "data")
        assert signature(moved, "data") == before
        one.write_bytes(b"WEIGHTS")
        assert signature(first, "data") != before
        assert named(config("DEFAULT")) == {}

    def test_folders_that_a_models_folder_links_to_count(self, tmp_path: Path) -> None:
        model, pooling = tmp_path / "model", tmp_path / "pooling"
        for folder in (model, pooling):
            folder.mkdir()
        (model / "1_Pooling").symlink_to(pooling)
        (pooling / "back").symlink_to(model)
        found = set()
        for mode in ("mean", "cls"):
            (pooling / "config.json").write_text(mode)
            found.add(content_digest(model))
        assert len(found) == 2

    def test_every_file_of_a_text_model_counts(self, tmp_path: Path) -> None:
        for name in ("config.json", "model.safetensors"):
            (tmp_path / name).write_text(name)
        config = RunConfig(inputs=small_inputs({"text": {"model": str(tmp_path)}}))
        before = signature(config, "data")
        (tmp_path / "model.safetensors").write_text("others")
        assert signature(config, "data") != before
        assert named(config.model_copy(update={"modalities": ("audio",)})) == {}


class TestFilesThatOptionsName:
    @pytest.fixture
    def table(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A file that options of `mine_reading:Reading` name."""
        (tmp_path / "mine_reading.py").write_text(
            "from pathlib import Path\nfrom mmvideo.fusion.late import LateFusion\n\n"
            "class Reading(LateFusion):\n    class Config(LateFusion.Config):\n"
            "        path: Path | None = None\n        text: str = ''\n        both: tuple[str, ...] = ()\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "table.csv").write_text("1,2\n")
        yield tmp_path / "table.csv"
        del sys.modules["mine_reading"]

    @pytest.mark.parametrize("option", ["path", "text", "both"])
    def test_count_by_their_content(self, table: Path, option: str) -> None:
        def config(file: Path) -> RunConfig:
            value = {"path": file, "text": str(file), "both": (str(file), str(file))}[option]
            return RunConfig(fusion=FusionChoice.of("mine_reading:Reading", **{option: value}))

        moved = table.with_name("moved.csv")
        moved.write_bytes(table.read_bytes())
        before = signature(config(table), "data")
        assert signature(config(moved), "data") == before
        moved.write_text("1,3\n")
        assert signature(config(moved), "data") != before

    def test_a_mere_word_is_no_file(self, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(table.parent)
        worded = RunConfig(fusion=FusionChoice.of("mine_reading:Reading", text="table.csv"))
        assert "fusion.options.text" not in named(worded)


class TestEarlierRuns:
    def config(self, source: Path) -> RunConfig:
        return RunConfig(modalities=("text",), encoders_from=(str(source),), fusion=FusionChoice.of("late"))

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        config = RunConfig(study="s", arm="text", modalities=("text",), fusion=FusionChoice.of("single"))
        run = RunDirectory.create(tmp_path, config, "data")
        (run.path / "checkpoints" / "best.safetensors").write_bytes(b"first")
        run.write_result(made_result(run.path, config))
        return run.path

    def test_a_source_that_was_trained_again_makes_another_run(self, source: Path) -> None:
        before = signature(self.config(source), "data")
        (source / "checkpoints" / "best.safetensors").write_bytes(b"second")
        reseal(source)
        assert signature(self.config(source), "data") != before

    def test_its_name_may_go_without_its_signature(self, source: Path) -> None:
        short = source.with_name(source.name.rpartition("-")[0])
        assert signature(self.config(short), "data") == signature(self.config(source), "data")
        assert sources(self.config(short))["text"].path == source

    def test_weights_of_another_run_are_refused(self, source: Path) -> None:
        (source / "checkpoints" / "best.safetensors").write_bytes(b"another's")
        with pytest.raises(InputError, match=r"best\.safetensors is not the file that this run's result"):
            sources(self.config(source))

    def test_one_that_is_not_finished_has_no_signature(self, source: Path) -> None:
        (source / "result.json").unlink()
        with pytest.raises(InputError, match="not the folder of a finished run"):
            signature(self.config(source), "data")


class TestManifest:
    @pytest.fixture
    def own(self, planted: Path, data_config: DataConfig, tmp_path: Path) -> DataConfig:
        """The planted data under a manifest that may be edited."""
        manifest = read_manifest(planted)
        self.write(tmp_path / "manifest.jsonl", manifest)
        return data_config.model_copy(update={"manifest": str(tmp_path / "manifest.jsonl")})

    def write(self, path: Path, manifest: Manifest) -> None:
        clips = []
        for clip in manifest.clips:
            files = {field: manifest.path(clip, field) for field in ("video", "subtitles")}
            clips.append(clip.model_copy(update={k: str(v) if v else None for k, v in files.items()}))
        write_manifest(path, clips)

    def test_a_run_is_not_evaluated_on_labels_it_was_not_made_with(
        self, own: DataConfig, configure: Configure, tmp_path: Path
    ) -> None:
        path = execute(configure(text_alone=True, data=own), root=tmp_path / "runs")
        expected = evaluate_run(path)
        manifest = read_manifest(own.manifest)
        classes = manifest.classes
        clips = tuple(
            clip.model_copy(update={"label": classes[(classes.index(str(clip.label)) + 1) % 4]})
            for clip in manifest.clips
        )
        self.write(Path(own.manifest), Manifest(clips, manifest.root))
        opened._opened.cache_clear()  # as another command finds it
        with pytest.raises(InputError, match=r"manifest\.jsonl is not what the run .* made with: the clips"):
            evaluate_run(path)
        assert evaluate_run(path, manifest=own.manifest) != expected

    def test_its_digest_sees_labels_groups_and_splits_in_any_order(self, planted: Path) -> None:
        manifest = read_manifest(planted)
        first, *rest = manifest.clips
        digest = manifest_digest(manifest)
        assert manifest_digest(Manifest((*rest, first), Path())) == digest
        for change in ({"label": "class9"}, {"group": "other"}, {"split": "val"}):
            changed = Manifest((first.model_copy(update=change), *rest), manifest.root)
            assert manifest_digest(changed) != digest


def test_code_that_changed_since_is_told(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A registered component is no part of the signature, so its runs stay; but nobody takes them for new."""
    path = execute(configure(fusion=FusionChoice.of("late")), root=tmp_path)
    assert RunDirectory(path).result().changed_sources == []
    evaluate_run(path)
    assert "record says" not in capsys.readouterr().err
    monkeypatch.setattr(component_code, "code_digest", lambda target: f"edited {target}")
    monkeypatch.setattr(
        LateFusion, "forward", lambda self, features: FusionOutput(self.clips(features)[0][:, 0])
    )
    assert "late (fusion.name)" in RunDirectory(path).result().changed_sources
    evaluate_run(path)
    told = capsys.readouterr().err
    assert "the run's record says" in told
    assert "late (fusion.name)" in told


def test_only_code_counts_as_a_components_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component_code, "PACKAGE", tmp_path)

    def code(text: str) -> str:
        (tmp_path / "one.py").write_text(text)
        return code_digest("mmvideo.one:One")

    plain = code("class One:\n    x = 1\n")
    assert code('"""Told."""\n\n\nclass One:\n    """More."""\n    x = 1  # one\n') == plain
    assert code("class One:\n    x = 2\n") != plain
