"""How finished runs' scores fall with damage to their input, measured and kept beside their results."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from mmvideo.config import RunConfig
from mmvideo.errors import InputError, unknown
from mmvideo.evaluation.afterwards import RobustnessRecord, by_id, read_robustness, robustness_file
from mmvideo.evaluation.tasks import TASKS
from mmvideo.files import Busy, Damaged, locked, write_whole
from mmvideo.modalities.corruptions import SEVERITIES, Damage
from mmvideo.records import RunResult
from mmvideo.runs.assembly import encode_damaged
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.finished import Finished
from mmvideo.training.predict import predict

METHOD = 1
"""Raise it when a corruption would damage the same clip in another way."""
Kinds = Mapping[str, str]
"""Modality → name of its corruption; several modalities are damaged at once."""


def corruption_name(kinds: Kinds) -> str:
    """`visual.blur+audio.white_noise`."""
    return "+".join(f"{modality}.{name}" for modality, name in kinds.items())


def corruptions_of(config: RunConfig, named: Sequence[str] | None = None) -> list[Kinds]:
    """The corruptions that a run is tested by.

    Args:
        named: each `<modality>.<corruption>`, several joined by `+`, or a modality for all of its own;
            those of modalities that the run lacks are left out, since they change nothing. None: all of each
            modality, and the first of the first two at once.

    Returns:
        Each once, its modalities in the order of the run's.

    Raises:
        InputError: none, an unknown corruption or modality, or two corruptions of one modality at once.
    """
    inputs = {m: given.component.corruptions for m, given in config.inputs.items()}
    if named is None:
        first = [(m, next(iter(inputs[m]))) for m in config.modalities if inputs[m]]
        found = [{m: name} for m in config.modalities for name in inputs[m]]
        return [*found, dict(first[:2])] if len(first) > 1 else list(found)
    if not named:
        raise InputError("--kinds are corruptions such as audio.white_noise, or a modality; got none.")
    asked: list[Kinds] = []
    for text in named:
        if text in inputs:
            asked += [kinds for name in inputs[text] if (kinds := {text: name}) not in asked]
            continue
        pairs = [part.partition(".")[::2] for part in text.split("+")]
        for modality, name in pairs:
            if modality not in inputs:
                raise unknown("modality", modality, inputs)
            if name not in inputs[modality]:
                raise unknown(f"corruption of {modality}", name, inputs[modality])
        together = dict(pairs)
        if len(together) < len(pairs):
            raise InputError(
                f"--kinds {text} damages a modality twice; at once, each has one corruption, as in "
                "visual.blur+audio.white_noise."
            )
        kinds = {modality: together[modality] for modality in inputs if modality in together}
        if kinds not in asked:
            asked.append(kinds)
    return [kinds for kinds in asked if kinds.keys() <= set(config.modalities)]


class Robustness:
    """A finished run, and what is kept of its scores on damaged clips.

    Raises:
        InputError: not a finished run, or one that is not what it was made with.
    """

    def __init__(self, path: Path, seed: int = 0) -> None:
        self.path, self.seed = path, seed
        run = RunDirectory(path)
        self.result: RunResult = run.result()
        self.config = run.config

    @cached_property
    def opened(self) -> Finished:
        """The run with its model and data: only where something is missing."""
        return Finished.open(self.path)

    def measure(self, named: Sequence[str] | None, severities: Sequence[int]) -> Iterator[tuple[str, bool]]:
        """Each `corruption-severity` once it is there, and whether it was measured now. Those that another
        process is measuring come last, and are waited for: several commands at once share the work.

        Raises:
            InputError: no corruption or severity, an unknown one, or a severity that is not 1 to 5.
        """
        if not severities:
            raise InputError(f"--severities are some of {', '.join(map(str, SEVERITIES))}; got none.")
        if strange := sorted(set(severities) - set(SEVERITIES)):
            raise InputError(f"--severities are some of {', '.join(map(str, SEVERITIES))}; got {strange}.")
        elsewhere: list[tuple[Kinds, int]] = []
        for kinds in corruptions_of(self.config, named):
            for severity in dict.fromkeys(severities):
                try:
                    yield self._made(kinds, severity, busy="Another process is measuring it.")
                except Busy:
                    elsewhere.append((kinds, severity))
        for kinds, severity in elsewhere:
            yield self._made(kinds, severity)

    def _made(self, kinds: Kinds, severity: int, busy: str | None = None) -> tuple[str, bool]:
        """Raises Busy where another process is at it, and `busy` is given."""
        name = f"{corruption_name(kinds)}-{severity}"
        file = robustness_file(corruption_name(kinds), severity)
        if self._kept(file):
            return name, False
        waiting = f"Another process is measuring {name} of '{self.path}'; waiting for it."
        with locked(self.path / file, waiting, busy=busy):
            made = not self._kept(file)  # by another process, meanwhile
            if made:
                write_whole(self.path / file, self._measured(kinds, severity).text())
        return name, made

    def _kept(self, file: str) -> bool:
        try:
            record = read_robustness(self.path, file, self.result)
        except Damaged:  # or there is none; it is measured anew
            return False
        return (record.method, record.seed) == (METHOD, self.seed)

    def _measured(self, kinds: Kinds, severity: int) -> RobustnessRecord:
        began = time.monotonic()
        data, fabric = self.opened.data, self.opened.fabric
        try:
            for name, corruption in kinds.items():
                modality = data.modalities[name]
                modality.damage = Damage(corruption, modality.corruptions[corruption], severity, self.seed)
            encode_damaged(data, fabric.device)
            model = self.opened.model.to(fabric.device)
            with fabric.autocast():
                found = predict(model, data.evaluated("test"), fabric.device, data.task)
        finally:
            levels = tuple(m.damage.level for m in data.modalities.values() if m.damage is not None)
            for modality in data.modalities.values():
                modality.damage = modality.encode_now = None
        found.refuse_nan()
        return RobustnessRecord(
            run=self.result.folder,
            result=str(self.result.seal),
            task=data.task,
            seconds=round(time.monotonic() - began, 3),
            method=METHOD,
            corruption=corruption_name(kinds),
            severity=severity,
            seed=self.seed,
            levels=tuple(float(level) for level in levels),
            scores=by_id(found.ids, TASKS[data.task].clip_scores(found.outputs, found.labels)),
        )
