"""The report as one HTML file that needs no network: answer, tables, charts, how to get the same again."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmvideo.config_diff import flatten
from mmvideo.report.answer import p_text
from mmvideo.report.charts import charts
from mmvideo.report.compare import Comparison
from mmvideo.report.comparisons import AGAINST_AVERAGING, AGAINST_UNIMODAL, BETWEEN_FUSIONS
from mmvideo.report.console import short
from mmvideo.report.controls import EXPLANATIONS, SCORE_AVERAGING
from mmvideo.report.metric_display import DISPLAY
from mmvideo.report.style import styles


def render(comparison: Comparison, reproduce: str) -> str:
    """The page's HTML. All that comes from the runs is escaped; plotly.js is embedded.

    Args:
        reproduce: the command that made the study, shown as is; empty to leave it out.
    """
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("mmvideo.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    task = comparison.study.task
    wording = DISPLAY[task.kind]
    environment.filters |= {"score": wording.value, "change": wording.change, "p": p_text, "short": short}
    environment.tests["known"] = pd.notna
    matrix = verdict_matrix(comparison)
    figures = {name: json.loads(figure.to_json()) for name, figure in charts(comparison).items()}
    return environment.get_template("page.html.j2").render(
        comparison=comparison,
        study=comparison.study,
        rows=comparison.table.to_dict("records"),
        limits=comparison.limits.to_dict("records"),
        styles=styles(comparison.table),
        tiles=tiles(comparison),
        matrix=matrix,
        columns=_columns(comparison, matrix),
        families=(AGAINST_UNIMODAL, AGAINST_AVERAGING, BETWEEN_FUSIONS),
        pairs=comparison.pairs.to_dict("records"),
        explanations=EXPLANATIONS[task.kind],
        task=task,
        wording=wording,
        metrics=[column for column in wording.columns if column.key in comparison.table],
        reproduce=reproduce,
        provenance=provenance(comparison),
        figures=_script_data(figures),
        plotly=Markup(get_plotlyjs()),
    )


def tiles(comparison: Comparison) -> list[dict[str, str]]:
    """The four numbers to see first, of the fusion that validation picks."""
    leader = comparison.leader
    if leader is None:
        return []
    row = comparison.table[comparison.table["arm"] == leader].to_dict("records")[0]
    score, wording = comparison.study.task.score, DISPLAY[comparison.study.task.kind]
    found = [(f"{wording.value(row[score])}{wording.unit}", f"test {wording.name} of {leader}")]
    for family, other in (
        (AGAINST_UNIMODAL, comparison.best_unimodal),
        (AGAINST_AVERAGING, SCORE_AVERAGING),
    ):
        pairs = comparison.pairs[(comparison.pairs["family"] == family) & (comparison.pairs["a"] == leader)]
        for pair in pairs.to_dict("records"):
            interval = f"[{wording.value(pair['low'])}, {wording.value(pair['high'])}]"
            against = f"{wording.change_unit} against {other} {interval}: {pair['verdict']}".lstrip()
            found.append((wording.change(pair["difference"]), against))
    if pd.notna(row[f"permuted_{score}"]):
        left = f"{wording.value(row[f'permuted_{score}'])}{wording.unit}"
        found.append((left, "left with permuted modalities"))
    return [{"value": value, "label": label} for value, label in found]


def _columns(comparison: Comparison, matrix: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """What stands above the matrix: the fusions in the table's order, then what they are measured against."""
    compared = {name for cells in matrix.values() for name in cells}
    return [name for name in comparison.table["arm"] if name in compared]


def verdict_matrix(comparison: Comparison) -> dict[str, dict[str, dict[str, Any]]]:
    """Every comparison made, from both sides: matrix[row][column] is the row against the column."""
    matrix: dict[str, dict[str, dict[str, Any]]] = {}
    turned = {"better": "worse", "worse": "better"}
    names = set(comparison.table.loc[comparison.table["kind"] == "fusion", "arm"])
    for pair in comparison.pairs.to_dict("records"):
        cell = {name: pair[name] for name in ("difference", "low", "high", "adjusted_p", "verdict")}
        matrix.setdefault(pair["a"], {})[pair["b"]] = cell
        if pair["b"] in names:
            word = turned.get(pair["verdict"], pair["verdict"])
            other = {
                "difference": -pair["difference"],
                "low": -pair["high"],
                "high": -pair["low"],
                "verdict": word,
            }
            matrix.setdefault(pair["b"], {})[pair["a"]] = other | {"adjusted_p": pair["adjusted_p"]}
    return {name: matrix[name] for name in comparison.table["arm"] if name in matrix}


def provenance(comparison: Comparison) -> dict[str, str]:
    """What the runs' env.json say; values that differ stand side by side."""
    runs = [run for arm in comparison.study.arms for run in arm.runs]
    flat = [flatten(run.environment.model_dump(mode="json", exclude={"version"})) for run in runs]
    values: dict[str, list[str]] = {}
    for record in flat:
        for key, value in record.items():
            held = values.setdefault(key, [])
            if str(value) not in held:
                held.append(str(value))
    return {key: " | ".join(held) for key, held in values.items()}


def _script_data(data: object) -> Markup:
    """JSON that may stand inside <script>: no `<` is left that could end it."""
    return Markup(json.dumps(data).replace("<", "\\u003c"))
