"""A study: a list of runs that differ only along declared axes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError

from mmvideo.config import RunConfig
from mmvideo.config_diff import check_axes, differing_keys
from mmvideo.errors import InputError
from mmvideo.files import make_folder, read_record, remove_abandoned, write_whole
from mmvideo.names import path_name
from mmvideo.studies.space import Tuning
from mmvideo.study_records import STUDY, ArmRecord, Role, StudyRecord
from mmvideo.tuning_record import TuningRecord


@dataclass(frozen=True)
class Arm:
    """One thing compared: a configuration that is run once for every seed. A control is no candidate."""

    name: str
    config: RunConfig
    role: Role = "fusion"
    factors: Mapping[str, str] = field(default_factory=dict)
    """In a study made of axes: factor → label of the level that this arm has of it; a control of those
    that change what a modality does alone."""


@dataclass(frozen=True)
class Study:
    """Arms × seeds, on declared axes.

    Raises:
        InputError: a name that cannot name a folder, a name or seed given twice, or arms that differ
            off the axes.
    """

    name: str
    title: str
    arms: tuple[Arm, ...]
    axes: tuple[str, ...]
    """Configuration keys or sections, such as `("fusion", "modalities")`. Arms that differ in anything else
    are refused."""
    seeds: tuple[int, ...]
    limits: Mapping[str, Any] | None = None
    """What is known about the task in advance; None: nothing."""
    same_size_as: str | None = None
    """The arm whose number of fusion parameters the other fusion arms are brought to; None: each as it is."""
    notes: tuple[str, ...] = ()
    """What is to be known of the study as it was carried out, such as a modality that the data lacks."""
    tuning: Tuning | None = None
    """What each arm is tuned by on validation before it is run; None: its settings are as they are."""
    tuned: TuningRecord | None = None
    """What came of that, once it is done."""
    command: str = ""
    """What makes the study again, for its record."""

    def __post_init__(self) -> None:
        self._check_types()
        every = (RunConfig(), *(arm.config for arm in self.arms))
        check_axes(self.axes, [config.model_dump(mode="json") for config in every])
        names = [arm.name for arm in self.arms]
        for name in (self.name, *names):
            path_name(name)
        for kind, values in (("arm", names), ("seed", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise InputError(f"Study '{self.name}' needs {kind}s, each once; got {list(values)}.")
        if min(self.seeds) < 0:
            raise InputError(f"Study '{self.name}': seeds are 0 or greater; got {list(self.seeds)}.")
        deciding = [(arm.name, arm.config.deciding()) for arm in self.arms]
        for (a, ours), (b, theirs) in itertools.combinations(deciding, 2):
            if keys := differing_keys(ours, theirs, self.axes):
                raise InputError(
                    f"Study '{self.name}': arms '{a}' and '{b}' also differ in {', '.join(keys)}, "
                    f"which no axis ({', '.join(self.axes)}) covers. Make them equal, or declare the axis."
                )
        try:
            StudyRecord.model_validate_json(self._record().text())
        except (PydanticSerializationError, TypeError, ValueError) as error:
            raise InputError(
                f"Study '{self.name}': its limits cannot be written down as JSON. Make them of text, "
                f"numbers, lists, and tables with text as keys; they are {repr(self.limits)[:200]}"
            ) from error

    def _check_types(self) -> None:
        """
        Raises:
            InputError: a field is of another type, as in a study that is written without a type checker.
        """
        names, numbers = (self.axes, self.notes), (self.seeds,)
        fine = {
            "name and title, text": isinstance(self.name, str) and isinstance(self.title, str),
            "arms, a tuple of Arm": _all(self.arms, Arm),
            "axes and notes, tuples of text": all(_all(values, str) for values in names),
            "seeds, a tuple of whole numbers": all(
                _all(values, int) and not any(isinstance(value, bool) for value in values)
                for values in numbers
            ),
            "tuning, a Tuning or None": self.tuning is None or isinstance(self.tuning, Tuning),
            "limits, a table or None": self.limits is None or isinstance(self.limits, Mapping),
        }
        for what, is_so in fine.items():
            if not is_so:
                raise InputError(f"Study '{self.name}' takes {what}.")

    def runs(self) -> list[RunConfig]:
        """All configurations, seed by seed, so that a first complete comparison comes early."""
        return [
            arm.config.model_copy(update={"study": self.name, "arm": arm.name, "seed": seed})
            for seed in self.seeds
            for arm in self.arms
        ]

    def write(self, root: Path, data_fingerprint: str, runs: Sequence[str] = ()) -> Path:
        """Write `<root>/<study>/study.json`, where a report finds arms, roles and axes; return its folder.

        `runs` names the directories that belong to the study as it is now. Others beside them, of an earlier
        configuration, stay and are left out of reports.

        Raises:
            InputError: `root` cannot be written to, or holds this study on other data.
        """
        self.refuse_other_data(root, data_fingerprint)
        folder = Path(root) / self.name
        make_folder(folder)
        remove_abandoned(folder)
        manifest = os.path.relpath(Path(self.manifest).resolve(), folder.resolve())
        record = self._record().model_copy(
            update={"runs": tuple(runs), "manifest": manifest, "data_fingerprint": data_fingerprint}
        )
        write_whole(folder / STUDY, record.text())
        return folder

    def _record(self) -> StudyRecord:
        return StudyRecord(
            name=self.name,
            title=self.title,
            axes=self.axes,
            arms=tuple(
                ArmRecord(name=arm.name, role=arm.role, factors=dict(arm.factors)) for arm in self.arms
            ),
            seeds=self.seeds,
            limits=None if self.limits is None else dict(self.limits),
            manifest=self.manifest,
            notes=self.notes,
            tuning=self.tuned,
            command=self.command,
        )

    @property
    def manifest(self) -> str:
        """The list of clips that the study is about."""
        return self.arms[0].config.data.manifest

    def refuse_other_data(self, root: Path, data_fingerprint: str) -> None:
        """
        Args:
            data_fingerprint: names the content of this study's data.

        Raises:
            InputError: `root` holds a study of this name on other data, whose record and report this one
                would overwrite. A manifest that was edited where it lies is the study's still, and so is one
                that was moved.
        """
        file = Path(root) / self.name / STUDY
        if not file.is_file():
            return
        there = read_record(file, StudyRecord, "Delete it; the same command writes it again.")
        known = there.data_fingerprint is not None  # records of before name the manifest as it was given
        place = (file.parent if known else Path()).joinpath(there.manifest).resolve()
        moved = known and there.data_fingerprint == data_fingerprint
        if place != Path(self.manifest).resolve() and not moved:
            raise InputError(
                f"{file.parent} holds the study '{self.name}' of {os.path.relpath(place)}; this one reads "
                f"{self.manifest}, whose content is not the same. Name it with --name, or choose another "
                "--root."
            )


def _all(values: object, kind: type) -> bool:
    return isinstance(values, tuple | list) and all(isinstance(value, kind) for value in values)
