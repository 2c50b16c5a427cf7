"""What runs and studies become on W&B: what they are filtered and grouped by, numbers, tables, pictures."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmvideo.config import RunConfig
from mmvideo.config_diff import flatten
from mmvideo.files import Damaged, read_record, read_rows
from mmvideo.records import Prediction, predictions_file, run_remedy
from mmvideo.runs.tracking_environment import warn
from mmvideo.study_records import STUDY, StudyRecord

if TYPE_CHECKING:
    import pandas as pd
    import wandb

ROWS = 10_000
"""Rows that a table of the dashboard may have, and cells that a confusion matrix may."""
CONFUSED = 100
"""Pairs of classes that stand for a confusion matrix of more cells."""
STUDY_REMEDY = "Run the study again: that writes it anew, and trains nothing twice."


def groups(config: RunConfig, folder: Path) -> dict[str, Any]:
    """What a run is filtered and grouped by beside its configuration: `subset` (`visual+text`), `dataset`,
    and in a study the arm's `role` and `factors`.

    Args:
        folder: the study's.
    """
    found: dict[str, Any] = {
        "subset": "+".join(config.modalities),
        "dataset": Path(config.data.manifest).absolute().parent.name,
    }
    if (folder / STUDY).is_file():
        try:
            record = read_record(folder / STUDY, StudyRecord, STUDY_REMEDY)
        except Damaged as error:
            warn(f"runs have no role on W&B: {error}")
            return found
        for arm in record.arms:
            if arm.name == config.arm:
                found |= {"role": arm.role, "factors": dict(arm.factors)}
    return found


def numbers(nested: Mapping[str, Any]) -> dict[str, bool | int | float]:
    """What a dashboard can sort by: `{"test": {"accuracy": 0.9}, …}` → `{"test/accuracy": 0.9, …}`."""
    flat = flatten(dict(nested))
    return {
        key.replace(".", "/"): value for key, value in flat.items() if isinstance(value, bool | int | float)
    }


def confusion(run_dir: Path, classes: Sequence[str]) -> dict[str, Any]:
    """The confusion matrix; of many classes, the pairs that are confused most often."""
    import wandb

    rows = read_rows(run_dir / predictions_file("test"), Prediction, run_remedy(run_dir))
    place = {name: number for number, name in enumerate(classes)}
    true = [place[str(row.label)] for row in rows]
    predicted = [max(range(len(row.outputs)), key=row.outputs.__getitem__) for row in rows]
    if len(classes) ** 2 > ROWS:
        wrong = Counter((a, b) for a, b in zip(true, predicted, strict=True) if a != b)
        pairs: list[Any] = [[classes[a], classes[b], clips] for (a, b), clips in wrong.most_common(CONFUSED)]
        return {"test/most_confused": wandb.Table(columns=["label", "predicted", "clips"], data=pairs)}
    plot = wandb.plot.confusion_matrix(
        y_true=true, preds=predicted, class_names=list(classes), title="test confusion"
    )
    return {"test/confusion": plot}


def table(frame: pd.DataFrame) -> wandb.Table:
    """A table: its index as columns, files as pictures, and text for what is neither text nor number."""
    import wandb
    from PIL import Image

    plain = (bool, int, float, str)

    def picture(file: object) -> wandb.Image | None:
        return wandb.Image(Image.open(io.BytesIO(file))) if isinstance(file, bytes) and file else None

    def shown(column: pd.Series[Any]) -> pd.Series[Any]:
        kinds = column.map(type)
        if kinds.isin([bytes]).any():
            return column.map(picture)
        return column if kinds.isin(plain).all() else column.astype(str)

    rows = frame.head(ROWS).reset_index().apply(shown)
    if any(isinstance(value, wandb.Image) for value in rows.to_numpy(dtype=object).ravel()):
        return wandb.Table(columns=[str(name) for name in rows], data=rows.to_numpy(dtype=object))
    return wandb.Table(dataframe=rows)


def artifact(id: str, kind: str, file: Path) -> wandb.Artifact:
    """A file that is uploaded from where it lies, and not copied."""
    import wandb

    made = wandb.Artifact(re.sub(r"[^\w.-]", "-", id, flags=re.ASCII), type=kind)
    made.add_file(str(file), policy="mutable")
    return made
