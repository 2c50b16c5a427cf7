"""The live dashboard: what it says of studies in any state, and what it refuses to serve."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from made_records import made_result, reseal

from mmvideo.cli import main
from mmvideo.config import RunConfig
from mmvideo.evaluation.statistics import interval_for_arm
from mmvideo.files import digest_of, locked, write_whole
from mmvideo.records import HELD
from mmvideo.report.compare import compare
from mmvideo.report.dashboard.server import Pages, app
from mmvideo.report.load import load_study
from mmvideo.study_records import ArmRecord, StudyRecord

MakeStudy = Callable[..., Path]


@pytest.fixture
def folder(make_study: MakeStudy) -> Path:
    """A study with one run missing."""
    return make_study(n_clips=40, skip=("late-s2",))


@pytest.fixture
def begun(folder: Path) -> Path:
    """The missing run's directory, after four epochs."""
    run = folder / "late-s2-0123456789"
    run.mkdir()
    other = folder / "late-s1-0123456789"
    shutil.copy(other / "config.json", run)
    lines = (other / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:8]) + lines[8][:20])
    return run


def pages(folder: Path) -> Pages:
    return Pages(folder.parent, folder.parent / "reports")


def row(folder: Path) -> dict[str, Any]:
    return dict(pages(folder).listing()["studies"][0])


def only_run(folder: Path) -> dict[str, Any]:
    found = pages(folder).study("demo")
    assert found is not None
    [run] = found["runs"]
    return dict(run)


def test_a_run_is_training_while_a_process_holds_it(folder: Path, begun: Path) -> None:
    with locked(begun / HELD):
        run = only_run(folder)
        assert (run["arm"], run["seed"], run["state"]) == ("late", 2, "training")
        assert (run["epoch"], run["share"]) == ("epoch 4 of 12", round(4 / 12, 3))
        shown = row(folder)
    assert (shown["state"], shown["finished"], shown["total"]) == ("running", 17, 18)


def test_time_left_is_what_the_arms_finished_runs_took(folder: Path, begun: Path) -> None:
    for seed, seconds in ((0, 500), (1, 700)):
        run = folder / f"late-s{seed}-0123456789"
        os.utime(run / "config.json", (1000, 1000))
        os.utime(run / "result.json", (1000 + seconds, 1000 + seconds))
    with locked(begun / HELD):
        [state] = pages(folder).studies.all()
    assert state.seconds_left == pytest.approx(600 * 8 / 12)


def test_an_interrupted_run_a_failed_one_and_one_that_is_tried_again(folder: Path, begun: Path) -> None:
    assert only_run(folder)["kind"] == "unclear", "it wrote just now, and no process here holds it"
    for file in begun.iterdir():
        os.utime(file, (1000, 1000))
    assert only_run(folder)["kind"] == "stopped"
    assert row(folder)["state"] == "stopped"
    (begun / "error.txt").write_text("Traceback …\nRuntimeError: <b>out of memory</b>\n")
    failed = only_run(folder)
    assert (failed["kind"], failed["reason"]) == ("failed", "RuntimeError: <b>out of memory</b>")
    assert (row(folder)["state"], row(folder)["failed"]) == ("failed", 1)
    os.utime(begun / "error.txt", (1000, 1000))
    (begun / "config.json").touch()
    assert only_run(folder)["kind"] == "unclear", "the failure was the attempt's before"


def test_intervals_are_those_of_the_runs_so_far_and_shrink(folder: Path) -> None:
    found = pages(folder).study("demo")
    assert found is not None
    assert {arm["over"] for arm in found["arms"]} == {"seeds and groups of clips"}, "as the report has it"
    late = next(arm for arm in found["arms"] if arm["arm"] == "late")
    assert late["seeds"] == "2 of 3"
    study = load_study(folder)
    arm = next(arm for arm in study.arms if arm.name == "hierarchical")
    scores = study.task.clip_scores(arm.outputs, study.clips.labels)
    expected = interval_for_arm(scores, study.clips.units)
    shown = next(arm for arm in found["arms"] if arm["arm"] == "hierarchical")["score"]
    assert shown == f"{100 * expected.mean:.1f} % [{100 * expected.low:.1f}, {100 * expected.high:.1f}]"
    points = [
        point for data in found["chart"]["datasets"].values() for point in data if point["arm"] == "late"
    ]
    assert [point["seeds"] for point in points] == [1, 2]


def test_what_is_read_is_read_again_when_it_changes(folder: Path) -> None:
    shown = pages(folder)
    before = shown.listing()["studies"][0]
    run = folder / "hierarchical-s0-0123456789"
    reseal(run, test={"accuracy": 0.0}, val={"accuracy": 1.0})
    assert shown.listing()["studies"][0]["score"] != before["score"]


