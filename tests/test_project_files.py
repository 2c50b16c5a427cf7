"""What stands beside the code agrees with it: citation, changelog, pages."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import mmvideo
from mmvideo.cli import COMMANDS, main
from mmvideo.components import FUSIONS, OBJECTIVES

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = ("strategies", "objectives")


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_the_citation_is_valid_and_of_this_version() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # all that 1.2.0 requires
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("software", "dataset")
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    project = tomllib.loads(text("pyproject.toml"))["project"]
    found = (citation["version"], citation["license"], citation["keywords"])
    assert found == (mmvideo.__version__, project["license"], project["keywords"])


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.*)$", text("CHANGELOG.md"), re.M)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
    kinds = set(re.findall(r"^### (.*)$", text("CHANGELOG.md"), re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_pages_name_only_fusions_objectives_and_commands_that_exist() -> None:
    """The reverse is not asked for but of commands: a new fusion is one file and one line."""
    strategies, objectives = (re.findall(r"^\| (`.*?`) \|", text(f"docs/{page}.md"), re.M) for page in PAGES)
    assert len(strategies) > 10
    assert set(re.findall(r"`(\w+)`", " ".join(strategies))) <= set(FUSIONS)
    assert len(objectives) > 5
    assert set(re.findall(r"`(\w+)`", " ".join(objectives))) <= set(OBJECTIVES)
    commands = re.findall(r"^mmvideo (.* \| .*)$", text("docs/configuration.md"), re.M)[0].split(" | ")
    assert sorted(commands) == sorted(COMMANDS)


def test_pages_name_only_files_that_exist() -> None:
    pages = [*sorted((REPOSITORY / "docs").glob("*.md")), REPOSITORY / "CONTRIBUTING.md"]
    assert len(pages) > 8
    folders = r"`((?:mmvideo|experiments|datasets|tests|docs)/[\w./-]*)`"
    named = {path for page in pages for path in re.findall(folders, page.read_text(encoding="utf-8"))}
    assert len(named) > 15
    assert sorted(path for path in named if not (REPOSITORY / path).exists()) == []


def test_the_switches_that_the_page_on_gpus_lists_are_taken_as_they_stand_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    switches = re.findall(r"^\| `(--.+?)` \|", text("docs/gpu.md"), re.M)
    assert len(switches) > 4
    base = f"{REPOSITORY / 'experiments' / 'bases.py'}:planted"
    with pytest.raises(SystemExit) as ended:
        main(["train", base, *" ".join(switches).split(), "--dry-run"])
    assert ended.value.code == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["train"]["compile"] is True
