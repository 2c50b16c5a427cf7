"""Every recipe can be found, is described, and says where its data come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmvideo.recipes import BaseOptions, main

FOLDER = Path(__file__).parents[2] / "datasets"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/prepare.py"))
YOUR_OWN = {"folder", "table"}


def test_the_recipes_are_seen() -> None:
    assert {"ucf101", "hmdb51", "kinetics", "vggsound", "ave", "folder", "table"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_described(name: str, load_recipe, capsys) -> None:
    recipe = load_recipe(name).RECIPE
    assert recipe.name == name
    assert issubclass(recipe.options, BaseOptions)
    with pytest.raises(SystemExit) as stopped:
        main(recipe, ["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert recipe.title in text
    if name not in YOUR_OWN:
        assert recipe.url.startswith(("https://", "http://"))
        assert recipe.licence
        assert recipe.citation
        page = (FOLDER / name / "README.md").read_text(encoding="utf-8").lower()
        assert [word for word in ("licence", "citation", "split", "known defects") if word not in page] == []
    assert (FOLDER / name / "README.md").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_in_the_catalogue(name: str) -> None:
    assert f"]({name}/README.md)" in (FOLDER / "README.md").read_text(encoding="utf-8")
