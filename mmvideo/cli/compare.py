"""`mmvideo compare`, and what follows a study's runs: floors, report, its summary on the dashboard."""

from __future__ import annotations

import json
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mmvideo.cli.options import parse
from mmvideo.errors import InputError
from mmvideo.evaluation.floor_record import floor_file
from mmvideo.files import read_text, write_whole
from mmvideo.runs.tracking import log_study, mirrored, offline_hint
from mmvideo.studies.study import Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pandas import DataFrame

    from mmvideo.report import Comparison
    from mmvideo.report.clips import Still
    from mmvideo.report.runs import StudyRuns


@dataclass
class Compare:
    """Compare the finished runs of studies again, and write their reports. Nothing is trained."""

    study_dirs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="STUDY_DIR …")]
    """Folders of studies, such as runs/mixed."""
    out: Path = Path("reports")
    """Folder of reports; each study's own is made in it."""
    margin: float | None = None
    """Differences up to this size, in the task's score (0.01 is 1 point), count as none: `equivalent within`.
    None: 1 point of accuracy or label ranking AP; of errors, nothing is called equivalent."""


def compare(arguments: list[str]) -> int:
    """`mmvideo compare STUDY_DIR … [OPTIONS]`"""
    options = parse(Compare, "compare", arguments)
    if not options.study_dirs:
        raise InputError("compare needs at least one study's folder, such as runs/mixed.")
    for folder in options.study_dirs:
        named = folder.resolve() if folder.name in ("", "..") else folder  # the report's folder is called so
        report(named, options.out, f"mmvideo compare {shlex.join(arguments)}", margin=options.margin)
    return 0


def keep_floor(study: Study, study_dir: Path) -> None:
    """What a linear model finds in the study's data, beside its runs, where the report looks for it."""
    from mmvideo.runs.floor import floor_of

    arms = sorted(study.arms, key=lambda arm: -arm.config.data.train_share)  # the floor is of all there are
    for seed in study.seeds:
        configs = [arm.config.model_copy(update={"seed": seed}) for arm in arms]
        write_whole(study_dir / floor_file(seed), floor_of(configs).text())


def report(
    study_dir: Path, out: Path, command: str, *, keep: bool = False, margin: float | None = None
) -> tuple[Comparison, bool]:
    from mmvideo.report import write_report
    from mmvideo.report.console import print_comparison

    folder = out / study_dir.name
    try:
        comparison, written = write_report(
            study_dir, folder, reproduce=command, keep=keep, margin=margin, stills=stills_at_hand
        )
    except Exception as error:
        reason = _of_the_disk(error)
        if reason is None:
            raise
        raise InputError(
            f"The report in {folder} could not be written: {reason}. The runs in {study_dir} are kept; "
            f"`mmvideo compare {study_dir} --out FOLDER` writes their report elsewhere."
        ) from error
    print_comparison(comparison)
    print(f"report: {folder / 'report.html'}{'' if written else ' (as it was: nothing changed)'}")
    return comparison, written


def stills_at_hand(study: StudyRuns, ids: Sequence[str]) -> Mapping[str, Still]:
    """What clips look, sound and read like, where manifest and store are at hand; a report does without."""
    from mmvideo.clips.manifest import read_manifest
    from mmvideo.config import load_config
    from mmvideo.records import CONFIG

    run = max((arm.runs[0] for arm in study.arms), key=lambda run: len(run.result.modalities))
    try:
        text = read_text(run.directory / CONFIG, "")
        if not Path(json.loads(text)["data"]["store"], "objects").is_dir():
            return {}
        from mmvideo.inspection.stills import stills  # from here on it takes seconds
        from mmvideo.runs.identity import manifest_digest

        config = load_config(text, str(run.directory / CONFIG))
        manifest = read_manifest(config.data.manifest)
        same = manifest_digest(manifest) == run.result.manifest
        return stills(config, manifest, ids) if same else {}
    except (InputError, OSError):
        return {}


def _of_the_disk(error: BaseException | None) -> str | None:
    """What the disk said, also where a library then stumbled over its half-written file."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


def mirror(comparison: Comparison, study: Study, study_dir: Path, out: Path, command: str) -> None:
    """The study's summary on the dashboard, and how to see what has been recorded offline."""
    tracking = study.arms[0].config.tracking
    if mirrored(tracking):
        with tempfile.TemporaryDirectory() as scratch:
            _log(comparison, study, study_dir, out / study.name, command, Path(scratch))
    hint = offline_hint(study_dir)
    if hint is not None:
        print(f"W&B runs were recorded offline. To look at them, or to upload them:\n{hint}")


def _log(
    comparison: Comparison, study: Study, study_dir: Path, report: Path, command: str, scratch: Path
) -> None:
    from mmvideo.report.clips import PICTURED, hardest
    from mmvideo.report.page import render

    tracking, clips, page = study.arms[0].config.tracking, hardest(comparison.study), report / "report.html"
    if tracking.media:
        pictures = _pictures(comparison.study, clips["id"][:PICTURED].tolist())
        clips = clips.join(pictures, on="id").fillna("")
    else:  # the page as it is shows clips
        page = scratch / page.name
        page.write_text(render(comparison, command), encoding="utf-8")
    tables = {name: getattr(comparison, name) for name in ("pairs", "limits", "variance")}
    log_study(
        study.name,
        study_dir,
        tracking,
        tables={"comparison": comparison.table, **tables, "hardest": clips},
        figures={path.stem: path for path in sorted((report / "figures").glob("*.png"))} | {"report": page},
        summary=_summary(comparison),
        manifest=Path(study.manifest),
    )


def _pictures(study: StudyRuns, ids: Sequence[str]) -> DataFrame:
    """What clips look, sound and read like, by their ids; pictures as bytes."""
    from base64 import b64decode

    from pandas import DataFrame

    def decoded(uri: str | None) -> bytes:
        return b64decode(uri.partition(",")[2]) if uri else b""

    found = stills_at_hand(study, ids)
    rows = [
        (decoded(still.frames), decoded(still.spectrogram), still.words or "") for still in found.values()
    ]
    return DataFrame(rows, index=list(found), columns=["frames", "spectrogram", "words"])


def _summary(comparison: Comparison) -> dict[str, Any]:
    """What a list of studies is sorted by: answer, and numbers of the fusion that validation picks."""
    answer = comparison.answer
    found = {
        "answer": answer.sentence,
        "qualified_by": "\n".join(answer.lines),
        "best_unimodal": comparison.best_unimodal or "none",
    }
    picked = comparison.table[comparison.table["arm"] == comparison.leader].to_dict("records")
    columns = (comparison.study.task.score, "low", "high", "difference", "difference_low", "difference_high")
    return found | {
        f"leader/{name}": value
        for row in picked
        for name, value in row.items()
        if name in (*columns, "arm", "adjusted_p", "verdict")
    }
