"""What each modality contributes, of all runs that were measured (`mmvideo contribute`), as a tidy table."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from mmvideo.evaluation.afterwards import CONTRIBUTION, ContributionRecord, read_afterwards
from mmvideo.evaluation.contribution import dividends, removals, shapley
from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.statistics import interval_for_arm
from mmvideo.evaluation.tasks import TASKS, Task
from mmvideo.records import RESULT, open_run
from mmvideo.report.afterwards import contribution_of
from mmvideo.report.given import of_study
from mmvideo.report.load import PREDICTIONS, load_study, read_clips
from mmvideo.report.runs import FinishedRun, StudyRuns

COLUMNS = (
    "arm", "stand_in", "quantity", "of", "value", "low", "high", "n_seeds", "n_clips", "signs_differ",
)  # fmt: skip
ADDITIVE = "none needed"
"""The stand-in's place of rows for which there is none."""
Values = tuple[str, str, Float[ndarray, "S n"], float]


@of_study
def contribution_frame(study: StudyRuns) -> pd.DataFrame:
    """The table of the arms that were measured with all their seeds; empty where none was. An arm with a
    record that cannot be read is left out, and a `UserWarning` says which and what to do."""
    for note in [note for arm in study.arms for run in arm.runs for note in _record(run)[1]]:
        warnings.warn(note, stacklevel=2)
    return readable_contributions(study)


def readable_contributions(study: StudyRuns) -> pd.DataFrame:
    """The same without a word on what cannot be read, which a comparison's notes have."""
    measured = {}
    for arm in study.arms:
        records = [_record(run)[0] for run in arm.runs]
        if all(records):
            measured[arm.name] = [record for record in records if record is not None]
    newest = max((record.method for records in measured.values() for record in records), default=0)
    measured = {  # those of an earlier version are of other numbers, and measured anew with the next command
        arm: records
        for arm, records in measured.items()
        if all(record.method == newest for record in records)
    }
    return contribution_table(measured, study.clips.units)


def _record(run: FinishedRun) -> tuple[ContributionRecord | None, list[str]]:
    return contribution_of(run.directory, run.result)


def contribution_table(arms: Mapping[str, Sequence[ContributionRecord]], units: ndarray) -> pd.DataFrame:
    """A row for each number, with its 95 % interval over seeds and groups of clips.

    Args:
        arms: the records of each arm's seeds, in their order.
        units: what intervals are over, for each clip in the order of the ids.

    Returns:
        `quantity` is `score` (with a subset `of` the modalities), `shapley`, `removal` (of a modality) or
        `dividend` (of two modalities or more); or, with no stand-in, `emap`: the `score` of the nearest
        additive function, and the `gain` of the model over it. All are in units of the task's score, above 0
        where they make it better: of an error, less of it. `signs_differ`: another stand-in has the other
        sign.
    """
    rows = []
    for arm, records in arms.items():
        task = TASKS[records[0].task]
        for stand_in in records[0].scores:
            for quantity, of, values, size in _by_stand_in(records, stand_in, task):
                rows.append([arm, stand_in, quantity, of, *_interval(values, units, task, quantity, size)])
        for of, values in _additive(records, task):
            quantity = "score" if of == "score" else "emap"
            rows.append([arm, ADDITIVE, "emap", of, *_interval(values, units, task, quantity, 1)])
    table = pd.DataFrame(rows, columns=COLUMNS[:-1])
    signs = table.assign(sign=np.sign(table["value"]))
    differ = signs.groupby(["arm", "quantity", "of"])["sign"].transform(lambda s: {-1, 1} <= set(s))
    return table.assign(signs_differ=differ.astype(bool) & (table["quantity"] != "score"))


