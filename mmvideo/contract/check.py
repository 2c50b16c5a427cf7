"""A component held to its contract, promise by promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmvideo.components import Choice, EncoderChoice, FusionChoice, ObjectiveChoice
from mmvideo.contract import encoders, fusions, inputs, objectives
from mmvideo.encoders.base import Encoder
from mmvideo.errors import InputError, unknown
from mmvideo.files import read_json, update_json
from mmvideo.fusion.base import Fusion
from mmvideo.importing import as_module, load
from mmvideo.objectives.base import Objective
from mmvideo.types import FeatureInput

Promise = Callable[..., None]
Draw = Callable[[int, int], Tensor]
REMEMBERED = ".checked.json"
MODALITIES = (("visual",), ("audio", "text"), ("visual", "audio", "text"))
KINDS: dict[type, type[Choice]] = {Fusion: FusionChoice, Encoder: EncoderChoice, Objective: ObjectiveChoice}


@dataclass(frozen=True)
class Outcome:
    """What became of one promise.

    Args:
        promise: what is promised.
        failure: where it was broken first, and what happened there; None: it was kept everywhere.
    """

    promise: str
    failure: str | None


@dataclass(frozen=True)
class Checked:
    """What became of a component's promises.

    Args:
        kind: fusion, encoder or objective.
        left_out: settings that the component says it is not for, with its reasons.
    """

    kind: str
    outcomes: tuple[Outcome, ...]
    left_out: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.failure is not None)

    @property
    def failures(self) -> dict[str, list[str]]:
        """What happened → the promises that it broke."""
        found: dict[str, list[str]] = {}
        for outcome in self.broken:
            found.setdefault(str(outcome.failure), []).append(outcome.promise)
        return found


@dataclass(frozen=True)
class _Setting:
    """One way of building a component, and what its promises are called with."""

    label: str
    make: Callable[[], object]
    given: tuple[Any, ...]
    alone: bool = False
    """Whether it has one modality only."""


def chosen(name: str, options: Mapping[str, Any]) -> Choice:
    """The fusion, encoder or objective of a registered name, of "package.module:Class" or of
    "folder/file.py:Class" (see `as_module`), with its options.

    Raises:
        InputError: there is no such component, or it does not take the options.
    """
    name = as_module(name)
    cls = load(name, f"component '{name}'") if ":" in name else None
    for base, kind in KINDS.items():
        if name in kind.table or (isinstance(cls, type) and issubclass(cls, base)):
            return kind.of(name, **options)
    if cls is None:
        raise unknown("component", name, [known for kind in KINDS.values() for known in kind.table])
    raise InputError(f"'{name}' is a subclass of neither Fusion nor Encoder nor Objective of mmvideo")


def check_component(choice: Choice) -> Checked:
    """Hold a component to the contract of its kind: in training with gradients, and in evaluation without.

    Fusions and objectives are tried with one, two and three modalities. Outputs of two passes in training are
    compared, so dropout has to be an `nn.Dropout`, or an option called `dropout`, which is then 0.

    Raises:
        InputError: nowhere can it be built.
    """
    kind, options = choice.table.kind, choice.options
    if "dropout" in type(options).model_fields:
        options = options.model_copy(update={"dropout": 0.0})
    settings, contract = _settings(kind, choice.component, options)
    possible, left_out = [], []
    with torch.random.fork_rng(devices=[]):
        for setting in settings:
            try:
                setting.make()
            except InputError as error:
                left_out.append(f"{setting.label}: {error}")
            except (Exception, SystemExit) as error:
                failure = f"{setting.label}: {_first_line(error)}"
                return Checked(kind, (Outcome("It can be built.", failure),))
            else:
                possible.append(setting)
        if not possible:
            raise InputError(f"{kind} '{choice.name}' cannot be tried. {'. '.join(left_out)}")
        outcomes = tuple(_try(promise, possible) for promise in contract)
    return Checked(kind, outcomes, tuple(left_out))


def check_own_component(choice: Choice, *, source: str, root: Path) -> None:
    """Hold a user's own component to its contract, once for each content of its source.

    An encoder that takes a kind of modality of the user's own is let pass: its items cannot be made up.

    Args:
        source: what stands for the content of its source.
        root: folder in which it is remembered what has passed.

    Raises:
        InputError: it breaks a promise; or as `check_component` does.
    """
    name, options = choice.name, choice.options.model_dump(mode="json")
    memory, key = root / REMEMBERED, f"{name} {dict(sorted(options.items()))} {source}"
    if key in read_json(memory):
        return
    if isinstance(choice, EncoderChoice) and choice.component.takes not in inputs.MADE_UP:
        return
    checked = check_component(choice)
    if checked.broken:
        told = "; ".join(
            f"{promises[0].rstrip('.')}{f' (and {len(promises) - 1} more)' * (len(promises) > 1)}: {failure}"
            for failure, promises in checked.failures.items()
        )
        raise InputError(
            f"{checked.kind} '{name}' breaks promises of its kind. {told}. See `mmvideo check {name}`."
        )
    root.mkdir(parents=True, exist_ok=True)
    update_json(memory, lambda known: {**known, key: "passed"})


def _settings(kind: str, cls: Any, config: Any) -> tuple[Sequence[_Setting], Sequence[Promise]]:
    if kind == "encoder":
        case = encoder_case(cls, config)
        return [_Setting("", partial(case.prepare, True), (case,))], encoders.CONTRACT
    labels = [f"with {' and '.join(modalities)}" for modalities in MODALITIES]
    settings = []
    for label, modalities in zip(labels, MODALITIES, strict=True):
        if kind == "fusion":
            make = partial(cls, config, modalities, fusions.WIDTH)
            settings.append(_Setting(label, make, (make,), len(modalities) == 1))
        else:
            make = partial(cls, config)
            ready = partial(make, objectives.setting(modalities))
            settings.append(_Setting(label, ready, (make, modalities)))
    return settings, fusions.CONTRACT if kind == "fusion" else objectives.CONTRACT


def _try(promise: Promise, settings: Sequence[_Setting]) -> Outcome:
    says = promise.__doc__ or promise.__name__
    for setting in settings:
        if setting.alone and promise in fusions.OF_SEVERAL:
            continue
        for training in (True, False):
            try:
                promise(*setting.given, training)
            except (Exception, SystemExit) as error:
                mode = "in training" if training else "in evaluation"
                where = ", ".join(part for part in (setting.label, mode) if part)
                return Outcome(says, f"{where}: {_first_line(error)}")
    return Outcome(says, None)


def _first_line(error: BaseException) -> str:
    told = str(error).strip().partition("\n")[0]
    return told if isinstance(error, AssertionError) and told else f"{type(error).__name__}: {told}"


def encoder_case(cls: Any, config: Any) -> encoders.Case:
    """An encoder on items of the kind of modality that it takes, as it needs them."""
    needs, kind = cls.needs(config), cls.takes
    statistics = ((value,) * inputs.FEATURES for value in (0.1, 1.5))
    cases: dict[str, tuple[Callable[[], Draw], Any]] = {
        "visual": (lambda: partial(inputs.frames, size=needs.framing().size), None),
        "audio": (lambda: partial(inputs.hops, hop=needs.known().hop), None),
        "text": (
            lambda: inputs.windowed_pieces if hasattr(needs, "unit") else inputs.word_pieces,
            inputs.WORD_PIECES,
        ),
        "features": (
            lambda: inputs.vectors,
            FeatureInput(inputs.FEATURES, max(encoders.LENGTHS), *statistics),
        ),
    }
    if kind not in cases:
        raise InputError(
            f"an encoder that takes '{kind}' cannot be tried: items are made up of {', '.join(cases)} only"
        )
    make, told = cases[kind]
    draw = make()
    if getattr(needs, "measure", None) is not None:
        measured = needs.measure(draw(max(encoders.LENGTHS), 0))
        of_each = (tuple(part.tolist()) for part in (measured.mean(dim=0), measured.std(dim=0) + 1e-3))
        told = FeatureInput(measured.shape[1], max(encoders.LENGTHS), *of_each)
    return encoders.Case(lambda levels: cls(config, told, fusions.WIDTH, levels), draw)
