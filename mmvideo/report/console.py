"""The report on the terminal: accuracies, costs, verdicts. Plain text where the output is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.statistics import ALPHA
from mmvideo.report.compare import OWN_REFERENCE, Comparison, incomplete
from mmvideo.report.comparisons import AGAINST_UNIMODAL, BETWEEN_FUSIONS
from mmvideo.report.epochs import epochs_text
from mmvideo.report.factors import MAIN, to_read
from mmvideo.report.words import p_text, rank_text
from mmvideo.terminal import escape
from mmvideo.vocabulary import counted

PLAIN_WIDTH = 120
MOST_PAIRS = 60
"""Comparisons that are all printed."""
_COLOURS = {"better": "green", "worse": "red"}


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print the answer, the tables and the notes."""
    if console is None:
        console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH, color_system=None)
    study = comparison.study
    console.print(f"\n[bold]{escape(study.title)}[/]", highlight=False)
    console.print(escape(comparison.answer.sentence), highlight=False)
    console.print(_points(comparison))
    wording = study.task.display
    console.print(_scores(comparison, wording))
    if incomplete(comparison):
        console.print(_complete(comparison, wording))
    if len(found := to_read(study)):
        console.print(_effects(found, wording))
    if study.tuning is not None:
        console.print(_tuned(comparison.table, wording))
    console.print(_costs(comparison.table))
    for note in comparison.cost_notes:
        console.print(escape(note), highlight=False)
    if len(comparison.pairs):
        console.print(_verdicts(shown := _to_read(comparison), wording))
        if left := len(comparison.pairs) - len(shown):
            told = f"{counted(left, 'comparison')} of fusions that validation does not pick"
            console.print(f"{told}: in pairs.csv and on the page.", highlight=False)
    for note in comparison.notes:
        console.print(f"Note: {escape(note)}", highlight=False)
    if comparison.failed_clips:
        console.print(
            f"Note: clips that could not be decoded: {len(comparison.failed_clips)}.", highlight=False
        )


def _points(comparison: Comparison) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=42)
    table.add_column()
    for about, text in comparison.answer.points:
        table.add_row(f"  {escape(about)}", escape(text))
    return table


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _or_dash(value: float, form: str = "{:.1f}") -> str:
    return "–" if pd.isna(value) else form.format(value)


def _scores(comparison: Comparison, wording: MetricDisplay) -> Table:
    reference = escape(comparison.compared_with or "best single modality")
    own = comparison.compared_with == OWN_REFERENCE
    over = " over clips of one group" if comparison.study.clips.n_groups == 1 else ""
    title = (
        f"Test {wording.axis} [95 % interval{over}], n = {comparison.study.sample}; difference to "
        f"{reference} ({'at the same levels, ' if own else ''}chosen on validation)"
    )
    score = comparison.study.task.score
    shown = [column for column in wording.columns if column.terminal and column.key in comparison.table]
    bayes = ["bayes_accuracy"] if comparison.table["bayes_accuracy"].notna().any() else []
    ranks = ["rank"] if comparison.table["rank_best"].notna().sum() > 1 else []
    heads = [wording.head, "std", *("Bayes" for _ in bayes), *(column.head for column in shown)]
    table = _table(title, "arm", "seeds", *heads, "permuted", *ranks, "difference")
    kind = None
    for row in comparison.table.to_dict("records"):
        if kind not in (None, row["kind"]):
            table.add_section()
        kind = row["kind"]
        difference = "reference" if row["verdict"] == "reference" else _difference(row, wording)
        table.add_row(
            escape(row["arm"]) + (f" [yellow]{row['floor']}[/]" if row["floor"] else ""),
            _or_dash(row["n_seeds"], "{:.0f}"),
            escape(
                f"{wording.value(row[score])} [{wording.value(row['low'])}, {wording.value(row['high'])}]"
            ),
            wording.value(row["seed_std"]),
            *(wording.value(row[name]) for name in bayes),
            *(column.text(row[column.key]) for column in shown),
            wording.value(row[f"permuted_{score}"]),
            *(rank_text(row["rank_best"], row["rank_worst"]) for _ in ranks),
            difference,
        )
    return table


