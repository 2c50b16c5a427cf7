"""The command line, from its help to a whole study with a stand-in for training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmvideo.cli import COMMANDS, ablate, main, prepare
from mmvideo.cli.study_options import StudyOptions, changed_study
from mmvideo.components import FusionChoice
from mmvideo.config import DataConfig, RunConfig, TrainConfig
from mmvideo.errors import InputError
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.engines.local import LocalEngine
from mmvideo.studies.grid import Failure, GridReport
from mmvideo.studies.study import Arm, Study

BASE_FILE = """
from mmvideo.config import RunConfig, TrainConfig

def base() -> RunConfig:
    return RunConfig(width=48, train=TrainConfig(epochs=7))

def wrong() -> RunConfig:
    return RunConfig(width=-1)

def none() -> None:
    pass
"""

STUDY_FILE = '''
from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.studies.study import Arm, Study

def study(width: int = 32, broken: bool = False) -> Study:
    """Two arms.

    Args:
        width: the width of both.
        broken: let one arm fail.
    """
    names = ("late", "broken" if broken else "early")
    arms = [Arm(name, RunConfig(width=width, fusion=FusionChoice.of(name))) for name in names]
    return Study("demo", "Late or early?", tuple(arms), ("fusion",), (0, 1))
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "bases.py").write_text(BASE_FILE)
    (tmp_path / "fusions.py").write_text(STUDY_FILE)
    manifest = tmp_path / DataConfig().manifest
    manifest.parent.mkdir(parents=True)
    manifest.write_text("not read in a dry run")
    return tmp_path


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line a mistake is answered with."""
    assert call(*arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("mmvideo: error: ")
    assert message.count("\n") == 1
    return message


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, mmvideo.cli\n"
        "try: mmvideo.cli.main(['--help'])\n"
        "finally: print([name for name in ('torch', 'pydantic', 'pandas', 'wandb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)


def test_a_reader_that_leaves_early_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mmvideo", "--help"], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_another_broken_pipe_keeps_its_traceback(here: Path) -> None:
    (here / "crash.py").write_text("def base():\n    raise BrokenPipeError('a worker is gone')")
    done = subprocess.run(
        [sys.executable, "-m", "mmvideo", "train", "crash.py"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "BrokenPipeError: a worker is gone" in done.stderr


def test_importing_the_commands_loads_neither_torch_nor_wandb() -> None:
    modules = "mmvideo.cli.train, mmvideo.cli.ablate"
    code = f"import sys, {modules}; print({{'torch', 'wandb', 'pandas'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(command, "--help") == 0
    assert f"usage: mmvideo {command}" in capsys.readouterr().out


def test_help_of_train_explains_every_documented_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "--help") == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Short side in pixels at which frames are stored. (default: 64)" in shown
    assert "The CNN, what it is given, and how much of it is trained." in shown
    assert "--inputs.visual.encoder.options.picture-size INT" in shown
    assert "--fusion.options.aligned" in shown, "those of the default, which is hierarchical"
    assert "--train.epochs INT" in shown


def test_help_after_a_base_shows_its_defaults(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "bases.py:base", "--help") == 0
    assert "(default: 48)" in capsys.readouterr().out


def test_dry_run_prints_the_configuration_a_run_would_have(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--train.epochs", "3", "--fusion.name", "hierarchical", "--modalities", "visual", "text"]
    options = ["--fusion.options.heads", "2", "--fusion.options.no-aligned"]
    assert call("train", "bases.py", *flags, "--tracking.no-wandb", *options, "--dry-run") == 0
    config = RunConfig.model_validate_json(capsys.readouterr().out)
    assert config.width == 48
    assert config.train.epochs == 3
    assert config.fusion.name == "hierarchical"
    assert config.fusion == FusionChoice.of("hierarchical", heads=2, aligned=False)
    assert config.modalities == ("visual", "text")
    assert not config.tracking.wandb


def test_a_wrong_name_ends_a_dry_run_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "bases.py", "--fusion.name", "hierarchicl", "--dry-run") == 2
    assert "Did you mean 'hierarchical'" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["config.json", ""])
def test_an_earlier_run_is_a_base(given: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = RunConfig(study="demo", seed=4, train=TrainConfig(epochs=2))
    run = RunDirectory.create(here, config, "data")
    assert call("train", str(run.path / given), "--dry-run") == 0
    assert RunConfig.model_validate_json(capsys.readouterr().out) == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trian",), "Unknown command 'trian'. Did you mean 'train'?"),
        (
            ("train", "bases.py", "--train.epochs", "0"),
            "train.epochs: Input should be greater than 0 (got 0)",
        ),
        (
            ("train", "bases.py", "--inputs.visual.encoder.options.picture-size", "99"),
            "inputs.visual: the encoder's picture_size 99 is larger than frame_size 64",
        ),
        (
            ("train", "bases.py", "--modalities", "text", "visual"),
            "modalities must be some of ('visual', 'audio', 'text'), in this order, each once",
        ),
        (("train", "bases.py:bse"), "Unknown function of bases.py 'bse'. Did you mean 'base'?"),
        (("train", "bases.py:wrong"), "width: Input should be greater than 0"),
        (("train", "bases.py:none"), "must return an mmvideo.config.RunConfig; it returned NoneType"),
        (("train", "nowhere.py"), "There is no Python file 'nowhere.py'"),
        (("train", "nowhere.json"), "There is no configuration 'nowhere.json'"),
        (("prepare", "plantd"), "Unknown data set 'plantd'. Did you mean 'planted'?"),
        (("prepare",), "prepare needs the name of a data set"),
        (("compare",), "compare needs at least one study's folder"),
        (("contribute",), "Give the folder of at least one finished run or study"),
        (("robustness",), "Give the folder of at least one finished run or study"),
        (("contribute", "runs/none"), "There is no folder runs/none. Give that of a run, or of a study."),
        (("ablate", "fusions.py:studies"), "Did you mean 'study'?"),
        (("ablate", "fusions.py", "--", "--width", "0"), "width: Input should be greater than 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_clear_line(
    arguments: tuple[str, ...], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *arguments)


def test_a_mistake_between_fields_quotes_no_whole_section(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--inputs.visual.encoder.options.picture-size", "99"]
    assert refused(capsys, "train", "bases.py", *flags).endswith("lower the one or raise the other\n")


def test_an_unknown_flag_answers_with_the_nearest(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "bases.py", "--train.epoch", "3") == 2
    assert "--train.epochs" in capsys.readouterr().err


def test_an_error_of_ours_keeps_its_traceback(here: Path) -> None:
    (here / "crash.py").write_text("def base():\n    raise ValueError('a bug')")
    with pytest.raises(ValueError, match="a bug"):
        main(["train", "crash.py", "--dry-run"])


def test_training_that_diverges_is_one_clear_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "diverging.py").write_text(
        "from mmvideo.errors import TrainingError\n\n"
        "def base():\n    raise TrainingError('The loss is nan at step 3')"
    )
    assert call("train", "diverging.py") == 1
    assert capsys.readouterr().err == "mmvideo: error: The loss is nan at step 3\n"


def test_an_interruption_says_how_to_go_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "slow.py").write_text("def base():\n    raise KeyboardInterrupt")
    assert call("train", "slow.py") == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_recipes_run_by_path_with_their_flags(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepare, "RECIPE_FOLDERS", (Path("datasets"), here / "beside"))
    for folder, text in (("datasets", "mine"), ("beside", "theirs")):
        (here / folder / "cats").mkdir(parents=True)
        (here / folder / "cats" / "helper.py").write_text(f"NAME = '{text}'")
        (here / folder / "cats" / "prepare.py").write_text(
            "import sys, helper\nprint(helper.NAME, sys.argv[1:])"
        )
    assert call("prepare", "cats", "--source", "x") == 0
    assert capsys.readouterr().out == "mine ['--source', 'x']\n"
    sys.modules.pop("helper")
    assert "Known: cats, planted." in refused(capsys, "prepare", "dogs")


def test_recipes_are_listed_with_what_they_are(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepare, "RECIPE_FOLDERS", (Path("datasets"),))
    (here / "datasets" / "cats").mkdir(parents=True)
    (here / "datasets" / "cats" / "prepare.py").write_text('"""Cats: they purr.\n\nA lot."""\n1 / 0')
    assert call("prepare", "--help") == 0
    listed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "cats Cats: they purr." in listed
    assert any(line.startswith("planted generated") for line in listed)


def test_a_recipe_may_lie_in_any_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "prepare.py").write_text("import sys\nprint(sys.argv)")
    assert call("prepare", "./mine", "--check") == 0
    assert capsys.readouterr().out == "['mine/prepare.py', '--check']\n"


