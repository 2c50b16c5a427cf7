from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from made_records import reseal, rewrite
from rich.console import Console

from mmvideo.records import open_run
from mmvideo.report import sections, write_report
from mmvideo.report.calibration import calibration_frame
from mmvideo.report.compare import compare
from mmvideo.report.console import print_comparison, short
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.report.sections.verdicts import verdict_matrix
from mmvideo.study_records import StudyRecord

MakeStudy = Callable[..., Path]
EVIL = "<img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """The page's tags and their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [
            value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")
        ]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] not in (["script"], ["style"]):
            self.text += data


def test_a_page_that_is_made_again_still_says_how_the_study_was_made(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    folder, out = make_study(), tmp_path / "out"
    record = StudyRecord.model_validate_json((folder / "study.json").read_text())
    rewrite(folder / "study.json", record.model_copy(update={"command": "mmvideo ablate mine.py --seeds 3"}))
    write_report(folder, out, reproduce="mmvideo compare runs/demo --margin 0.02")
    page = (out / "report.html").read_text()
    assert page.count("<pre>mmvideo ablate mine.py --seeds 3</pre>") == 1
    assert "<pre>mmvideo compare runs/demo --margin 0.02</pre>" in page
    write_report(folder, out, reproduce="mmvideo ablate mine.py --seeds 3")
    assert (out / "report.html").read_text().count("mmvideo ablate mine.py --seeds 3") == 1


def test_writes_everything(make_study: MakeStudy, tmp_path: Path) -> None:
    comparison, _ = write_report(make_study(), tmp_path / "out", reproduce="make ablation SEEDS=3")
    names = {
        str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file()
    }
    figures = {
        f"figures/{name}.{end}" for name in ("accuracy", "learning_curves", "cost") for end in ("png", "pdf")
    }
    assert names == {"report.html", "summary.csv", "pairs.csv", "comparison.json"} | figures
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert summary["accuracy"].tolist() == pytest.approx(comparison.table["accuracy"].tolist(), abs=1e-5)
    record = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert record["answer"] == comparison.answer.sentence
    assert record["qualified_by"] == list(comparison.answer.lines)
    page = Elements((tmp_path / "out" / "report.html").read_text())
    for shown in (
        comparison.answer.sentence,
        *(text for point in comparison.answer.points for text in point),
        "make ablation SEEDS=3",
        "0123abcd",
        "f00d",
        "score averaging",
        "Bayes accuracy of visual+audio+text",
    ):
        assert shown in page.text


def test_an_unchanged_report_may_be_kept(
    make_study: MakeStudy, fake_arm: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures and page are stand-ins here, for speed."""
    monkeypatch.setattr("mmvideo.report.figures.write_figures", lambda comparison, folder: [])
    monkeypatch.setattr("mmvideo.report.page.render", lambda *given: "page")
    arms = {"late": fake_arm(0.7), "text": fake_arm(0.5, ("text",), "control", "single")}
    study, out = make_study(arms), tmp_path / "out"
    assert write_report(study, out, keep=True)[1], "there was none"
    before = (out / "report.html").stat().st_mtime_ns
    assert not write_report(study, out, keep=True)[1]
    assert (out / "report.html").stat().st_mtime_ns == before
    assert write_report(study, out)[1], "asked for, it is written again"
    (out / "report.html").unlink()
    assert write_report(study, out, keep=True)[1], "a part of it is gone"
    run = next(study.glob("*/result.json")).parent
    costs = open_run(run).costs
    reseal(run, costs=costs.model_copy(update={"train_seconds": costs.train_seconds + 100}))
    assert write_report(study, out, keep=True)[1], "a run says something else"


def test_page_loads_nothing_and_escapes_names(make_study: MakeStudy, fake_arm: type, tmp_path: Path) -> None:
    arms = {
        EVIL: fake_arm(0.8),
        "$x_": fake_arm(0.7, fusion="late"),
        "text": fake_arm(0.5, ("text",), "control", "single"),
    }
    write_report(make_study(arms, skip=("$x_-s0",)), tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text()
    page = Elements(html)
    assert page.links == []
    assert not set(page.tags) & {"link", "iframe", "img", "object", "base", "a"}
    assert "default-src 'none'" in html
    assert page.tags.count("script") - html.count('<script type="application/json"') == 2
    assert EVIL not in html
    assert EVIL in page.text
    libraries = max(re.findall(r"<script>.*?</script>", html, flags=re.DOTALL), key=len)
    own = html.replace(libraries, "")
    assert len(own) < 200_000, "Vega stands in the page once, in a script of its own"
    assert not re.search(r"(@import|url\(|https?://)", own)


def test_a_note_under_a_table_is_no_part_of_what_scrolls(make_study: MakeStudy) -> None:
    page = render(compare(load_study(make_study(n_clips=100))), "")
    scrolling = re.findall(r'<div class="scroll.*?</div>', page, flags=re.DOTALL)
    assert len(scrolling) > 3
    assert not any("caption" in part for part in scrolling)
    assert page.count('<p class="caption">') >= 2


def test_matrix_is_antisymmetric(make_study: MakeStudy) -> None:
    matrix = verdict_matrix(compare(load_study(make_study())))
    there, back = matrix["hierarchical"]["late"], matrix["late"]["hierarchical"]
    assert (there["verdict"], back["verdict"]) == ("better", "worse")
    assert (back["difference"], back["low"], back["high"]) == (
        -there["difference"],
        -there["high"],
        -there["low"],
    )
    assert matrix["hierarchical"]["text"]["verdict"] == "better"


def test_console_fits_and_escapes(make_study: MakeStudy, fake_arm: type) -> None:
    arms = {
        "[red]odd": fake_arm(0.8),
        "late": fake_arm(0.6),
        "text": fake_arm(0.5, ("text",), "control", "single"),
    }
    comparison = compare(load_study(make_study(arms)))
    console = Console(width=120, record=True, file=io.StringIO())
    print_comparison(comparison, console)
    printed = console.export_text()
    assert max(len(line) for line in printed.splitlines()) <= 120
    for shown in ("[red]odd", "majority class", "parameters", "better", "reference"):
        assert shown in printed
    assert "…" not in printed


def test_the_studys_own_notes_come_first(make_study: MakeStudy) -> None:
    study = make_study(n_clips=100, skip=("late-s0",))
    record = StudyRecord.model_validate_json((study / "study.json").read_text())
    note = "The data have no <text>."
    rewrite(study / "study.json", record.model_copy(update={"notes": (note,)}))
    comparison = compare(load_study(study))
    assert comparison.record().notes[0] == comparison.notes[0] == note
    assert len(comparison.notes) > 1
    console = Console(width=120, record=True, file=io.StringIO())
    print_comparison(comparison, console)
    assert f"Note: {note}" in console.export_text()
    assert '<div class="notes">\n<p>The data have no &lt;text&gt;.</p>' in render(comparison, "")


def test_a_section_is_one_module_and_one_template(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = """
from mmvideo.report.sections import Content

POSITION = 35

def content(comparison):
    return Content({"best": comparison.leader})
"""
    (tmp_path / "added_by_a_test.py").write_text(module)
    (tmp_path / "added_by_a_test.html.j2").write_text("<h2>Added</h2>\n<p>{{ best }} of {{ study.name }}</p>")
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    comparison = compare(load_study(make_study(n_clips=100)))
    page = Elements(render(comparison, "")).text
    assert f"{comparison.leader} of demo" in page
    assert page.index("Results") < page.index("Added") < page.index("Who beats whom")


def test_short_numbers() -> None:
    assert [short(value) for value in (12, 1234, 1_234_567, 2.5e9, 3e12)] == [
        "12",
        "1.23k",
        "1.23M",
        "2.5G",
        "3T",
    ]


def test_the_report_needs_no_torch() -> None:
    modules = "mmvideo.report, mmvideo.report.page, mmvideo.report.figures, mmvideo.report.console"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


OWN_NAMES = {"visual": "flow", "audio": "mrna", "text": "pose"}


def with_own_names(study: Path) -> Path:
    """The study as if its three modalities were of the user's own names."""
    for file in study.glob("*/result.json"):
        rows = (file.parent / "predictions_test.jsonl").read_text()
        for old, new in OWN_NAMES.items():
            rows = rows.replace(f'"{old}"', f'"{new}"')
        (file.parent / "predictions_test.jsonl").write_text(rows)
        names = tuple(OWN_NAMES[m] for m in open_run(file.parent, reading=()).modalities)
        deciding = {"modalities": list(names), "inputs": {m: {"kind": "features"} for m in names}}
        presence = {"+".join(names): (200, 180, 190, 170)}
        reseal(file.parent, modalities=names, deciding=deciding, train_presence=presence)
    return study


def test_modalities_of_ones_own_names_get_the_whole_report(make_study: MakeStudy, tmp_path: Path) -> None:
    given = with_own_names(make_study(limits=None, n_clips=100))
    comparison, _ = write_report(given, tmp_path / "out")
    rows = comparison.table.set_index("arm")
    assert rows.loc["hierarchical", "modalities"] == "flow+mrna+pose"
    assert rows.loc["score averaging", "modalities"] == "flow+mrna+pose"
    assert {"majority class", "missingness baseline"} <= set(rows.index)
    assert not (tmp_path / "out" / "report.html").read_text().count("visual+audio")


@pytest.mark.parametrize("words", ["shuffled", "score average", "presence only", "known limit", "told"])
def test_the_page_speaks_in_the_fields_words(make_study: MakeStudy, tmp_path: Path, words: str) -> None:
    comparison = compare(load_study(make_study(n_clips=100)))
    page = render(comparison, "")
    visible = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    console = Console(width=120, record=True, file=io.StringIO())
    print_comparison(comparison, console)
    assert words not in visible + console.export_text() + comparison.record().text()


@pytest.mark.parametrize("known", [True, False])
def test_the_bayes_accuracy_is_spoken_of_where_it_is_known(make_study: MakeStudy, known: bool) -> None:
    found = compare(load_study(make_study() if known else make_study(limits=None)))
    page = Elements(render(found, "")).text
    console = Console(file=io.StringIO(), width=200)
    print_comparison(found, console)
    assert isinstance(console.file, io.StringIO)
    assert ("Grey tick" in page) == known
    assert ("Bayes" in console.file.getvalue()) == known


def test_a_page_of_140_runs_is_small(
    make_study: MakeStudy, fake_arm: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """28 arms of 5 seeds; each arm's runs are one run five times, so that they are made fast."""
    names = [f"{fusion} of inputs {number}" for fusion in ("early", "late") for number in range(13)]
    arms = {name: fake_arm(0.6 + 0.01 * place) for place, name in enumerate(names)}
    arms |= {name: fake_arm(0.5, (name,), "control", "single") for name in ("visual", "audio")}
    study = load_study(make_study(arms, seeds=(0,), n_clips=100))
    repeated = tuple(replace(arm, runs=arm.runs * 5) for arm in study.arms)
    comparison = compare(replace(study, arms=repeated, seeds=tuple(range(5))))
    rows = calibration_frame(study)  # the same, for less
    monkeypatch.setattr("mmvideo.report.sections.calibration.calibration_frame", lambda study: rows)
    page = render(comparison, "")
    assert comparison.study.n_runs == 140
    assert len(page.encode()) < 1_500_000
    charts = re.findall(r'<script type="application/json" id="[\w]+-chart">(.*?)</script>', page)
    assert len(charts) >= 5
    assert max(map(len, charts)) < 200_000, "each is parsed by itself, when it is drawn"
