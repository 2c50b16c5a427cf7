"""A study that is started, watched, interrupted, resumed and finished, as a browser shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from chromium import CHROMIUM, browser

TRAINING = """
import sys, time
from pathlib import Path
from mmvideo.files import append, locked
run, lines = Path(sys.argv[1]), Path(sys.argv[2]).read_text().splitlines(keepends=True)
with locked(run / "run", busy="held"):
    (run / "config.json").touch()
    for line in lines[int(sys.argv[3]):int(sys.argv[4])]:
        append(run / "metrics.jsonl", line)
    print("trains", flush=True)
    time.sleep(100)
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="needs a system that tells of its locks")
def test_a_study_is_watched_from_its_start_to_its_end(
    make_study: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_study(n_clips=40)
    run, whole, failed = folder / "late-s2-0123456789", tmp_path / "whole", folder / "audio-s2-0123456789"
    run.rename(whole)
    for file in failed.iterdir():
        if file.name != "config.json":
            file.unlink()
    (failed / "error.txt").write_text("RuntimeError: <img src=x onerror=alert(1)>")
    run.mkdir()
    shutil.copy(whole / "config.json", run)

    def training(first: int, last: int) -> subprocess.Popen[str]:
        given = [str(run), str(whole / "metrics.jsonl"), str(first), str(last)]
        process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, *given], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "trains\n"
        return process

    command = [sys.executable, "-m", "mmvideo", "dashboard", str(tmp_path), "--port", "0"]
    first, server = training(0, 4), subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    processes = [first, server]
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[3]
        with browser(tmp_path / "profile") as tab:
            tab.open(f"{address}#demo")
            shows = "document.body.innerText.includes"
            tab.wait(
                f"{shows}('epoch 2 of 12') && {shows}('16 of 18') && document.querySelector('#chart svg')"
            )
            assert tab.value("document.querySelector('#runs .training').textContent") == "training"
            assert tab.value(f"{shows}('RuntimeError: <img src=x onerror=alert(1)>')"), "text, and no picture"
            assert tab.value("document.querySelectorAll('img').length") == 0
            assert tab.value("document.documentElement.scrollWidth") <= 390
            tab.value("document.querySelector('#studies a').focus()")
            first.kill()
            first.wait()
            tab.wait(f"{shows}('training elsewhere, or just ended')")
            for file in run.iterdir():
                os.utime(file, (1000, 1000))
            tab.wait("document.querySelector('#runs .stopped')")
            processes.append(training(4, 12))
            tab.wait(f"{shows}('epoch 6 of 12')")
            processes[-1].kill()
            shutil.rmtree(run)
            whole.rename(run)
            tab.wait(f"{shows}('17 of 18')")
            arm = "[...document.querySelectorAll('#arms tr')].find(row => row.cells[0].innerText === 'late')"
            tab.wait(f"{arm}.innerText.includes('3 of 3')")
            assert tab.value("document.activeElement.textContent") == "demo", (
                "where a reader was, there she is"
            )
            requested = [event["params"]["request"]["url"] for event in tab.events
                         if event["method"] == "Network.requestWillBeSent"]  # fmt: skip
            assert all(url.startswith((address, "data:")) for url in requested)
            wrong = [
                event
                for event in tab.events
                if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")
            ]
            assert wrong == []
    finally:
        for process in processes:
            process.kill()
            process.communicate()
