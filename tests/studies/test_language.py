"""The study language: crossed, zipped, filtered and named axes, controls by themselves, runs as they were."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import pytest

from mmvideo.components import EncoderChoice, FusionChoice, ObjectiveChoice
from mmvideo.config import Input, RunConfig
from mmvideo.errors import InputError
from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, Design, Variants, cross, study_of, subsets, zipped
from mmvideo.studies.loading import load_function
from mmvideo.studies.overrides import with_fields
from mmvideo.studies.study import Study

BASE = RunConfig()
EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def made(design: Design, **more: object) -> Study:
    return study_of(BASE, design, **({"name": "demo", "title": "Demo", "seeds": (0,)} | more))


def names(study: Study, role: str = "fusion") -> list[str]:
    return [arm.name for arm in study.arms if arm.role == role]


def test_axes_are_crossed_filtered_and_named_and_arms_know_their_levels() -> None:
    design = cross(Axis("fusion", ("early", "late")), Axis("train.learning_rate", (1e-3, 1e-4)))
    study = made(design.where(lambda cell: cell["fusion"] == "late" or cell["learning_rate"] > 5e-4))
    assert names(study) == ["early-0.001", "late-0.001", "late-0.0001"]
    assert study.arms[2].factors == {"fusion": "late", "learning_rate": "0.0001"}
    assert study.arms[2].config.train.learning_rate == 1e-4
    assert study.axes == ("fusion", "train.learning_rate", "modalities")
    named = made(design.named(lambda cell: f"{cell['fusion']}.lr{cell['learning_rate']}"))
    assert names(named)[0] == "early.lr0.001"


def test_an_axis_by_itself_is_filtered_and_named() -> None:
    fusions = Axis("fusion", ("early", "late", "late_sum"))
    some = fusions.where(lambda cell: cell["fusion"] != "late")
    assert names(made(some)) == ["early", "late_sum"]
    assert names(made(some.named(lambda cell: f"f.{cell['fusion']}"))) == ["f.early", "f.late_sum"]
    renamed = fusions.named(lambda cell: cell["fusion"].upper()).where(lambda cell: cell["fusion"] == "late")
    assert names(made(renamed)) == ["LATE"]


@pytest.mark.parametrize("swapped", ["cnn_lstm", {"name": "cnn_lstm"}, EncoderChoice.of("cnn_lstm")])
def test_an_option_is_set_of_the_component_that_another_axis_chooses(swapped: object) -> None:
    encoder = Axis("inputs.visual.encoder", {"cnn": swapped})
    dropout = Axis("inputs.visual.encoder.options.dropout", (0.25, 0.5))
    for design in (cross(encoder, dropout), cross(dropout, encoder)):
        arms = made(design).arms[:2]
        found = [arm.config.inputs["visual"].encoder for arm in arms]
        assert [one.options.model_dump()["dropout"] for one in found] == [0.25, 0.5]
        assert found[0].model_copy(update={"options": EncoderChoice.of("cnn_lstm").options}) == (
            EncoderChoice.of("cnn_lstm")
        )


def test_the_bases_own_component_keeps_its_options_where_an_axis_names_it() -> None:
    """Or an arm called as the base's encoder would be another one."""
    base = with_fields(BASE, {"inputs.audio.encoder.options.channels": [4, 8]}, "base")
    design = Axis("inputs.audio.encoder", ("spectrogram_cnn", "mfcc"))
    study = study_of(base, cross(Axis("fusion", ("late",)), design), name="demo", title="Demo")
    own, other = (arm.config.inputs["audio"].encoder for arm in study.arms[:2])
    assert own == base.inputs["audio"].encoder
    assert other == EncoderChoice.of("mfcc")
    anew = with_fields(base, {"inputs.audio.encoder": {"name": "spectrogram_cnn"}}, "arm")
    assert anew.inputs["audio"].encoder == EncoderChoice.of("spectrogram_cnn"), (
        "with its options it is as given"
    )


def test_zipped_axes_are_one_factor() -> None:
    study = made(zipped(Axis("width", (8, 16)), Axis("train.epochs", (4, 2))))
    assert [(arm.config.width, arm.config.train.epochs) for arm in study.arms[:2]] == [(8, 4), (16, 2)]
    assert study.arms[0].factors == {"width+epochs": "8-4"}
    with pytest.raises(InputError, match="as many values each"):
        zipped(Axis("width", (8, 16)), Axis("train.epochs", (4,)))


def test_controls_go_along_with_what_concerns_them_alone() -> None:
    encoders = {"small": {"name": "cnn_lstm", "options": {"channels": [4, 8]}}, "plain": "cnn_lstm"}
    design = cross(
        Axis("fusion", ("early", "late")),
        Axis("inputs.visual.encoder", encoders),
        Axis("objective", ("cross_entropy", "ogm")),
    )
    study = made(design)
    assert names(study, "control") == ["visual-small", "visual-plain", "audio", "text"]
    controls = {arm.name: arm for arm in study.arms if arm.role == "control"}
    assert {arm.config.fusion.name for arm in controls.values()} == {"single"}
    assert {arm.config.objective.name for arm in controls.values()} == {"cross_entropy"}
    assert [dict(arm.factors) for arm in controls.values()] == [
        {"encoder": "small"}, {"encoder": "plain"}, {}, {},
    ]  # fmt: skip
    small = controls["visual-small"].config.inputs["visual"].encoder.options
    assert small.model_dump()["channels"] == (4, 8)
    assert len(study.arms) == 8 + 4


