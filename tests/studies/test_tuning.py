"""Tuning: one budget for all arms, choices by validation, and trials that fail or are there already."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig, TrainConfig
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError
from mmvideo.evaluation.budgets import choose
from mmvideo.evaluation.tasks import TASKS
from mmvideo.files import Damaged
from mmvideo.runs.trial_directory import TrialDirectory
from mmvideo.studies import tuning
from mmvideo.studies.engines.base import Attempt, attempt
from mmvideo.studies.grid import Failure, run_grid
from mmvideo.studies.space import Among, Range, Tuning, trials
from mmvideo.studies.study import Arm, Study
from mmvideo.studies.tuning import keys_of, plan_text, tunable, tune, with_setting
from mmvideo.tuning_record import TrialRow, choices

SPACE = {"train.learning_rate": Range(1e-4, 1e-2, log=True), "dropout": Range(0.0, 0.5)}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("toy")


def study_of(*names: str, **changes: object) -> Study:
    """Arms of several modalities and of one, with different fusions."""
    alone = {"modalities": ("text",), "fusion": FusionChoice.of("single")}
    arms = [
        Arm(name, RunConfig(**alone), "control") if name == "text"
        else Arm(name, RunConfig(fusion=FusionChoice.of("late")))
        for name in names
    ]  # fmt: skip
    given = {"axes": ("fusion", "modalities"), "seeds": (0,), "tuning": Tuning(3, SPACE)}
    return Study(**({"name": "toy", "title": "Toy", "arms": tuple(arms)} | given | changes))


def row(score: float | None, loss: float = 1.0) -> TrialRow:
    return TrialRow(setting={}, score=score, loss=loss, reason="diverged" if score is None else None)


def one_after_the_other(
    wanted: Sequence[tuple[RunConfig, TrialDirectory]],
    run_one: Callable[[RunConfig], bool],
    workers: int,
    engine: None,
) -> tuple[int, tuple[Failure, ...]]:
    """What `carry_out` does, without processes."""
    ended = {
        config.label: attempt(Attempt(config.label, run_one, config.model_dump_json(), run))
        for config, run in wanted
        if not run.finished
    }
    failed = [Failure(label, end.reason, None) for label, end in ended.items() if end.state == "failed"]
    return len(ended) - len(failed), tuple(failed)


class TestChoice:
    @pytest.mark.parametrize(
        ("rows", "task", "select", "best"),
        [
            ([row(0.5), row(0.7), row(0.6)], "single_label", "score", 1),
            ([row(0.7, 0.9), row(0.7, 0.8), row(0.7, 0.8)], "single_label", "last", 1),
            ([row(0.9, 0.9), row(0.7, 0.8)], "single_label", "loss", 1),
            ([row(0.9), row(0.7)], "regression", "score", 1),
            ([row(None), row(0.1)], "single_label", "score", 1),
            ([row(None), row(None)], "single_label", "score", None),
        ],
        ids=["best score", "ties: the loss, then the earlier", "loss", "errors", "failed", "all failed"],
    )
    def test_it_is_the_best_on_validation(
        self, rows: list[TrialRow], task: str, select: str, best: int | None
    ) -> None:
        assert choose(rows, TASKS[task], select) == best


class TestSpace:
    def test_an_option_is_set_wherever_a_component_that_is_read_has_it(self) -> None:
        config = RunConfig(modalities=("visual", "audio"), fusion=FusionChoice.of("late"))
        keys = ["inputs.visual.encoder.options.dropout", "inputs.audio.encoder.options.dropout"]
        assert keys_of(config, "dropout") == [*keys, "fusion.options.dropout"]
        changed = with_setting(config, {"dropout": 0.4, "width": 8})
        flat = flatten(changed.model_dump(mode="json"))
        assert {flat[key] for key in keys_of(config, "dropout")} == {0.4}
        assert changed.width == 8
        assert changed.inputs["text"] == config.inputs["text"]

    def test_what_arms_differ_in_is_not_tuned(self) -> None:
        arms = [Arm(f"r{rate}", RunConfig(train=TrainConfig(learning_rate=rate))) for rate in (1e-3, 1e-2)]
        study = tunable(study_of(arms=tuple(arms), axes=("train.learning_rate",)))
        assert study.tuning is not None
        assert list(study.tuning.space) == ["dropout"]
        assert study.notes == ("Not tuned: train.learning_rate (arms differ in it).",)
        assert plan_text(study)[-1].strip() == study.notes[0], (
            "told before the trials, not only in the report"
        )

    def test_what_is_set_is_not_tuned(self) -> None:
        study = tunable(study_of("late"), ["train.learning_rate"])
        assert study.notes == ("Not tuned: train.learning_rate (it is set).",)
        with pytest.raises(InputError, match="Nothing of 'toy' can be tuned"):
            tunable(study, ["fusion.options.dropout"])

    def test_strategies_of_one_size_keep_what_decides_it(self) -> None:
        wide = Tuning(2, SPACE | {"width": Among((8, 16)), "layers": Among((1, 2))})
        arms = (*study_of("late").arms, Arm("joint", RunConfig(fusion=FusionChoice.of("joint_transformer"))))
        sized = tunable(study_of(arms=arms, tuning=wide, same_size_as="late"))
        assert sized.tuning is not None
        assert list(sized.tuning.space) == list(SPACE)

    @pytest.mark.parametrize("name", ["seed", "arm", "data.manifest", "data.frame_rate", "runtime.device"])
    def test_what_is_no_way_to_train_is_refused(self, name: str) -> None:
        with pytest.raises(InputError, match=f"'{name}' is not tuned"):
            tunable(study_of("late", tuning=Tuning(2, {name: Among((1, 2))})))

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("dropout", Range(0.0, 2.0)),
            ("train.learning_rate", Among((1e-3, "fast"))),
            ("width", Range(64, 80, whole=False)),
            ("train.epochs", Range(0, 8, whole=True)),
        ],
    )
    def test_values_that_no_arm_can_have_are_refused(self, name: str, values: Range | Among) -> None:
        with pytest.raises(InputError, match=f"'{name}' cannot be tuned over .*: no arm can have"):
            tunable(study_of("late", "text", tuning=Tuning(3, {name: values})))

    @pytest.mark.parametrize(
        ("name", "values", "what"),
        [
            ("frame_size", Among((64, 96)), "frame_size 96 in place of 64"),
            ("inputs.visual.options.frame_codec", Among(("raw", "jpeg")), "frame_codec jpeg"),
            ("sample_rate", Range(8000, 16000, whole=True), "sample_rate 8000 in place of 16000"),
        ],
    )
    def test_what_clips_are_decoded_by_is_refused(self, name: str, values: Range | Among, what: str) -> None:
        """Such trials were trained, and then not found."""
        with pytest.raises(InputError, match=f"'{name}' is not tuned: .*decoded in another way .*{what}"):
            tunable(study_of("late", "text", tuning=Tuning(3, {name: values})))

    def test_what_encoders_make_of_the_same_clips_is_tuned(self) -> None:
        space = {
            "picture_size": Among((32, 48)),
            "mel_bins": Among((40, 64)),
            "hop_seconds": Among((0.01, 0.02)),
        }
        study = study_of("late", "text", tuning=Tuning(3, space))
        assert tunable(study) == study

    def test_a_name_that_no_arm_has_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"field to tune 'train.rate'.*train\."):
            tunable(study_of("late", tuning=Tuning(2, {"train.rate": Among((1,))})))


class TestTrials:
    """With a stand-in for training whose validation score is greatest at a learning rate of its own."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path / "runs"

    @pytest.fixture(autouse=True)
    def in_this_process(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Starting processes takes seconds; the test of failures does it."""
        if "failed_trial_is_a_row" not in request.node.name:
            monkeypatch.setattr(tuning, "carry_out", one_after_the_other)

    def tuned(self, toy: ModuleType, root: Path, study: Study) -> tuple[Study, dict[str, str]]:
        given = {"root": root, "data_fingerprint": toy.DATA, "workers": 1}
        return tune(study, partial(toy.trial, root=root / study.name), **given)

    def test_every_arm_gets_the_same_and_goes_on_with_its_best(self, toy: ModuleType, root: Path) -> None:
        study = study_of("late", "text")
        after, failed = self.tuned(toy, root, study)
        assert failed == {}
        assert after.tuned is not None
        settings = trials(SPACE, 3)
        for arm in after.tuned.arms:
            assert [trial.setting for trial in arm.trials] == settings
        scores = [toy.score(with_setting(study.arms[0].config, setting)) for setting in settings]
        best = scores.index(max(scores))
        assert [arm.chosen for arm in after.tuned.arms] == [best, best]
        assert after.arms[0].config == with_setting(study.arms[0].config, settings[best])
        assert len(list(root.glob("toy/trials/*/trial.json"))) == 2 * 3
        assert "train.learning_rate" in after.axes
        assert f"late: trial {best} of 3" in choices(after.tuned)[0]

    def test_a_sweep_gives_every_arm_as_many_trials_and_goes_on_from_those_on_disk(
        self, toy: ModuleType, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Interrupted in its first round of TPE, then run again; as if nothing had happened."""
        study = study_of("late", "text", tuning=Tuning(14, SPACE, sampler="tpe"))
        whole, _ = self.tuned(toy, root / "whole", study)
        rounds = 0

        def interrupted(*given: object) -> object:
            nonlocal rounds
            rounds += 1
            if rounds == 2:
                raise KeyboardInterrupt
            return one_after_the_other(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(tuning, "carry_out", interrupted)
        with pytest.raises(KeyboardInterrupt):
            self.tuned(toy, root / "parts", study)
        monkeypatch.setattr(tuning, "carry_out", one_after_the_other)
        after, _ = self.tuned(toy, root / "parts", study)
        assert after == whole
        assert after.tuned is not None
        assert [len(arm.trials) for arm in after.tuned.arms] == [14, 14]
        assert (after.tuned.sampler, after.tuned.arms[0].trials[:8]) == (
            "tpe",
            whole.tuned.arms[0].trials[:8],
        )
        marks = [mark.read_text() for mark in (root / "parts").glob("toy/trials/*/starts")]
        assert marks == ["start\n"] * 28, "each trial once"

    def test_finished_trials_are_reused_also_by_a_larger_budget(self, toy: ModuleType, root: Path) -> None:
        self.tuned(toy, root, study_of("late"))
        after, _ = self.tuned(toy, root, study_of("late", tuning=Tuning(4, SPACE)))
        marks = root.glob("toy/trials/*/starts")
        begun = Counter(mark.parent.name.split("-s")[0] for mark in marks for _ in mark.read_text().split())
        assert begun == {"late-t0": 1, "late-t1": 1, "late-t2": 1, "late-t3": 1}
        again, _ = self.tuned(toy, root, study_of("late", tuning=Tuning(4, SPACE)))
        assert again == after

    def test_a_failed_trial_is_a_row_and_the_arm_goes_on(self, toy: ModuleType, root: Path) -> None:
        after, failed = self.tuned(toy, root, study_of("fast-fails", "late"))
        assert failed == {}
        assert after.tuned is not None
        reasons = [trial.reason for trial in after.tuned.arms[0].trials]
        assert reasons.count(None) in (1, 2)
        assert "The loss is nan at step 3" in reasons
        assert f"{3 - reasons.count(None)} failed" in choices(after.tuned)[0]

    def test_an_arm_of_which_all_fail_fails_alone(self, toy: ModuleType, root: Path) -> None:
        after, failed = self.tuned(toy, root, study_of("broken", "late"))
        assert list(failed) == ["broken"]
        assert "ZeroDivisionError" in failed["broken"]
        train = partial(toy.train, root=root)
        train(after.runs()[1])
        report = run_grid(after, train, root=root, data_fingerprint=toy.DATA, workers=1, refused=failed)
        assert (report.trained, report.reused) == (0, 1)
        assert [failure.label for failure in report.failures] == ["toy/broken-s0"]
        assert "all 3 trials failed" in report.summary()

    def test_a_setting_that_no_component_takes_is_a_failed_trial(self, toy: ModuleType, root: Path) -> None:
        after, _ = self.tuned(toy, root, study_of("late", tuning=Tuning(2, {"dropout": Among((1.5,))})))
        assert after.tuned is not None
        assert "dropout" in (after.tuned.arms[0].trials[1].reason or "")
        assert after.tuned.arms[0].chosen == 0

    def test_a_trial_that_was_changed_is_refused(self, toy: ModuleType, root: Path) -> None:
        self.tuned(toy, root, study_of("late"))
        record = next(root.glob("toy/trials/late-t1-*/trial.json"))
        record.write_text(record.read_text().replace('"best_epoch": 0', '"best_epoch": 2'))
        with pytest.raises(Damaged, match="changed after it was written"):
            self.tuned(toy, root, study_of("late"))

    def test_a_trial_counts_by_the_mean_of_its_seeds(self, toy: ModuleType, root: Path) -> None:
        after, _ = self.tuned(toy, root, study_of("late", tuning=Tuning(2, SPACE, seeds=(7, 8))))
        assert after.tuned is not None
        first = after.tuned.arms[0].trials[0]
        own = toy.score(study_of("late").arms[0].config)
        assert first.score == pytest.approx(own + 0.075), "the stand-in adds a hundredth of the seed"
        assert len(list(root.glob("toy/trials/*/trial.json"))) == 4

    def test_the_plan_counts_the_trials(self) -> None:
        lines = plan_text(replace(study_of("late", "text"), tuning=Tuning(3, SPACE)))
        assert lines[0].startswith("tuned first, on validation: 2 arms × 3 trials × 1 tuning seed = 6 runs")
        assert lines[1] == "  trial 0  as the base has it"
        assert len(lines) == 1 + 3
