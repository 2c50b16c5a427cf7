"""Every registered encoder keeps its contract; one that leaks padding, or hides a weight, does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from small_models import OF_FOLDERS
from torch import nn

from mmvideo.components import ENCODERS
from mmvideo.contract import inputs
from mmvideo.contract.check import encoder_case
from mmvideo.contract.encoders import CONTRACT, Case
from mmvideo.encoders.base import Encoder
from mmvideo.types import Tokens

WIDTH = 16


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("promise", CONTRACT, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("name", [name for name in ENCODERS if name not in OF_FOLDERS])
def test_contract(name: str, promise: Callable[[Case, bool], None], training: bool) -> None:
    options = ENCODERS.options(name, {"dropout": 0.0})
    promise(encoder_case(ENCODERS.resolve(name), options), training)


class Sound(Encoder):
    """Two linear maps; a subclass breaks a promise."""

    def __init__(self, levels: frozenset) -> None:
        super().__init__(Encoder.Config(clip_pool="mean"), None, WIDTH, levels)
        self.read, self.mix = nn.Linear(inputs.FEATURES, WIDTH), nn.Linear(WIDTH, WIDTH)

    def stem(self, inputs: Tokens) -> Tokens:
        return inputs.replace_values(self.read(inputs.values.masked_fill(~inputs.mask[..., None], 0.0)))

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        return stem.replace_values(torch.tanh(self.mix(self.edit(stem).values)))

    def edit(self, stem: Tokens) -> Tokens:
        return stem


class Leaky(Sound):
    """Each item is read less the mean of all, padding included."""

    def stem(self, inputs: Tokens) -> Tokens:
        return inputs.replace_values(self.read(inputs.values - inputs.values.mean(dim=1, keepdim=True)))


class LeakyConvolution(Sound):
    """A convolution in time over what a linear map with a bias made of padding."""

    def __init__(self, levels: frozenset) -> None:
        super().__init__(levels)
        self.convolution = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        mixed = self.mix(stem.values).transpose(1, 2)
        return stem.replace_values(self.convolution(mixed).transpose(1, 2))


class CentredOnTheBatch(Sound):
    """A clip is read less the mean of its batch."""

    def edit(self, stem: Tokens) -> Tokens:
        return stem.replace_values(stem.values - stem.values.mean(dim=(0, 1)))


class FactorInAList(Sound):
    def __init__(self, levels: frozenset) -> None:
        super().__init__(levels)
        self.factors = [nn.Parameter(torch.randn(WIDTH))]

    def edit(self, stem: Tokens) -> Tokens:
        return stem.replace_values(stem.values * self.factors[0])


class Unused(Sound):
    def __init__(self, levels: frozenset) -> None:
        super().__init__(levels)
        self.unused = nn.Parameter(torch.ones(WIDTH))


class NothingIsData(Sound):
    """Gives an absent clip a token of its own."""

    def stem(self, inputs: Tokens) -> Tokens:
        first = torch.arange(inputs.mask.shape[1]) == 0
        return Tokens(self.read(inputs.values), inputs.mask | first, inputs.time)


class Backwards(Sound):
    """Times count from the end."""

    def stem(self, inputs: Tokens) -> Tokens:
        last = inputs.time.amax(dim=1, keepdim=True)
        return Tokens(self.read(inputs.values), inputs.mask, last - inputs.time)


class Deaf(Sound):
    def edit(self, stem: Tokens) -> Tokens:
        return stem.replace_values(0 * stem.values + 1)


class AlwaysDropout(Sound):
    def edit(self, stem: Tokens) -> Tokens:
        return stem.replace_values(nn.functional.dropout(stem.values, 0.5))


class Narrow(Sound):
    """A trunk of another width than D."""

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        return stem.replace_values(super().trunk(stem, inputs).values.repeat(1, 1, 2))


class Normed(Sound):
    """Divides by the norm of an absent clip, which is 0."""

    def edit(self, stem: Tokens) -> Tokens:
        here = stem.replace_values(stem.values * stem.mask[..., None])
        return here.replace_values(here.values / here.values.norm(dim=(1, 2), keepdim=True))


class MasksByFloat32(Sound):
    """The lowest float32 is minus infinity in bfloat16: a row of nothing else gives NaN."""

    def edit(self, stem: Tokens) -> Tokens:
        lowest = (~stem.mask).float() * torch.finfo(torch.float32).min
        shares = torch.softmax(lowest.to(stem.values.dtype), dim=1)
        return stem.replace_values(stem.values * (1 + shares[..., None]))


DEFECTS = [
    (Leaky, "padding_changes_nothing"),
    (LeakyConvolution, "longer_padding_changes_nothing"),
    (CentredOnTheBatch, "alone_is_as_in_a_batch"),
    (FactorInAList, "every_trained_tensor_is_registered"),
    (FactorInAList, "state_survives_a_round_trip"),
    (Unused, "every_parameter_gets_gradient"),
    (NothingIsData, "masks_and_times_are_consistent"),
    (Backwards, "masks_and_times_are_consistent"),
    (Deaf, "reacts_to_its_input"),
    (AlwaysDropout, "same_twice"),
    (Narrow, "shapes_and_levels"),
    (Normed, "absent_clips_are_zeros"),
    (MasksByFloat32, "finite_in_bfloat16"),
]
PROMISES = {promise.__name__: promise for promise in CONTRACT}


@pytest.mark.parametrize(("broken", "caught_by"), DEFECTS)
def test_a_defect_fails(broken: type[Sound], caught_by: str) -> None:
    with pytest.raises(AssertionError):
        PROMISES[caught_by](Case(broken, inputs.vectors), True)
    in_gradients_only = broken in (Normed, MasksByFloat32)  # NaN stands in padding, which is set to zero
    if not in_gradients_only:
        with pytest.raises(AssertionError):
            PROMISES[caught_by](Case(broken, inputs.vectors), False)


@pytest.mark.parametrize("name", PROMISES)
def test_without_a_defect_it_passes(name: str) -> None:
    PROMISES[name](Case(Sound, inputs.vectors), True)


def test_every_promise_has_an_encoder_that_breaks_it() -> None:
    assert {caught_by for _, caught_by in DEFECTS} == set(PROMISES)
