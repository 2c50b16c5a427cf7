"""From a study's predictions to tables: every arm with its interval, every claim with its test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from mmvideo import __version__
from mmvideo.errors import InputError
from mmvideo.evaluation.statistics import compare_arms, interval_for_arm
from mmvideo.report.afterwards import unreadable
from mmvideo.report.answer import Answer, plain_answer
from mmvideo.report.comparisons import (
    AGAINST_UNIMODAL,
    bootstrap_notes,
    compare_pairs,
    fusion_ranks,
)
from mmvideo.report.conditions import best
from mmvideo.report.costs import costs_of, step_notes
from mmvideo.report.epochs import epoch_notes, epochs_of
from mmvideo.report.factors import effects
from mmvideo.report.floors import against_floor, leaders_floor, without_floor
from mmvideo.report.given import of_study
from mmvideo.report.rows import KINDS, Row, build_rows, leading, reference_of, references
from mmvideo.report.runs import StudyRuns
from mmvideo.report.tuning import tuned_columns
from mmvideo.report.variance import variance_table
from mmvideo.study_records import ComparisonRecord

OWN_REFERENCE = "its best single modality"
"""What a row is compared with where conditions have their own."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A study's result. Accuracies and differences are fractions, not percent.

    Where the task is not single-label, its primary metric stands in for accuracy in every column's name, and
    in regression a negative difference is the better one.
    """

    study: StudyRuns
    table: pd.DataFrame
    """A row per arm, then per control. `kind` is fusion, single modality, control, no training or floor;
    `n_seeds` and `seed_std` are empty where no seed changes anything;
    `low` and `high` are the 95 % interval of `accuracy`; `difference…`, `p`, `adjusted_p` and `verdict` are
    against `reference`, the best single modality under the row's conditions, and hold for all fusions
    together, while rows that are not tested have the 95 % interval of one comparison; `rank_best` to
    `rank_worst` are the ranks among the fusions that the data leave open; `permuted_accuracy` is the
    permutation control's; `complete_accuracy` is that on the `complete_clips` test clips, of
    `complete_groups` groups, that have all modalities of the arm;
    `bayes_accuracy` is the best that any model with the arm's modalities can reach, if known;
    `floor_difference…` are against the floor of the same modalities, and `floor` says where an arm
    underfits; `chosen` is what tuning chose in `trials` trials, `trial_score` what validation said of it."""
    pairs: pd.DataFrame
    """A row per paired comparison of `a` with `b`, in families. `low`, `high`, `adjusted_p` and `verdict`
    hold for the family together; `detectable` is the smallest true difference that the design finds with 80 %
    power, `half_width…` what the interval is and is expected to be, `next` what would narrow it more;
    `bootstrap…` is the pigeonhole bootstrap's, of the comparison by itself."""
    variance: pd.DataFrame
    """Standard deviations of a seed's score on a clip by what they come from, of every arm that is trained
    and of every fusion's difference to the best single modality under its conditions."""
    margin: float | None
    """Differences up to this size count as none; None: nothing is called equivalent."""
    limits: pd.DataFrame
    """Bayes accuracies and the additive bound (`what`, `accuracy`); empty where they are not known."""
    confusion: dict[str, Float[ndarray, "C C"]]
    """For each row of the table: share of each label's clips (row) predicted as each class. Empty for other
    tasks than single-label."""
    best_unimodal: str | None
    """The single-modality arm with the best validation score, of those under the leader's conditions."""
    leader: str | None
    """The fusion arm with the best validation score."""
    notes: tuple[str, ...]
    """What a reader must know beside the numbers: the study's own notes, then missing runs and rows that
    could not be computed."""
    cost_notes: tuple[str, ...]
    """Which fusions' training steps cost several times the cheapest one's, and what on."""
    failed_clips: dict[str, str]
    """Clips that could not be decoded, with the reason; they are in no split."""
    answer: Answer
    """The result in words."""

    @property
    def compared_with(self) -> str | None:
        """What differences are to: the one single modality, or each row's own. None: to nothing."""
        own = set(self.table["reference"].dropna())
        return OWN_REFERENCE if own - {self.best_unimodal} else self.best_unimodal

    def record(self) -> ComparisonRecord:
        """All of it but the confusion matrices."""
        study = self.study
        return ComparisonRecord(
            mmvideo=__version__,
            study=study.name,
            title=study.title,
            axes=study.axes,
            seeds=study.seeds,
            n_clips=len(study.clips.ids),
            n_groups=study.clips.n_groups,
            intervals_over=study.clips.over,
            task=study.task.kind,
            answer=self.answer.sentence,
            qualified_by=self.answer.lines,
            best_unimodal=self.best_unimodal,
            leader=self.leader,
            arms=_plain(self.table),
            pairs=_plain(self.pairs),
            variance=_plain(self.variance),
            margin=self.margin,
            limits=_plain(self.limits),
            factors=_plain(effects(study)),
            missing_runs=study.missing,
            notes=self.notes,
            cost_notes=self.cost_notes,
            failed_clips=self.failed_clips,
            tuning=study.tuning,
        )