def test_dry_run_of_a_study_shows_its_plan(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("ablate", "fusions.py", "--seeds", "3", "4", "--dry-run", "--", "--width", "16") == 0
    title, heads, *arms, left, engine, decided_later = capsys.readouterr().out.splitlines()
    assert engine == "engine: local"
    assert title == "Late or early?: 2 arms × 2 seeds (3, 4) = 4 runs, 0 finished"
    assert " ".join(heads.split()) == "arm fusion.name finished of 2 a run memory measured on"
    assert [arm.split() for arm in arms] == [
        [name, f'"{name}"', "0", "unknown", "unknown"] for name in ("late", "early")
    ]
    assert left == "left: 4 runs; time and memory: unknown until the first run"
    assert "a modality that no training clip has leaves all arms" in decided_later


def test_the_chosen_engine_is_told_with_its_options(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    given = ("ablate", "fusions.py", "--engine", "slurm", "--engine.partition", "gpu", "--dry-run")
    assert call(*given, "--engine.sbatch", "exclude", "node7") == 2
    shown = capsys.readouterr()
    assert 'engine: slurm {"partition": "gpu", "sbatch": {"exclude": "node7"}}' in shown.out
    assert "pip install 'mmvideo[slurm]'" in shown.err, "and what a run would lack"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "slurn"], "Unknown engine 'slurn'. Did you mean 'slurm'? Known: local, ray, slurm."),
        (["--engine=slurm", "--engine.minutes", "0"], "options of engine 'slurm': minutes: "),
        (["--engine.address", "head"], "Unrecognized"),
    ],
    ids=["no engine", "no value", "another one's option"],
)
def test_an_engine_or_option_that_is_none_is_refused(
    arguments: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("ablate", "fusions.py", *arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--width", "16"], "(--width: of the study, behind it)"),
        (["--", "--seeds", "3"], "(--seeds: of `mmvideo ablate`, before it)"),
        (["--", "--dry-run"], "(--dry-run: of `mmvideo ablate`, before it)"),
        (["--no-such=1"], "those of the study behind it."),
    ],
)
def test_an_option_on_the_wrong_side_is_told_where_it_belongs(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert call("ablate", "fusions.py", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_study_is_named_and_changed_from_the_command_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--name", "mine", "--set", "train.epochs=40", "width=8", "--set", "data.task=regression"]
    assert call("ablate", "fusions", "--seeds", "0", *options, "--dry-run") == 0
    assert "2 arms × 1 seed (0) = 2 runs" in capsys.readouterr().out
    study = changed_study(
        StudyOptions("fusions.py", overrides=(("train.epochs=40",), ("width=8",))), "ablate", []
    )
    assert {(arm.config.train.epochs, arm.config.width) for arm in study.arms} == {(40, 8)}
    assert "Did you mean 'train.epochs'" in refused(capsys, "ablate", "fusions", "--set", "train.epoch=4")
    assert "differ in" in refused(capsys, "ablate", "fusions", "--set", "fusion.name=late")


def test_dry_run_of_a_tuned_study_counts_its_trials(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("ablate", "fusions.py", "--seeds", "0", "--tune", "3", "--set", "width=8", "--dry-run")
    assert call(*given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Late or early?: 2 arms × 1 seed (0) = 2 runs")
    at = next(n for n, line in enumerate(lines) if line.startswith("tuned first, on validation: "))
    assert lines[at].startswith("tuned first, on validation: 2 arms × 3 trials × 1 tuning seed = 6 runs")
    told = [line for line in lines[at:] if "width" in line]
    assert len(told) == 1
    assert "Not tuned: width (it is set)." in told[0]
    assert "two trials an arm or more" in refused(capsys, "ablate", "fusions.py", "--tune", "1")


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("data.manifest", "gone/manifest.jsonl"),
        ("inputs.visual.encoder.options.weights", "gone/resnet.pth"),
        ("inputs.text.encoder.options.model", "./minilm"),
    ],
)
def test_dry_run_shows_the_plan_and_then_refuses_what_is_not_there(
    here: Path, capsys: pytest.CaptureFixture[str], field: str, path: str
) -> None:
    assert call("ablate", "fusions.py", "--set", f"{field}={path}", "--dry-run") == 2
    printed = capsys.readouterr()
    assert "\nleft: " in printed.out
    assert printed.err.count(f"{field}: there is") == 1
    assert str(Path(path)) in printed.err
    hub = "inputs.text.encoder.options.model=some-one/on-the-hub"  # it may be: nobody is asked
    assert call("ablate", "fusions.py", "--set", hub, "--dry-run") == 0


def test_a_study_explains_its_own_options(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("ablate", "fusions.py", "--", "--help") == 0
    assert "the width of both. (default: 32)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "failures", [(), (Failure("demo/early-s1", "loss is NaN", Path("runs/demo/error.txt")),)]
)
def test_a_study_ends_in_a_report_and_fails_if_a_run_did(
    failures: tuple[Failure, ...],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Grid, report and dashboard are stand-ins here; each has tests of its own."""
    calls: dict[str, object] = {}

    def grid(study: Study, run_one: object, **options: object) -> GridReport:
        calls["engine"] = options.pop("engine")
        calls["grid"] = (len(study.runs()), options)
        calls["recorded"] = study.command
        return GridReport(Path("runs/demo"), reused=1, trained=3 - len(failures), failures=failures)

    def report(study_dir: Path, out: Path, command: str, *, keep: bool) -> tuple[None, bool]:
        calls["report"] = (study_dir, out, command)
        calls["keep"] = keep
        return None, True

    monkeypatch.setattr(ablate, "run_grid", grid)
    whole = ("visual", "audio", "text")
    monkeypatch.setattr(ablate, "_opened", lambda study: ("data", {arm.name: whole for arm in study.arms}))
    monkeypatch.setattr(ablate, "keep_floor", lambda *_: None)
    monkeypatch.setattr(ablate, "report", report)
    monkeypatch.setattr(ablate, "mirror", lambda *_: None)
    code = call("ablate", "fusions.py", "--workers", "2", "--root", "r", "--", "--width", "16")
    assert code == len(failures)
    options = {"root": Path("r"), "data_fingerprint": "data", "workers": 2, "refused": {}}
    assert calls["grid"] == (4, options)
    assert isinstance(calls["engine"], LocalEngine)
    command = "mmvideo ablate fusions.py --workers 2 --root r -- --width 16"
    assert calls["report"] == (Path("runs/demo"), Path("reports"), command)
    assert calls["recorded"] == command
    assert calls["keep"] is False, "something was trained"
    shown = capsys.readouterr()
    assert "total time:" in shown.out
    assert ("demo/early-s1: loss is NaN" in shown.err) == bool(failures)
    assert ("runs/demo/error.txt" in shown.err) == bool(failures)


def test_arms_on_different_data_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    configs = [RunConfig(data=DataConfig(manifest=name)) for name in ("a.jsonl", "b.jsonl")]
    arms = tuple(Arm(f"r{n}", config) for n, config in enumerate(configs))
    study = Study("lists", "Lists", arms, ("data.manifest",), (0,))

    def open_data(config: RunConfig, *, progress: bool) -> SimpleNamespace:
        return SimpleNamespace(fingerprint=config.data.manifest)

    monkeypatch.setattr("mmvideo.data.opened.open_data", open_data)
    with pytest.raises(InputError, match="read different data"):
        ablate._opened(study)


@pytest.mark.parametrize("dry", [False, True])
def test_arms_that_decode_clips_differently_are_refused_before_anything_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dry: bool
) -> None:
    """Two frame rates are two contents of the store, though a study may declare the axis. All clips were
    decoded for every arm first, and a dry run said nothing."""
    (tmp_path / "clips.jsonl").touch()
    configs = [
        RunConfig(data=DataConfig(manifest=str(tmp_path / "clips.jsonl"), frame_rate=rate))
        for rate in (4.0, 8.0)
    ]
    arms = tuple(Arm(f"r{n}", config) for n, config in enumerate(configs))
    study = Study("rates", "Rates", arms, ("data.frame_rate",), (0,))
    monkeypatch.setattr("mmvideo.data.opened.open_data", None)
    options = ablate.Ablate(study="x", dry_run=dry, root=tmp_path / "r", out=tmp_path / "o")
    with pytest.raises(InputError, match=r"differently: frame_rate \(4.0 in 'r0', 8.0 in 'r1'\)"):
        ablate.carry_out(study, options, "mmvideo ablate x")


def test_what_stands_behind_an_option_of_several_values_is_told_to_stand_first(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("ablate", "--seeds", "0", "1", "fusions.py", "--dry-run") == 2
    assert "What `mmvideo ablate` is about stands first" in capsys.readouterr().err
    assert call("robustness", "--kinds", "audio", "runs/mixed") == 2
    assert "What `mmvideo robustness` is about stands first" in capsys.readouterr().err, "it takes none too"


@pytest.mark.parametrize(
    "line",
    ["ablate fusions.py --sees 1", "encoders --foo", "dashboard --prot 80", "train --foo", "robustness"],
)
def test_where_no_option_has_several_values_nothing_of_places_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert call(*line.split()) == 2
    assert "stands first" not in capsys.readouterr().err
