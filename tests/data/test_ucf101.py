import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

from mmvideo.data.manifest import check_files, read_manifest
from mmvideo.words import InputError

SCRIPT = Path(__file__).parents[2] / "datasets" / "ucf101" / "prepare.py"


@pytest.fixture(scope="module")
def ucf101():
    spec = importlib.util.spec_from_file_location("prepare_ucf101", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def names(label, groups, clips=2):
    return [f"{label}/v_{label}_g{g:02d}_c{c:02d}.avi" for g in groups for c in range(1, clips + 1)]


@pytest.fixture
def download(tmp_path):
    """Two classes of 10 groups; one listed clip is absent, one clip is in no list, one has subtitles."""
    source = tmp_path / "download"
    lists = source / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    train = [name for label in ("Archery", "Biking") for name in names(label, range(4, 11))]
    test = [name for label in ("Archery", "Biking") for name in names(label, range(1, 4))]
    (lists / "trainlist01.txt").write_text("".join(f"{name} 1\r\n" for name in train))
    (lists / "testlist01.txt").write_text("".join(f"{name}\r\n" for name in test))
    for number, name in enumerate([*train, *test, "Biking/v_Biking_g11_c01.avi"]):
        path = source / "UCF-101" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    (source / "UCF-101" / "Archery" / "v_Archery_g04_c01.avi").unlink()
    (source / "UCF-101" / "Biking" / "v_Biking_g01_c02.srt").write_text("")
    return source


def test_rows_follow_the_official_split(ucf101, download, tmp_path, capsys):
    manifest = read_manifest(ucf101.prepare(download, tmp_path / "out", validation_share=0.3, check=True))
    check_files(manifest)
    by_id = {clip.id: clip for clip in manifest.clips}
    clip = by_id["v_Biking_g01_c02"]
    assert (clip.label, clip.group, clip.split) == ("Biking", "Biking_g01", "test")
    assert clip.video == "../download/UCF-101/Biking/v_Biking_g01_c02.avi"
    assert clip.subtitles == "../download/UCF-101/Biking/v_Biking_g01_c02.srt"
    count = Counter((c.label, c.split) for c in manifest.clips)
    assert (count["Biking", "train"], count["Biking", "val"]) == (10, 4)
    assert count["Archery", "test"] == 6
    assert sum(count.values()) == 39
    printed = capsys.readouterr().out
    assert "1 clips listed but not on disk: Archery/v_Archery_g04_c01.avi" in printed
    assert "1 clips on disk but in no list: Biking/v_Biking_g11_c01.avi" in printed
    assert "share no group and no file" in printed
    assert (tmp_path / "out" / "report.txt").read_text() in printed


def test_class_folders_may_lie_directly_in_the_source(ucf101, download, tmp_path):
    for folder in (download / "UCF-101").iterdir():
        folder.rename(download / folder.name)
    (download / "UCF-101").rmdir()
    assert len(read_manifest(ucf101.prepare(download, tmp_path / "out")).clips) == 39


def test_the_seed_decides_the_validation_groups(ucf101, download, tmp_path):
    groups = [
        {c.group for c in read_manifest(ucf101.prepare(download, tmp_path / str(i), seed=seed)).split("val")}
        for i, seed in enumerate([0, 0, 1, 2, 3])
    ]
    assert groups[0] == groups[1]
    assert any(group != groups[0] for group in groups[2:])


def test_what_is_missing_is_said(ucf101, download, tmp_path):
    with pytest.raises(InputError, match=r"There is no .*trainlist02\.txt"):
        ucf101.prepare(download, tmp_path / "out", split=2)
    (download / "UCF-101").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="None of the 40 clips listed for split 1"):
        ucf101.prepare(download, tmp_path / "out")
    (download / "ucfTrainTestlist" / "trainlist01.txt").write_text("../etc/passwd 1\n")
    with pytest.raises(InputError, match="1 lines are not <Class>"):
        ucf101.prepare(download, tmp_path / "out")


@pytest.mark.parametrize(("split", "train", "test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)])
def test_the_official_lists_have_the_published_sizes(ucf101, shared_data, split, train, test):
    folder = shared_data / "ucf101_mini"
    lists = [
        ucf101._read_list(folder / ucf101.LISTS / f"{part}list0{split}.txt") for part in ("train", "test")
    ]
    assert [len(part) for part in lists] == [train, test]
    assert len({*lists[0], *lists[1]}) == 13320
    assert len({name.split("/")[0] for name in lists[0]}) == 101
    found = ucf101.find_clips(folder, folder, split)
    assert (len(found.clips), len(found.absent), found.unlisted) == (125, 13195, [])
