"""What is found below a folder, whatever its links make of it."""

from collections import defaultdict

from mmvideo.recipes.discovery import FAN, UNREACHED, Told, files_below


def test_folders_that_link_to_one_another_are_gone_through_a_bounded_number_of_times(tmp_path):
    folders = [tmp_path / f"f{n}" for n in range(9)]
    for folder in folders:
        folder.mkdir()
        (folder / "a.mp4").touch()
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    told: Told = defaultdict(list)
    found = files_below(tmp_path, told)
    assert {path.resolve() for path in found} == {folder / "a.mp4" for folder in folders}
    assert len(found) <= 9 * 100  # all ways without a circle are 986,409
    assert told[UNREACHED]
    assert told[FAN]
