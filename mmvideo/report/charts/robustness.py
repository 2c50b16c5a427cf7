"""How scores fall with damaged input: a panel for each corruption, a curve for each arm."""

from __future__ import annotations

import altair as alt
import pandas as pd

from mmvideo.report.charts.roles import colour, described, key_arms, spread
from mmvideo.report.charts.theme import PAGE_WIDTH, Chart, rows
from mmvideo.report.compare import Comparison

COLUMNS = 3
HEIGHT = 200
NAMED = 8
"""Up to so many arms each has its name beside its curve; of more only those that validation picks."""


def chart(comparison: Comparison, curves: pd.DataFrame) -> Chart:
    """Test score against severity; band: 95 % interval of the fusion that validation picks.

    Args:
        curves: of `mmvideo.report.robustness.Robustness`.
    """
    wording, of = comparison.study.task.display, described(comparison)
    arms = [arm for arm in dict.fromkeys(curves["arm"]) if arm in of]
    numbers = curves.assign(**{name: wording.factor * curves[name] for name in ("score", "low", "high")})
    placed = _placed(numbers, comparison, arms)
    points = [
        of[str(row["arm"])] | {str(key): value for key, value in row.items()}
        for row in placed.to_dict("records")
    ]
    last = int(curves["severity"].max())
    axis = alt.Axis(values=list(range(last + 1)), format="d", grid=False)
    x = alt.X("severity:Q", title="severity", axis=axis, scale=alt.Scale(domain=[0, 1.5 * last], nice=False))
    title = f"test {wording.axis}"
    y = alt.Y("score:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    form = f".{wording.digits}f"
    tips = [
        alt.Tooltip("corruption:N", title="corruption"),
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("severity:Q", title="severity"),
        alt.Tooltip("score:Q", title=title, format=form),
        alt.Tooltip("low:Q", title="95 % from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
    ]
    base = alt.Chart().encode(x=x, color=colour(comparison, arms), detail="arm:N")
    leader = alt.FieldEqualPredicate(field="arm", equal=comparison.leader or "")
    panel = alt.layer(
        base.transform_filter(leader)
        .mark_area(opacity=0.13)
        .encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(size=25, filled=True).encode(y=y, tooltip=tips),
        base.transform_filter("isValid(datum.place)")
        .mark_text(align="left", dx=6)
        .encode(y="place:Q", text="arm:N"),
        data=rows(points),
    ).properties(width=0.8 * PAGE_WIDTH / COLUMNS, height=HEIGHT)
    order = list(dict.fromkeys(curves["corruption"]))
    return panel.facet(facet=alt.Facet("corruption:N", title=None, sort=order), columns=COLUMNS)


def _placed(curves: pd.DataFrame, comparison: Comparison, arms: list[str]) -> pd.DataFrame:
    """The points; those at the end of a curve that is named with the place of the name."""
    named = arms if len(arms) <= NAMED else [name for name in key_arms(comparison) if name in arms]
    gap = 14 * float(curves["high"].max() - curves["low"].min() or 1) / HEIGHT
    curves = curves.assign(place=float("nan"))
    for _, panel in curves[curves["arm"].isin(named)].groupby("corruption"):
        ends = panel.loc[panel.groupby("arm")["severity"].idxmax()]
        curves.loc[ends.index, "place"] = spread(ends["score"].tolist(), gap)
    return curves
