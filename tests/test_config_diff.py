"""Which keys keep two runs out of one comparison."""

from __future__ import annotations

import pytest

from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig, RuntimeConfig, TrainConfig
from mmvideo.config_diff import check_axes, differing_keys, flatten
from mmvideo.errors import InputError


def test_flatten_joins_keys_with_dots() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": 3}) == {"a.b": 1, "a.c.d": [2], "e": 3}


def test_seed_runtime_and_names_never_count() -> None:
    a = RunConfig(seed=0, arm="a")
    b = RunConfig(seed=1, arm="b", runtime=RuntimeConfig(threads=2))
    assert differing_keys(a.deciding(), b.deciding(), ()) == []


def test_an_axis_covers_its_section_and_nothing_else() -> None:
    a = RunConfig(fusion=FusionChoice.of("early"))
    b = RunConfig(fusion=FusionChoice.of("late", dropout=0.3), train=TrainConfig(epochs=3), width=32)
    assert differing_keys(a.deciding(), b.deciding(), ("fusion",)) == ["train.epochs", "width"]
    left = differing_keys(a.deciding(), b.deciding(), ("fusion.name", "train.epochs", "width"))
    assert "fusion.options.dropout" in left
    assert all(key.startswith("fusion.options.") for key in left)


def test_modalities_cover_inputs_that_drop_out_but_not_those_that_differ() -> None:
    given = {"visual": Input.of("visual"), "text": Input.of("text"), "flow": Input.of("features")}
    both = RunConfig(inputs=given, modalities=("visual", "text", "flow"))
    alone = RunConfig(inputs=given, modalities=("visual",))
    assert differing_keys(both.deciding(), alone.deciding(), ("modalities",)) == []
    told = differing_keys(both.deciding(), alone.deciding(), ())
    assert {"inputs.text.encoder.options.layers", "inputs.flow.kind", "modalities"} <= set(told)
    other = given | {"text": Input.of("text", EncoderChoice.of("transformer", layers=3))}
    deeper = RunConfig(inputs=other, modalities=("text",))
    assert differing_keys(both.deciding(), deeper.deciding(), ("modalities",)) == [
        "inputs.text.encoder.options.layers"
    ]


def test_a_prefix_of_a_name_is_no_section() -> None:
    a, b = RunConfig(train=TrainConfig(epochs=3)), RunConfig()
    assert differing_keys(a.deciding(), b.deciding(), ("train.epoch",)) == ["train.epochs"]


def test_an_unknown_axis_answers_with_the_nearest() -> None:
    default = RunConfig(fusion=FusionChoice.of("joint_transformer")).model_dump(mode="json")
    check_axes(("fusion", "train.learning_rate", "modalities", "fusion.options.heads"), [default])
    with pytest.raises(InputError, match=r"Unknown axis 'fusions'. Did you mean 'fusion'\?"):
        check_axes(("fusions",), [default])


def test_an_axis_may_lie_in_inputs_of_ones_own_names() -> None:
    default = RunConfig().model_dump(mode="json")
    own = RunConfig(inputs={"flow": Input.of("features")}).model_dump(mode="json")
    check_axes(("inputs.flow", "inputs.flow.encoder", "inputs.text"), [default, own])
    for axis, near in (
        ("inputs.flwo", "inputs.flow"),
        ("inputs.flow.encoder.nmae", "inputs.flow.encoder.name"),
    ):
        with pytest.raises(InputError, match=rf"Unknown axis '{axis}'. Did you mean '{near}'\?"):
            check_axes((axis,), [default, own])


def test_inputs_of_modalities_on_one_side_only_are_covered_whatever_they_are_called() -> None:
    def deciding(*names: str, width: int = 8) -> dict[str, object]:
        return {"modalities": list(names), "width": width, "inputs": {m: {"kind": "features"} for m in names}}

    assert differing_keys(deciding("flow", "width"), deciding("flow"), ("modalities",)) == []
    assert (
        differing_keys(flatten(deciding("flow", "width")), flatten(deciding("flow")), ("modalities",)) == []
    )
    assert differing_keys(deciding("flow"), deciding("width", width=9), ("modalities",)) == ["width"]
