"""Pipes, folders, links to nothing and huge files where records are looked for: told, never waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mmvideo.errors import InputError
from mmvideo.files import Damaged, read_text, sha256
from mmvideo.report import write_report
from mmvideo.report.dashboard.server import Pages
from mmvideo.report.load import load_study

MakeStudy = Callable[..., Path]
SIZE = 300 << 20
"""Bytes; of a sparse file, which takes no room."""


def pipe(file: Path) -> None:
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.mkdir()


def broken_link(file: Path) -> None:
    file.symlink_to("nowhere.json")


def huge(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(SIZE)


def unreadable(file: Path) -> None:
    file.write_text("{}")
    file.chmod(0)


def loop(file: Path) -> None:
    file.symlink_to(file.name)


WAYS = {
    pipe: "it is a pipe, not a file", folder: "it is a folder, not a file",
    broken_link: "link to what is not",
    huge: "it has 300 MB, and such a file at most 256", unreadable: "Permission denied",
    loop: "Too many levels of symbolic links",
}  # fmt: skip


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    found: Callable[[Path], None] = request.param
    if found is unreadable and os.geteuid() == 0:
        pytest.skip("root reads everything")
    return found


def instead(file: Path, way: Callable[[Path], None]) -> None:
    if file.exists():
        file.unlink()
    way(file)


@pytest.mark.timeout(30)
def test_a_study_whose_record_is_none_is_listed_with_its_reason(
    make_study: MakeStudy, way: Callable[[Path], None]
) -> None:
    """A pipe called study.json made the dashboard wait without end, and a link to nothing hid the study."""
    study = make_study(n_clips=20, seeds=(0,))
    for result in study.glob("*/config.json"):  # a study by its record alone
        result.unlink()
    instead(study / "study.json", way)
    [row] = Pages(study.parent, study.parent / "reports").listing()["studies"]
    assert row["name"] == "demo"
    assert row["state"] == "not readable"
    assert "study.json" in row["trouble"]
    assert WAYS[way] in row["trouble"]
    with pytest.raises(InputError, match=r"study\.json cannot be read"):
        load_study(study)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("file", ["config.json", "metrics.jsonl", "error.txt", "result.json"])
def test_a_runs_files_are_not_waited_for(
    make_study: MakeStudy, way: Callable[[Path], None], file: str
) -> None:
    study = make_study(n_clips=20, seeds=(0,))
    run = study / "late-s0-0123456789"
    if file != "result.json":
        (run / "result.json").unlink()
    instead(run / file, way)
    pages = Pages(study.parent, study.parent / "reports")
    [row] = pages.listing()["studies"]
    assert (row["finished"], row["total"]) == (5, 6)
    detail = pages.study("demo")
    assert detail is not None
    if file == "result.json":
        assert WAYS[way] in detail["runs"][0]["reason"]


@pytest.mark.timeout(30)
def test_a_report_that_is_none_is_told(make_study: MakeStudy, way: Callable[[Path], None]) -> None:
    study = make_study(n_clips=20, seeds=(0,))
    report = study.parent / "reports" / "demo"
    report.mkdir(parents=True)
    instead(report / "comparison.json", way)
    [row] = Pages(study.parent, study.parent / "reports").listing()["studies"]
    assert WAYS[way] in row["trouble"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("file", ["result.json", "predictions_test.jsonl", "metrics.jsonl", "env.json"])
def test_a_comparison_refuses_them(make_study: MakeStudy, file: str, way: Callable[[Path], None]) -> None:
    study = make_study(n_clips=20, seeds=(0,))
    instead(study / "late-s0-0123456789" / file, way)
    if way in (broken_link, loop) and file == "result.json":  # no result: the run is not finished
        assert load_study(study).missing == ("late-s0",)
        return
    with pytest.raises(InputError, match=file):
        load_study(study)


@pytest.mark.timeout(30)
def test_a_pipe_where_a_report_belongs_is_written_over(make_study: MakeStudy) -> None:
    study = make_study(n_clips=20, seeds=(0,))
    report = study.parent / "reports"
    report.mkdir()
    os.mkfifo(report / "comparison.json")
    os.mkfifo(report / "report.html")
    _, written = write_report(study, report, keep=True)
    assert written


def test_a_limit_is_of_the_reader(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("12345")
    assert read_text(file, "") == "12345"
    with pytest.raises(Damaged, match="at most"):
        read_text(file, "", 4)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a pipe"):
        sha256(tmp_path / "pipe")
