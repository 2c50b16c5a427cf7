"""The arms that studies share, fields set in all of them, and what is left where data lack a modality."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmvideo.components import FUSIONS
from mmvideo.config import DataConfig, RunConfig
from mmvideo.errors import InputError
from mmvideo.studies.availability import restricted
from mmvideo.studies.language import Axis, strategies, study_of, subsets
from mmvideo.studies.overrides import overridden, with_fields
from mmvideo.studies.study import Study

BASE = RunConfig(data=DataConfig(manifest="data/mine/manifest.jsonl"))
WHOLE = ("visual", "audio", "text")


def fusions(*names: str) -> Study:
    return study_of(BASE, Axis("fusion", names or ("early", "late")), name="demo", title="Demo", seeds=(0,))


def having(found: Study, *modalities: str) -> dict[str, tuple[str, ...]]:
    return {arm.name: modalities for arm in found.arms}


def test_all_stands_for_every_registered_fusion_and_a_wrong_name_is_refused() -> None:
    assert set(strategies(["all"])) == set(FUSIONS) - {"single"}
    with pytest.raises(InputError, match="Did you mean 'late'"):
        strategies(["lat"])


def test_data_with_all_modalities_leave_a_study_as_it_is() -> None:
    found = fusions()
    assert restricted(found, having(found, *WHOLE)) is found


def test_an_absent_modality_leaves_its_control_and_every_fusion() -> None:
    found = fusions()
    left = restricted(found, having(found, "visual", "text"))
    assert [(arm.name, arm.config.modalities) for arm in left.arms] == [
        ("early", ("visual", "text")),
        ("late", ("visual", "text")),
        ("visual", ("visual",)),
        ("text", ("text",)),
    ]
    (note,) = left.notes
    assert "No training clip has audio" in note
    assert note.endswith(": audio.")


def test_arms_that_become_equal_are_merged_into_the_one_that_was_so_before() -> None:
    late = with_fields(BASE, {"fusion": "late"}, "late")
    design = Axis("modalities", reversed(subsets(BASE)))
    found = study_of(late, design, name="demo", title="Demo", seeds=(0,))
    left = restricted(found, having(found, "visual", "text"))
    assert {arm.name for arm in left.arms} == {"visual", "text", "visual+text"}
    assert found.arms[0].name == "visual+audio+text", "which came first, and is gone"
    assert "visual+audio+text" in left.notes[0]


@pytest.mark.parametrize("modalities", [("text",), ()])
def test_fewer_than_two_modalities_are_refused(modalities: tuple[str, ...]) -> None:
    found = fusions()
    with pytest.raises(InputError, match=r"data/mine/manifest\.jsonl.*fusing takes two modalities"):
        restricted(found, having(found, *modalities))


def test_a_study_of_one_modality_goes_with_data_that_have_it() -> None:
    found = replace(fusions(), arms=fusions().arms[-1:])
    assert restricted(found, having(found, "text")) is found


VISUAL = "inputs.visual"


def test_a_field_is_set_in_every_arm() -> None:
    found = overridden(
        fusions(),
        ["train.epochs=40", "data.max_seconds=2", "train.precision=bf16-mixed", "fusion_width=32"],
    )
    assert {arm.config.train.epochs for arm in found.arms} == {40}
    assert {arm.config.data.max_seconds for arm in found.arms} == {2.0}
    assert [arm.config.fusion.name for arm in found.arms] == ["early", "late", *["single"] * 3]


def test_fields_that_must_fit_are_set_together() -> None:
    found = overridden(
        fusions(), [f"{VISUAL}.encoder.options.picture_size=90", f"{VISUAL}.options.frame_size=96"]
    )
    options = [arm.config.inputs["visual"].encoder.options for arm in found.arms]
    assert {option.model_dump()["picture_size"] for option in options} == {90}


def test_an_option_that_arms_share_may_be_set_though_it_lies_on_an_axis() -> None:
    found = overridden(replace(fusions(), arms=fusions("hierarchical").arms[:1]), ["fusion.options.heads=2"])
    assert found.arms[0].config.fusion.options.model_dump()["heads"] == 2


def test_what_is_given_by_modality_is_set_for_one() -> None:
    found = overridden(fusions(), ["train.modality_dropout.audio=0.3", "train.pad_to.text=8"])
    assert {tuple(arm.config.train.modality_dropout.items()) for arm in found.arms} == {(("audio", 0.3),)}
    assert {arm.config.train.pad_to["text"] for arm in found.arms} == {8}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "inputs.flow.options.rate=3",
            r"Unknown field .*Known: inputs\.audio, inputs\.text, inputs\.visual\.$",
        ),
        ("train.epoch=3", r"Unknown field 'train.epoch'. Did you mean 'train.epochs'"),
        ("train.epochs.x=3", r"Unknown field"),
        ("train.epochs=many", r"arm 'early' with --set train.epochs .*train.epochs: .*'many'"),
        ("train.epochs", "takes field=value"),
        ("seed=3", "use --seeds"),
        ("study=x", "use --name"),
        ("fusion.name=late", r'what the arms of .* differ in \("early", "late", …\)'),
        ("fusion={}", "what the arms of 'demo' differ in"),
        ('modalities=["visual", "text"]', "what the arms of 'demo' differ in"),
    ],
)
def test_what_cannot_be_set(assignment: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        overridden(fusions(), [assignment])


def test_a_study_without_assignments_is_the_same() -> None:
    found = replace(fusions(), notes=("as it was",))
    assert overridden(found, []) is found
