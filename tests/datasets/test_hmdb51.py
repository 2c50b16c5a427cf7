from collections import Counter

import pytest

from mmvideo.errors import InputError
from mmvideo.recipes import prepare

# Names and parts as in the official lists of split 1.
BRUSH_HAIR = """\
April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1
April_09_brush_hair_u_nm_np1_ba_goo_1.avi 1
Aussie_Brunette_Brushing_Hair_II_brush_hair_u_nm_np1_ba_goo_4.avi 0
Brushing_Her_Hair__[_NEW_AUDIO_]_UPDATED!!!!_brush_hair_h_cm_np1_fr_goo_0.avi 2
brushing_hair_2_brush_hair_h_nm_np1_ba_med_0.avi 1
brushing_hair_brush_hair_f_cm_np2_ri_goo_0.avi 1
"""
CLIMB_STAIRS = """\
Just_Say_NO_to_AQUA_DOTS!_climb_stairs_l_nm_np1_ba_med_0.avi 1
I_DO_NOT_Run_Up_Stairs_Like_A_GIRL_climb_stairs_l_cm_np1_ba_med_0.avi 1
TheBoondockSaints_climb_stairs_f_cm_np3_ba_med_125.avi 2
treppensteigen_1_climb_stairs_f_cm_np2_fr_med_0.avi 2
"""
SUFFIX = "_test_split1.txt"


@pytest.fixture(scope="module")
def hmdb51(load_recipe):
    return load_recipe("hmdb51")


@pytest.fixture
def download(tmp_path, make_files):
    source = tmp_path / "download"
    lists = {"brush_hair": BRUSH_HAIR, "climb_stairs": CLIMB_STAIRS}
    (source / "testTrainMulti_7030_splits").mkdir(parents=True)
    for label, text in lists.items():
        (source / "testTrainMulti_7030_splits" / f"{label}{SUFFIX}").write_text(text.replace("\n", " \n"))
        names = [line.split()[0] for line in text.splitlines()]
        make_files(source / "hmdb51_org" / label, names)
    return source


def run(hmdb51, source, out, **options):
    return prepare(hmdb51.RECIPE, hmdb51.Options(source=source, out=out, **options))


@pytest.mark.parametrize(
    ("name", "label", "source"),
    [
        ("April_09_brush_hair_u_nm_np1_ba_goo_0.avi", "brush_hair", "April_09"),
        ("brushing_hair_2_brush_hair_h_nm_np1_ba_med_0.avi", "brush_hair", "brushing_hair_2"),
        ("brushing_hair_brush_hair_f_cm_np2_ri_goo_0.avi", "brush_hair", "brushing_hair"),
        ("20060723sfjffbartsinger_wave_f_cm_np1_ba_med_0.avi", "wave", "20060723sfjffbartsinger"),
        ("TheBoondockSaints_climb_stairs_f_cm_np3_ba_med_125.avi", "climb_stairs", "TheBoondockSaints"),
        ("IAIDO_-_Training_draw_sword_f_cm_np4_le_med_3.avi", "draw_sword", "IAIDO_-_Training"),
        ("(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_0.avi", "cartwheel", "(Rad)Schlag_die_Bank!"),
    ],
)
def test_the_source_is_what_stands_before_class_and_tags(hmdb51, name, label, source):
    assert hmdb51.source_of(name, label) == source


def test_rows_follow_the_lists(hmdb51, download, tmp_path, rows):
    outcome = run(hmdb51, download, tmp_path / "out", check=True)
    clips = rows(outcome)
    assert Counter((c.label, c.split == "test") for c in clips.values()) == {
        ("brush_hair", False): 4,
        ("brush_hair", True): 1,
        ("climb_stairs", False): 2,
        ("climb_stairs", True): 2,
    }
    april = [c for name, c in clips.items() if "April" in name]
    assert {clip.group for clip in april} == {"brush_hair/April_09"}
    assert len({clip.split for clip in april}) == 1
    assert clips["climb_stairs/treppensteigen_1_climb_stairs_f_cm_np2_fr_med_0"].split == "test"
    assert outcome.leaks == ""
    unused = "brush_hair/Aussie_Brunette_Brushing_Hair_II_brush_hair_u_nm_np1_ba_goo_4.avi"
    assert outcome.notes == {"listed videos are in neither part of this split": [unused]}


def test_the_check_counts_seventy_and_thirty_a_class_and_names_what_is_missing(hmdb51, download, tmp_path):
    (download / "hmdb51_org/brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_1.avi").unlink()
    problems = "\n".join(run(hmdb51, download, tmp_path / "out", check=True).problems)
    assert "train 6 instead of 3,570, test 3 instead of 1,530" in problems
    assert "2 classes are listed instead of the published 51" in problems
    assert "brush_hair train 4 instead of 70, brush_hair test 1 instead of 30" in problems
    assert "1 of 9 listed clips has no file (train 1): brush_hair/April_09" in problems


def test_a_source_on_both_sides_leaves_train(hmdb51, download, tmp_path, rows):
    path = download / "testTrainMulti_7030_splits" / f"brush_hair{SUFFIX}"
    path.write_text(BRUSH_HAIR.replace("np1_ba_goo_1.avi 1", "np1_ba_goo_1.avi 2"))
    outcome = run(hmdb51, download, tmp_path / "out", check=True)
    aside = "training clips come from a video that test has clips of"
    assert outcome.set_aside[aside] == ["brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0"]
    assert outcome.leaks == ""
    assert rows(outcome)["brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_1"].split == "test"


def test_strange_lists_are_refused(hmdb51, download, tmp_path):
    with pytest.raises(InputError, match=r"<class>_test_split3\.txt"):
        run(hmdb51, download, tmp_path / "out", split=3)
    path = download / "testTrainMulti_7030_splits" / f"brush_hair{SUFFIX}"
    path.write_text("April_09_brush_hair_u_nm_np1_ba_goo_0.avi 7\n")
    with pytest.raises(InputError, match="1 lines are not"):
        run(hmdb51, download, tmp_path / "out")
    path.write_text("April_09.avi 1\n")
    with pytest.raises(InputError, match="is not named <source>_<class>"):
        run(hmdb51, download, tmp_path / "out")
