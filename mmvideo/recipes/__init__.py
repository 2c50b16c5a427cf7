"""Data set recipes: a user's own download → manifest, counted against what the data set's authors published.

A recipe is one thin script, `datasets/<name>/prepare.py`. It says what the data set is and which clips its
official lists name; everything else is here: which of the listed files are on disk, a validation split carved
by group, the manifest with relative paths, the report, `--check`, and the command line.

    @dataclass(frozen=True, kw_only=True)
    class Options(CarvedOptions):          # or BaseOptions, where a validation split is official
        split: Literal[1, 2, 3] = 1
        \"\"\"Which official split.\"\"\"

    def listing(options: Options) -> Listing:
        ...                                # every clip the official lists name, on disk or not
        return Listing(clips=[Clip(id=…, label=…, group=…, split="train", video="UCF-101/Archery/a.avi"), …])

    RECIPE = Recipe(
        name="ucf101", title="UCF101", url=…, licence=…, citation=…, options=Options, listing=listing,
        known=lambda options: Known(clips={"train": 9537, "test": 3783}, classes=101), defects=(…,),
    )

    if __name__ == "__main__":
        main(RECIPE)

`mmvideo prepare <name> --source DIR [--out DIR] [--check]` and `python datasets/<name>/prepare.py …` run it.
A test calls `prepare(RECIPE, Options(source=…, out=…, check=True))` and looks at the `Outcome`.
"""

from mmvideo.clips.beside import subtitles_beside
from mmvideo.recipes.base import BaseOptions, CarvedOptions, Known, Listing, Recipe
from mmvideo.recipes.check import Outcome
from mmvideo.recipes.files import (
    metadata_beside,
    number_repeats,
    overlapping,
    safe_name,
    split_by_group,
    split_named,
    videos_by_stem,
)
from mmvideo.recipes.prepare import main, prepare
from mmvideo.recipes.tables import Table, number, read_json, read_list, read_rows

__all__ = [
    "BaseOptions",
    "CarvedOptions",
    "Known",
    "Listing",
    "Outcome",
    "Recipe",
    "Table",
    "main",
    "metadata_beside",
    "number",
    "number_repeats",
    "overlapping",
    "prepare",
    "read_json",
    "read_list",
    "read_rows",
    "safe_name",
    "split_by_group",
    "split_named",
    "subtitles_beside",
    "videos_by_stem",
]