def _complete(comparison: Comparison, wording: MetricDisplay) -> Table:
    score = comparison.study.task.score
    title = "On the test clips that have all modalities of the arm"
    table = _table(title, "arm", "clips", "groups", wording.head, "on all clips")
    for row in comparison.table[comparison.table["complete_clips"].notna()].to_dict("records"):
        numbers = f"{row['complete_clips']:.0f}", f"{row['complete_groups']:.0f}"
        scores = wording.value(row[f"complete_{score}"]), wording.value(row[score])
        table.add_row(escape(row["arm"]), *numbers, *scores)
    return table


def _effects(found: pd.DataFrame, wording: MetricDisplay) -> Table:
    told = found[(found["kind"] == MAIN) | (found["adjusted_p"] < ALPHA)]
    left = len(found) - len(told)
    more = f"; {counted(left, 'interaction')} without one: on the page" if left else ""
    title = f"Effects of factors{wording.change_axis} [95 %]; interactions whose interval leaves out 0{more}"
    table = _table(title, "factor", "effect", "adjusted p")
    table.add_column("level", overflow="fold")
    for row in told.to_dict("records"):
        interval = f"[{wording.value(row['low'])}, {wording.value(row['high'])}]"
        p = "–" if pd.isna(row["adjusted_p"]) else p_text(row["adjusted_p"])
        effect = escape(f"{wording.change(row['effect'])} {interval}")
        table.add_row(escape(row["factor"]), effect, p, escape(row["level"]))
    return table


def _tuned(rows: pd.DataFrame, wording: MetricDisplay) -> Table:
    tuned = rows[rows["trials"].notna()]
    table = _table("Tuned on validation", "arm", "trials", "chosen", f"its {wording.head} there")
    table.add_column("settings", overflow="fold")
    for row in tuned.to_dict("records"):
        numbers = f"{row['trials']:.0f}", f"{row['trial']:.0f}", wording.value(row["trial_score"])
        table.add_row(escape(row["arm"]), *numbers, escape(row["chosen"]))
    return table


def _difference(row: dict[Hashable, Any], wording: MetricDisplay) -> str:
    if pd.isna(row["difference"]):
        return "–"
    low, high = (wording.value(row[name]) for name in ("difference_low", "difference_high"))
    return escape(f"{wording.change(row['difference'])} [{low}, {high}]")


def _costs(rows: pd.DataFrame) -> Table:
    table = _table(
        "Costs (score averaging: of all its models)",
        "arm",
        "parameters",
        "FLOPs/clip",
        "train s",
        "ms/step",
        "ms/clip",
        "peak MB",
        "epoch",
    )
    for row in rows[rows["parameters"].notna()].to_dict("records"):
        numbers = [short(row["parameters"]), short(row["flops_per_clip"])]
        shown = ("train_seconds", "step_ms", "latency_ms", "peak_memory_mb")
        numbers += [_or_dash(row[name]) for name in shown]
        table.add_row(escape(row["arm"]), *numbers, epochs_text(row))
    return table


def short(value: float) -> str:
    """1234567 → 1.23M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _to_read(comparison: Comparison) -> pd.DataFrame:
    """The comparisons to print: all, or of many those with a control or with the fusion that validation
    picks."""
    pairs = comparison.pairs
    if len(pairs) <= MOST_PAIRS:
        return pairs
    of_leader = (pairs["a"] == comparison.leader) | (pairs["b"] == comparison.leader)
    return pairs[(pairs["family"] != BETWEEN_FUSIONS) | of_leader]


def _verdicts(pairs: pd.DataFrame, wording: MetricDisplay) -> Table:
    title = "Verdicts: intervals and adjusted p hold for all of a block together (max-t, 95 %)"
    table = _table(title, "arm", "against", "difference", "adjusted p", "detects")
    table.add_column("verdict", overflow="fold")
    table.columns[1].justify = "left"
    family = AGAINST_UNIMODAL
    for pair in pairs.to_dict("records"):
        if pair["family"] != family:
            table.add_section()
            family = pair["family"]
        low, high = wording.value(pair["low"]), wording.value(pair["high"])
        interval = f"{wording.change(pair['difference'])} [{low}, {high}]"
        colour = _COLOURS.get(pair["verdict"], "dim")
        words = f"[{colour}]{escape(pair['verdict'])}[/]"
        table.add_row(
            escape(pair["a"]),
            escape(pair["b"]),
            escape(interval),
            p_text(pair["adjusted_p"]),
            wording.value(pair["detectable"]),
            words,
        )
    return table