def incomplete(comparison: Comparison) -> bool:
    """Whether an arm reads modalities that some test clips lack."""
    return bool((comparison.table["complete_clips"] < len(comparison.study.clips.ids)).any())


def _plain(table: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(table.to_json(orient="records")))


@of_study
def compare(study: StudyRuns, margin: float | None = None) -> Comparison:
    """Every arm and control with intervals, and every paired comparison with its adjusted p and verdict.

    Args:
        margin: differences up to this size, in the score's unit, count as none; None: the task's own.

    Raises:
        InputError: a margin that is none.
    """
    if margin is not None and not (isinstance(margin, int | float | np.floating) and 0 < margin < np.inf):
        raise InputError(
            f"a margin of equivalence is a number above 0, such as 0.01 (1 point); got {margin!r}"
        )
    margin = study.task.margin if margin is None else margin
    rows, notes = build_rows(study)
    leads, references_of = leading(study), references(study)
    leader = None if leads is None else leads.name
    reference = _reference(study, leader, references_of)
    pairs = compare_pairs(study, rows, margin)
    ranks = fusion_ranks(study, rows, pairs)
    table = pd.DataFrame([_describe(study, row) | _rank(ranks.get(row.name)) for row in rows])
    against = [(row, reference_of(study, row, references_of, leader, reference)) for row in rows]
    table = table.join(pd.DataFrame([_against(study, row, rows, name, pairs) for row, name in against]))
    table = table.join(against_floor(study, rows)).join(tuned_columns(study, rows))
    task = study.task
    table = table.sort_values(task.score, ascending=not task.higher_is_better, kind="stable")
    table = table.sort_values(
        "kind", key=lambda kinds: kinds.map(KINDS.index), kind="stable", ignore_index=True
    )
    if not any(arm.unimodal for arm in study.arms):
        notes.append("The study has no single-modality arm, so no gain over a single modality can be stated.")
    notes += bootstrap_notes(pairs)
    notes += without_floor(study)
    notes += epoch_notes(study.arms)
    notes += [
        f"{run.result.arm}, seed {run.result.seed}: {warning}."
        for arm in study.arms
        for run in arm.runs
        for warning in run.result.warnings
    ]
    notes += unreadable(study)
    if study.missing:
        notes.insert(0, _missing_note(study))
    if study.unlisted:
        notes.append(f"Ignored, since study.json does not list them: {', '.join(study.unlisted)}.")
    changed = {name for arm in study.arms for run in arm.runs for name in run.result.changed_sources}
    if changed:
        notes.append(
            f"The code of {', '.join(sorted(changed))} has changed since runs were made with it, and these "
            "show what it was then. Delete their folders to train them with the code as it is now."
        )
    failed = {
        id: reason for arm in study.arms for run in arm.runs for id, reason in run.result.failed_clips.items()
    }
    limits = _limits(study)
    return Comparison(
        study=study,
        table=table,
        pairs=pairs,
        variance=variance_table(study, rows),
        margin=margin,
        limits=limits,
        confusion={row.name: _confusion(study, row) for row in rows if task.kind == "single_label"},
        best_unimodal=reference,
        leader=leader,
        notes=(*study.notes, *study.arms[0].runs[0].result.data_notices, *notes),
        cost_notes=step_notes([row.members[0] for row in rows if row.kind == "fusion"]),
        failed_clips=failed,
        answer=plain_answer(study, table, pairs, leader, leaders_floor(study, rows, leader)),
    )


