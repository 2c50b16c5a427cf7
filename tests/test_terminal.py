"""Names of any kind on terminals of any kind."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from mmvideo.terminal import escape, note, visible

NAME = "a\x1b[31m\u202e[bold]\u00e9"


def test_what_would_steer_a_terminal_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert visible(NAME) == "a\\x1b[31m\\u202e[bold]\u00e9"
    assert visible("one\n\ttwo \r\0\u200b\U000e0001") == "one\n\ttwo \\r\\x00\\u200b\\U000e0001"
    assert escape(NAME) == "a\\x1b[31m\\u202e\\[bold]\u00e9"
    note(NAME)
    assert capsys.readouterr().err == "Note: a\\x1b[31m\\u202e[bold]\u00e9\n"


def test_any_name_can_be_told_on_an_ascii_terminal(tmp_path: Path) -> None:
    name = NAME.replace("\x1b", "")  # which no manifest holds
    for label in ("a", name):
        for take in range(4):
            path = tmp_path / "source" / label / f"{name}{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 1, 8000, 0, "NONE", ""))
                file.writeframes(f"{label}{take}".encode())
    command = ["prepare", "folder", "--source", str(tmp_path / "source"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "mmvideo", *command],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout + done.stderr
    assert told.isascii()
    assert b"\x1b" not in told
    assert b"manifest.jsonl" in told
