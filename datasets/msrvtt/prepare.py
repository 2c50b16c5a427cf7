"""MSR-VTT: 10,000 web video clips in 20 categories, each with 20 captions.

mmvideo prepare msrvtt --source ~/downloads/MSRVTT --out data/msrvtt --check
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.recipes import (
    BaseOptions,
    Known,
    Listing,
    Recipe,
    main,
    overlapping,
    read_json,
    subtitles_beside,
)
from mmvideo.vocabulary import Split

CATEGORIES = (
    *("music", "people", "gaming", "sports/actions", "news/events/politics", "education", "tv shows"),
    *("movie/comedy", "animation", "vehicles/autos", "howto", "travel", "science/technology"),
    *("animals/pets", "kids/family", "documentary", "food/drink", "cooking", "beauty/fashion"),
    "advertisement",
)
"""Named by their place, as in the download's category.txt."""
PARTS: dict[str, Split] = {"train": "train", "validate": "val", "test": "test"}
FOLDERS = ("TrainValVideo", "TestVideo", "videos/all", "videos", "")
LISTS = ("MSRVTT_data.json", "train_val_videodatainfo.json", "test_videodatainfo.json")


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Flags of the recipe."""

    captions: int = 1
    """How many of a clip's captions become its metadata field `captions`."""
    keep_overlap: bool = False
    """Keep clips whose source video another split shows too. Training refuses such a manifest."""


def listing(options: Options) -> Listing:
    """Every clip of the official lists, grouped by the web video it was cut from."""
    if options.captions < 0:
        raise InputError(f"--captions is {options.captions}; give 0 or more.")
    records, captions = _read(options.source)
    clips = [_clip(record, captions, options) for record in records]
    shared = [] if options.keep_overlap else overlapping(clips)
    return Listing(clips, {"clips show a web video that a later split has too": shared})


def _read(source: Path) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """The clips, and each clip's captions in the order of their numbers, of all lists there are."""
    records: dict[str, dict[str, Any]] = {}
    sentences: dict[str, dict[int, str]] = defaultdict(dict)
    paths = [path for name in LISTS for path in (source / name, *sorted(source.glob(f"*/{name}")))]
    for path in (path for path in paths if path.is_file()):
        content = read_json(path, "")
        try:
            for record in content["videos"]:
                records.setdefault(record["video_id"], record)
            for sentence in content["sentences"]:
                sentences[sentence["video_id"]][int(sentence["sen_id"])] = sentence["caption"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is not in MSR-VTT's layout ({error!r}).") from error
    if not records:
        raise InputError(f"{source} has none of {', '.join(LISTS)}, with which MSR-VTT is shipped.")
    ordered = {name: [text for _, text in sorted(texts.items())] for name, texts in sentences.items()}
    return list(records.values()), ordered


def _clip(record: dict[str, Any], captions: dict[str, list[str]], options: Options) -> Clip:
    name = record["video_id"]
    if record["split"] not in PARTS:
        raise InputError(f"{name} is in the split '{record['split']}'; expected {', '.join(PARTS)}.")
    places = [options.source / folder / f"{name}.mp4" for folder in FOLDERS]
    video = next((path for path in places if path.is_file()), places[0 if record["split"] != "test" else 1])
    texts = captions.get(name, [])[: options.captions]
    return Clip(
        id=name,
        label=CATEGORIES[int(record["category"])],
        group=_web_video(record["url"]),
        split=PARTS[record["split"]],
        video=str(video),
        subtitles=subtitles_beside(video),
        metadata={"captions": ". ".join(texts)} if texts else {},
    )


def _web_video(url: str) -> str:
    """The video's id on the site; the whole address where it has another form."""
    return next(iter(parse_qs(urlparse(url).query).get("v", [])), url)


RECIPE = Recipe(
    name="msrvtt",
    title="MSR-VTT",
    url="https://www.microsoft.com/en-us/research/publication/msr-vtt-a-large-video-description-dataset-for-bridging-video-and-language/",
    licence="for research; the videos belong to those who uploaded them (not checked)",
    citation=(
        "J. Xu, T. Mei, T. Yao, Y. Rui. MSR-VTT: A Large Video Description Dataset for Bridging Video and "
        "Language. CVPR 2016."
    ),
    options=Options,
    listing=listing,
    known=lambda options: Known(clips={"train": 6513, "val": 497, "test": 2990}, total=10_000, classes=20),
    defects=(
        "captions were written by people who saw the video: they are no words of its own, and no model would "
        "have them for a new clip",
        "some clips have no audio track",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