def test_a_variant_sets_several_fields_and_labels_become_names_of_folders() -> None:
    study = made(Variants("budget", {"4 epochs": {"train.epochs": 4, "train.patience": 4}, "none": {}}))
    assert names(study) == ["4-epochs", "none"]
    assert study.arms[0].config.train.patience == 4


def test_an_axis_of_seeds_is_that_of_the_study() -> None:
    study = made(cross(Axis("fusion", ("early", "late")), Axis("seed", (3, 5))))
    assert study.seeds == (3, 5)
    assert names(study) == ["early", "late"]
    with pytest.raises(InputError, match="is the same for all arms"):
        made(
            cross(Axis("fusion", ("early", "late")), Axis("seed", (3, 5))).where(
                lambda cell: (cell["fusion"], cell["seed"]) != ("late", 5)
            )
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: made(Axis("fusion", ())), "needs values"),
        (lambda: made(Axis("fusion", ("late", "late"))), None),
        (lambda: made(Axis("train.epoch", (1, 2))), "Did you mean 'train.epochs'"),
        (lambda: made(Axis("fusion", ("lat",))), "Did you mean 'late'"),
        (lambda: made(Axis("width", ("wide",))), "width"),
        (lambda: Axis("fusion", ({"name": "late"},)), "needs a label"),
        (lambda: Axis("width", {"a b": 8, "a-b": 16}), "a label of its own"),
        (lambda: cross(Axis("width", (8,)), Axis("width", (16,))), "have to do with width"),
        (lambda: made(Axis("width", (8,)).where(lambda cell: cell["fusion"] == "late")), "axis 'fusion'"),
        (lambda: made(Axis("width", (8, 16)).where(lambda cell: False)), "keeps none of 2 combinations"),
        (lambda: made(Axis("width", (8, 16)).named(lambda cell: cast("Any", None))), "cannot name"),
        (lambda: Axis("fusion", ("mine:Fusion", "yours:Fusion")), "would be called 'Fusion'"),
        (lambda: Axis("train.learning_rate", (0.1234567, 0.12345671)), "would be called '0.123457'"),
        (lambda: Axis("width", (16, 16.0)), "would be called '16'"),
        (lambda: Axis("fusion", "late"), "several values"),
        (lambda: Axis("width", 8), "several values"),
        (lambda: made(Axis("modalities", {"a": {"visual"}})), "arm 'a': modalities takes text"),
        (lambda: made(Axis("width", {"a": object})), "arm 'a': width takes text"),
        (
            lambda: cross(Axis("train", {"a": {"epochs": 3}}), Axis("train.epochs", (1, 2))),
            "have to do with train.epochs",
        ),
        (
            lambda: cross(Axis("train.epochs", (1, 2)), Axis("train", {"a": {"epochs": 3}})),
            "have to do with train.epochs",
        ),
        (lambda: made(Axis("width", (8,)), seeds=(True,)), "seeds, a tuple of whole numbers"),
    ],
)
def test_what_is_refused(make, message: str | None) -> None:
    if message is None:
        assert names(make()) == ["late"], "a value given twice is one"
        return
    with pytest.raises(InputError, match=message):
        make()


def test_studies_of_axes_are_the_runs_that_studies_of_arms_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arms changed field by field, as studies were written before: what was run then is finished still."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    config = study_base("planted", "/nowhere/manifest.jsonl", beside=str(EXPERIMENTS / "x.py")).config
    whole = config.modalities
    fused = [subset for n in (2, 3) for subset in combinations(whole, n)]
    fusions = ("early", "late", "late_sum", "hierarchical")
    by_subset = {
        f"{fusion}-{'+'.join(subset)}": {"fusion": FusionChoice.of(fusion), "modalities": subset}
        for fusion in fusions for subset in fused
    }  # fmt: skip
    objectives = {
        f"late-{name}": {"fusion": FusionChoice.of("late"), "objective": ObjectiveChoice.of(name)}
        for name in ("cross_entropy", "ogm")
    }
    controls = {name: {"fusion": FusionChoice.of("single"), "modalities": (name,)} for name in whole}
    given = {"base": "planted", "manifest": "/nowhere/manifest.jsonl"}
    for file, options, expected in (
        ("fusion_by_subset", {}, by_subset),
        ("fusion_strategies", {}, {name: {"fusion": FusionChoice.of(name)} for name in fusions}),
        ("imbalance", {"fusions": ("late",), "objectives": ("cross_entropy", "ogm")}, objectives),
    ):
        study = load_function(str(EXPERIMENTS / f"{file}.py"), "study")(**given, **options)
        found = {arm.name: arm.config.deciding() for arm in study.arms}
        changed = {name: config.model_copy(update=update) for name, update in (expected | controls).items()}
        assert found == {name: one.deciding() for name, one in changed.items()}


def test_a_component_of_an_encoder_may_be_a_level() -> None:
    given = Input.of("visual", EncoderChoice.of("pixels"))
    study = made(Axis("inputs.visual", {"pixels": given, "cnn": BASE.inputs["visual"]}))
    assert study.arms[0].config.inputs["visual"] == given
    assert subsets(BASE)[-1] == BASE.modalities
