"""A study: a list of runs that differ only along declared axes. Studies are Python files; this reads them."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmvideo.config import RunConfig
from mmvideo.config_diff import check_axes, differing_keys
from mmvideo.errors import InputError, unknown
from mmvideo.files import make_folder, remove_abandoned, write_whole
from mmvideo.records import STUDY, ArmRecord, Role, StudyRecord

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class Arm:
    """One thing compared: a configuration that is run once for every seed. A control is no candidate."""

    name: str
    config: RunConfig
    role: Role = "fusion"


@dataclass(frozen=True)
class Study:
    """Arms × seeds, on declared axes.

    `axes` are configuration keys or sections, such as `("fusion", "modalities")`; arms that differ in
    anything else are refused. `limits` is what is known about the task in advance (None: nothing).

    Raises:
        InputError: a name that cannot name a folder, a name or seed given twice, or arms that differ
            off the axes.
    """

    name: str
    title: str
    arms: tuple[Arm, ...]
    axes: tuple[str, ...]
    seeds: tuple[int, ...]
    limits: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_axes(self.axes)
        names = [arm.name for arm in self.arms]
        for name in (self.name, *names):
            if not _NAME.fullmatch(name):
                raise InputError(
                    f"'{name}' cannot name a study or an arm: it names a folder too, so it starts with a "
                    "letter or digit and goes on with letters, digits, '_', '.', '+' or '-'."
                )
        for kind, values in (("arm", names), ("seed", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise InputError(f"Study '{self.name}' needs {kind}s, each once; got {list(values)}.")
        if min(self.seeds) < 0:
            raise InputError(f"Study '{self.name}': seeds are 0 or greater; got {list(self.seeds)}.")
        for a, b in itertools.combinations(self.arms, 2):
            if keys := differing_keys(a.config.deciding(), b.config.deciding(), self.axes):
                raise InputError(
                    f"Study '{self.name}': arms '{a.name}' and '{b.name}' also differ in {', '.join(keys)}, "
                    f"which no axis ({', '.join(self.axes)}) covers. Make them equal, or declare the axis."
                )

    def runs(self) -> list[RunConfig]:
        """All configurations, seed by seed, so that a first complete comparison comes early."""
        return [
            arm.config.model_copy(update={"study": self.name, "arm": arm.name, "seed": seed})
            for seed in self.seeds
            for arm in self.arms
        ]

    def write(self, root: Path, runs: Sequence[str] = ()) -> Path:
        """Write `<root>/<study>/study.json`, where a report finds arms, roles and axes; return its folder.

        `runs` names the directories that belong to the study as it is now. Others beside them, of an earlier
        configuration, stay and are left out of reports.
        """
        folder = Path(root) / self.name
        make_folder(folder)
        remove_abandoned(folder)
        record = StudyRecord(
            name=self.name,
            title=self.title,
            axes=self.axes,
            arms=tuple(ArmRecord(name=arm.name, role=arm.role) for arm in self.arms),
            seeds=self.seeds,
            runs=tuple(runs),
            limits=None if self.limits is None else dict(self.limits),
        )
        write_whole(folder / STUDY, record.text())
        return folder


def load_function(spec: str, default: str) -> Callable[..., Any]:
    """The function that "path/to/file.py:function" names; `default` where only the file is given.

    The file runs by path, with its folder importable, as `python path/to/file.py` would run it.

    Raises:
        InputError: there is no such file, or no such function in it.
    """
    location, _, name = spec.partition(":")
    path = Path(location)
    if path.suffix != ".py" or not path.is_file():
        raise InputError(
            f"'{spec}': there is no Python file '{location}'. Give it as path/to/file.py:function."
        )
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_spec = importlib.util.spec_from_file_location(f"_by_path_{path.stem}", path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # dataclasses look their own module up
    module_spec.loader.exec_module(module)
    function = getattr(module, name or default, None)
    if not callable(function):
        own = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module.__name__
        ]
        raise unknown(f"function of {location}", name or default, own)
    return function


def load_study(spec: str, call: Callable[[Callable[..., Any]], Any] = lambda function: function()) -> Study:
    """The study that the function named by `spec` returns; `study` if only a file is given.

    Args:
        call: how to call the function, for a caller that has arguments for it, such as a command line.

    Raises:
        InputError: no such file or function, or it does not return a Study.
    """
    study = call(load_function(spec, "study"))
    if not isinstance(study, Study):
        raise InputError(
            f"'{spec}' must return an mmvideo.studies.study.Study; it returned {type(study).__name__}."
        )
    return study