def test_a_finished_study_shows_its_reports_answer(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=60)
    comparison, report = compare(load_study(folder)), folder.parent / "reports" / "demo"
    write_whole(report / "comparison.json", comparison.record().text())
    write_whole(report / "report.html", "<!doctype html>")
    shown = row(folder)
    assert (shown["state"], shown["leader"]) == ("finished", comparison.leader)
    assert shown["answer"] == comparison.answer.sentence
    table = comparison.table.set_index("arm").loc[comparison.leader]
    assert shown["score"].startswith(f"{100 * table['accuracy']:.1f} % [")
    assert shown["verdict"] == table["verdict"]
    assert (shown["page"], shown["basis"]) == ("reports/demo/report.html", "the report")
    os.utime(folder / "late-s0-0123456789" / "result.json", (time.time() + 60,) * 2)
    assert "older" in row(folder)["basis"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("study.json", ""),
        ("study.json", '{"version": 9}'),
        ("study.json", "[]"),
        ("late-s0-0123456789/result.json", '{"version": 2, "arm": "late"'),
        ("late-s0-0123456789/result.json", "[1]"),
        ("late-s0-0123456789/config.json", "\x00"),
        ("../reports/demo/comparison.json", "null"),
        ("late-s0-0123456789/predictions_test.jsonl", "changed"),
    ],
)
def test_what_is_damaged_is_told_with_its_reason(folder: Path, file: str, content: str) -> None:
    place = folder / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    listed, found = row(folder), pages(folder).study("demo")
    assert found is not None
    told = json.dumps([listed["trouble"], found["notes"], [run["reason"] for run in found["runs"]]])
    assert (place.name in told) == (place.name != "config.json"), "a finished run's configuration is not read"


def test_a_result_that_was_edited_is_refused(folder: Path) -> None:
    file = folder / "late-s0-0123456789" / "result.json"
    file.write_text(file.read_text().replace('"best_epoch": 9', '"best_epoch": 8'))
    assert "its content was changed" in pages(folder).study("demo")["runs"][0]["reason"]  # type: ignore[index]


def test_fifty_studies_of_a_hundred_runs_are_listed_in_time(tmp_path: Path) -> None:
    arms, seeds = [f"arm{number}" for number in range(20)], (0, 1, 2, 3, 4)
    names = {(arm, seed): f"{arm}-s{seed}-0123456789" for seed in seeds for arm in arms}
    made = made_result(tmp_path / "made" / "arm0-s0-0123456789", RunConfig(study="demo", arm="arm0"))
    content = made.model_dump(mode="json", exclude={"seal"})
    for (arm, seed), name in names.items():
        result = content | {"arm": arm, "seed": seed}
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text("{}")
        (tmp_path / "runs" / name / "result.json").write_text(
            json.dumps(result | {"seal": digest_of(result)})
        )
    record = StudyRecord(
        manifest="", name="demo", title="", axes=("fusion",), seeds=seeds, limits=None,
        arms=tuple(ArmRecord(name=arm, role="fusion") for arm in arms), runs=tuple(names.values()),
    )  # fmt: skip
    for number in range(50):
        study = tmp_path / "root" / f"study{number}"
        study.mkdir(parents=True)
        (study / "study.json").write_text(record.text())
        for name in names.values():
            (study / name).symlink_to(tmp_path / "runs" / name)
    began = time.process_time()
    shown = Pages(tmp_path / "root", tmp_path / "reports").listing()["studies"]
    assert time.process_time() - began < 2
    assert (len(shown), sum(study["finished"] for study in shown)) == (50, 5000)


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


@pytest.fixture
def ask(folder: Path) -> Iterator[Callable[..., Answer]]:
    """Asks a server on loopback for a path, exactly as it is written."""
    reports = folder.parent / "reports"
    (reports / "demo").mkdir(parents=True)
    (reports / "demo" / "report.html").write_text("<p>the page</p>")
    (reports / "demo" / ".hidden").write_text("secret")
    (reports / "demo" / "out.html").symlink_to(folder / "study.json")
    server = uvicorn.Server(
        uvicorn.Config(app(folder.parent, reports), port=0, log_level="critical", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    def get(path: str, host: str = "localhost", method: str = "GET") -> Answer:
        with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", f"{host}:{port}")
            connection.endheaders()
            found = connection.getresponse()
            return Answer(found.status, found.read(), dict(found.headers))

    yield get
    server.should_exit = True
    thread.join(20)


def test_it_serves_the_page_and_reports_and_nothing_else(ask: Callable[..., Answer]) -> None:
    assert b"<h1>Studies</h1>" in ask("/").body
    for file in ("/dashboard.js", "/dashboard.css"):
        assert ask(file).status == 200
    assert json.loads(ask("/api/studies/demo").body)["name"] == "demo"
    report = ask("/reports/demo/report.html")
    assert report.body == b"<p>the page</p>"
    assert report.headers["content-security-policy"].startswith("sandbox allow-scripts;")
    refused = [
        "/reports/../demo/study.json", "/reports/%2e%2e/demo/study.json", "/reports/..%2fdemo%2fstudy.json",
        "/reports//etc/passwd", "/reports/%2Fetc%2Fpasswd", "/reports/demo/.hidden", "/reports/demo/out.html",
        "/reports/demo", "/reports/demo/%00.html", "/api/studies/..", "/api/studies/%2e%2e%2fdemo",
        "/server.py", "/dashboard.html.j2", "/api/studies/reports",
    ]  # fmt: skip
    assert {path: ask(path).status for path in refused} == dict.fromkeys(refused, 404)
    assert ask("/", method="POST").status == 405


def test_a_page_elsewhere_that_calls_itself_this_server_is_refused(ask: Callable[..., Answer]) -> None:
    for path in ("/", "/api/studies", "/reports/demo/report.html"):
        assert ask(path, host="evil.example").status == 400
        assert ask(path, host="127.0.0.1").status == 200


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "There is no folder"),
        (["demo"], "is one study"),
        ([".", "--host", "192.0.2.1"], "--port 0 takes a free one"),
    ],
)
def test_what_cannot_be_shown_is_told(
    folder: Path,
    arguments: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(SystemExit) as ended:
        main(["dashboard", *arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