def _describe(study: StudyRuns, row: Row) -> dict[str, Any]:
    """The row's own numbers: metrics averaged over seeds, the score's interval, costs, Bayes accuracy."""
    task = study.task
    scores = row.scores(study)
    interval = interval_for_arm(scores, study.clips.units, limits=task.range)
    metrics = pd.DataFrame([task.metrics(outputs, study.clips.labels) for outputs in row.outputs]).mean()
    permuted = [
        run.result.test_permuted[task.score]
        for arm in study.arms if arm.name == row.name
        for run in arm.runs if run.result.test_permuted
    ]  # fmt: skip
    bayes = (study.limits or {}).get("bayes", {})
    complete = row.complete(study) if row.modalities else np.zeros(len(study.clips.ids), dtype=bool)
    return {
        "arm": row.name,
        "kind": row.kind,
        "modalities": "+".join(row.modalities),
        "n_seeds": interval.n_seeds if row.by_seed else None,
        task.score: interval.mean,
        "low": interval.low,
        "high": interval.high,
        "seed_std": interval.seed_std if row.by_seed else None,
        **{str(name): value for name, value in metrics.items() if name != task.score},
        f"permuted_{task.score}": float(np.mean(permuted)) if permuted else np.nan,
        f"complete_{task.score}": scores[:, complete].mean() if complete.any() else np.nan,
        "complete_clips": complete.sum() if row.modalities else np.nan,
        "complete_groups": len(np.unique(study.clips.groups[complete])) if row.modalities else np.nan,
        "bayes_accuracy": bayes.get("+".join(row.modalities), np.nan) if row.modalities else np.nan,
        **costs_of(row.members),
        **epochs_of(row.members),
    }


def _rank(ranks: tuple[int, int] | None) -> dict[str, float]:
    best, worst = ranks or (np.nan, np.nan)
    return {"rank_best": best, "rank_worst": worst}


def _reference(study: StudyRuns, leader: str | None, of: Mapping[str, str]) -> str | None:
    """The single modality that the leader is compared with; without a leader, the best on validation."""
    if leader is not None:
        return of.get(leader)
    found = best([arm for arm in study.arms if arm.unimodal])
    return None if found is None else found.name


def _against(
    study: StudyRuns, row: Row, rows: list[Row], name: str | None, pairs: pd.DataFrame
) -> dict[str, Any]:
    """The row's difference to the best single modality under its conditions, of that name; only fusion arms
    are tested."""
    names = ("difference", "difference_low", "difference_high", "p", "adjusted_p", "verdict")
    if name is None or row.name == name:
        nothing = dict.fromkeys(names[:-1], np.nan)
        return nothing | {"verdict": "reference" if name else "", "reference": name}
    found = pairs[(pairs["family"] == AGAINST_UNIMODAL) & (pairs["a"] == row.name)]
    if len(found):
        values = found.iloc[0][["difference", "low", "high", "p", "adjusted_p", "verdict"]]
        return dict(zip(names, values, strict=True)) | {"reference": name}
    reference = next(other for other in rows if other.name == name)
    scores = row.scores(study), reference.scores(study)
    test = compare_arms(*scores, study.clips.units, limits=study.task.range)
    untested = (test.difference, test.low, test.high, np.nan, np.nan, "")
    return dict(zip(names, untested, strict=True)) | {"reference": name}


def _confusion(study: StudyRuns, row: Row) -> Float[ndarray, "C C"]:
    from sklearn.metrics import confusion_matrix

    labels, classes = study.clips.labels, range(len(study.clips.classes))
    counts = np.sum([confusion_matrix(labels, p.argmax(axis=1), labels=classes) for p in row.outputs], axis=0)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _limits(study: StudyRuns) -> pd.DataFrame:
    limits = study.limits or {"bayes": {}, "additive": {}}
    lines = [(f"Bayes accuracy of {modalities}", value) for modalities, value in limits["bayes"].items()]
    wording = {
        "ceiling": "additive bound: the best of all rules that add up the modalities' votes",
        "cross_entropy": "what an additive model trained with cross-entropy converges to",
    }
    lines += [(wording[name], limits["additive"][name]) for name in wording if name in limits["additive"]]
    return pd.DataFrame(lines, columns=["what", "accuracy"])


def _missing_note(study: StudyRuns) -> str:
    note = f"{len(study.missing)} of {study.n_runs} runs missing: {', '.join(study.missing)}."
    return note + f" Arms without all their seeds are not compared: {', '.join(study.left_out)}."