def _by_stand_in(records: Sequence[ContributionRecord], stand_in: str, task: Task) -> Iterator[Values]:
    """quantity, of what, values (seeds, clips), and how many times the range of a score they may reach."""
    modalities = records[0].modalities
    patterns = records[0].scores[stand_in]
    scores = {p: np.array([record.scores[stand_in][p] for record in records]) for p in patterns}
    for pattern, values in scores.items():
        yield "score", pattern, values, 1
    worth = {pattern: _sign(task) * values for pattern, values in scores.items()}
    for name, values in shapley(worth, modalities).items():
        yield "shapley", name, values, 1
    for name, values in removals(worth, modalities).items():
        yield "removal", name, values, 1
    for pattern, values in dividends(worth, modalities).items():
        if "+" in pattern:
            yield "dividend", pattern, values, 2.0 ** pattern.count("+")


def _additive(records: Sequence[ContributionRecord], task: Task) -> Iterator[tuple[str, ndarray]]:
    whole = "+".join(records[0].modalities)
    scores = np.array([next(iter(record.scores.values()))[whole] for record in records])
    emap = np.array([record.emap for record in records])
    yield "score", emap
    yield "gain", _sign(task) * (scores - emap)


def _sign(task: Task) -> int:
    return 1 if task.higher_is_better else -1


def _interval(
    values: Float[ndarray, "S n"], units: ndarray, task: Task, quantity: str, size: float
) -> tuple[float, float, float, int, int]:
    width = size * (task.range[1] - task.range[0])
    limits = task.range if quantity == "score" else (-width, width)
    found = interval_for_arm(values, units, limits=limits)
    return found.mean, found.low, found.high, found.n_seeds, found.n_clips


def sign_notes(table: pd.DataFrame) -> list[str]:
    """Where the stand-ins disagree in sign: a line each where both intervals leave out 0, and one for the
    rest of an arm's."""
    notes: list[str] = []
    doubtful: dict[str, list[str]] = {}
    differing = table[table["signs_differ"]].groupby(["arm", "quantity", "of"], sort=False)
    for (arm, quantity, of), rows in differing:
        if ((rows["low"] > 0) | (rows["high"] < 0)).all():
            signs = " and ".join(
                f"{'positive' if row['value'] > 0 else 'negative'} with '{row['stand_in']}'"
                for row in rows.to_dict("records")
            )
            notes.append(f"{arm}: the {quantity} of {of} is {signs}.")
        else:
            doubtful.setdefault(str(arm), []).append(f"{quantity} of {of}")
    notes += [
        f"{arm}: the stand-ins also differ in sign where an interval holds 0: {', '.join(found)}."
        for arm, found in doubtful.items()
    ]
    return notes


def measured_in(place: Path) -> tuple[str, pd.DataFrame, MetricDisplay]:
    """Title, table and wording of a study's folder, or of a single run's.

    Raises:
        InputError: a study that cannot be compared (see `load_study`), or a file that was changed.
    """
    if not (place / RESULT).is_file():
        study = load_study(place)
        return study.title, readable_contributions(study), study.task.display
    result = open_run(place, (PREDICTIONS,))
    record = (
        read_afterwards(place, CONTRIBUTION, ContributionRecord, result, "contribute")
        if (place / CONTRIBUTION).exists()
        else None
    )
    units = read_clips(place, result).units
    table = contribution_table({} if record is None else {result.arm: [record]}, units)
    return place.name, table, TASKS[result.task].display


def as_text(table: pd.DataFrame, display: MetricDisplay) -> str:
    """The table for a terminal: a line for each number, the stand-ins beside each other."""
    lines = []
    for row in table.to_dict("records"):
        write = display.value if row["quantity"] == "score" or row["of"] == "score" else display.change
        number = f"{write(row['value'])} [{write(row['low'])}, {write(row['high'])}]"
        lines.append({**{key: row[key] for key in ("arm", "quantity", "of", "stand_in")}, "number": number})
    found = pd.DataFrame(lines)
    order = ["arm", "quantity", "of"]
    wide = found.pivot_table(index=order, columns="stand_in", values="number", aggfunc="first", sort=False)
    return str(wide.fillna("").reset_index().to_string(index=False))
