"""References into feature files: each format gives the part that is named, once opened."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.clips import feature_files
from mmvideo.clips.feature_files import join_reference, read_array, split_reference
from mmvideo.errors import InputError

CUBE = np.arange(24, dtype=np.float64).reshape(2, 3, 4)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    np.save(tmp_path / "cube.npy", CUBE)
    np.savez(tmp_path / "two.npz", a=CUBE[0], **{"b/c": CUBE[1]})
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["visual/a1"] = CUBE[0]
        file["cube"] = CUBE
        file["name"] = "text"
    (tmp_path / "plain.csv").write_text('"0.5","1","2"\n"3","4","1e2"\n')
    (tmp_path / "named.csv").write_text("frame,face,x,y\n1,good,0.5,0.25\n2,bad,1,2\n")
    layout = {"train": {"vision": CUBE, "id": ["a", "b"], "list": [[1, 2], [3, 4]]}}
    (tmp_path / "mmsa.pkl").write_bytes(pickle.dumps(layout))
    return tmp_path


@pytest.mark.parametrize(("name", "steps", "expected"), [
    ("cube.npy", "", CUBE), ("cube.npy", "1", CUBE[1]), ("cube.npy", "1/2", CUBE[1, 2]),
    ("cube.npy", "1/1:3", CUBE[1, :, 1:3]), ("cube.npy", "1/:2", CUBE[1, :, :2]),
    ("two.npz", "a", CUBE[0]), ("two.npz", "a/2", CUBE[0, 2]),
    ("two.npz", "b/c", CUBE[1]), ("two.npz", "b/c/0", CUBE[1, 0]),
    ("all.h5", "visual/a1", CUBE[0]), ("all.h5", "cube/1", CUBE[1]), ("all.h5", "cube/1/2:", CUBE[1, :, 2:]),
    ("all.h5", "cube/:1", CUBE[..., :1]),
    ("plain.csv", "1", np.array([3.0, 4, 100])), ("plain.csv", "", np.array([[0.5, 1, 2], [3, 4, 100]])),
    ("plain.csv", "0/0:2", np.array([0.5, 1])),
    ("named.csv", "1/2:", np.array([1.0, 2])), ("named.csv", "2:4", np.array([[0.5, 0.25], [1, 2]])),
    ("mmsa.pkl", "train/vision/1", CUBE[1]), ("mmsa.pkl", "train/list/1", np.array([3.0, 4])),
])  # fmt: skip
def test_the_part_that_is_named(files: Path, name: str, steps: str, expected: np.ndarray) -> None:
    found = read_array(files / name, steps)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize(("name", "steps", "message"), [
    ("cube.npy", "2", r"cube.npy#2: row 2 of 2; the first is 0"),
    ("cube.npy", "a", "'a' is neither a key of a table of names, a row"),
    ("cube.npy", "0/4:9", "there are no columns 4:9"),
    ("cube.npy", "-1", "'-1' is neither"),
    ("two.npz", "", r"table of names, not an array; choose one: 'a', 'b/c'"),
    ("two.npz", "b", r"there is no 'b'; there is 'a', 'b/c'"),
    ("all.h5", "visual/a2", r"all.h5#visual/a2: there is no 'a2'; there is 'a1'"),
    ("all.h5", "visual", "table of names"),
    ("all.h5", "name", "what is there are not numbers"),
    ("named.csv", "1", "what is there are not numbers"),
    ("mmsa.pkl", "train/id/0", "what is there are not numbers"),
    ("mmsa.pkl", "train/id/5", "row 5 of 2"),
    ("mmsa.pkl", "valid/vision/0", "there is no 'valid'; there is 'train'"),
    ("mmsa.pkl", "train/vision/0/0/0/0", "'0' is neither a key|row 0 of"),
    ("none.npy", "", r"none.npy cannot be read: No such file"),
])  # fmt: skip
def test_what_is_not_there(files: Path, name: str, steps: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_array(files / name, steps)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.h5", "x.csv", "x.pkl"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01garbage\xff"])
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_array(tmp_path / name)


def test_an_unknown_format(tmp_path: Path) -> None:
    (tmp_path / "x.mat").write_bytes(b"")
    with pytest.raises(InputError, match=r"features must be one of \.npy, .*\.pickle, not '\.mat'"):
        read_array(tmp_path / "x.mat")


def test_objects_in_an_npy_file_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"objects.npy is not a valid .npy file"):
        read_array(tmp_path / "objects.npy")


@pytest.mark.parametrize("name", ["plain.csv", "mmsa.pkl", "cube.npy"])
def test_a_file_is_read_once_a_process_and_again_when_it_changes(
    files: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    reader: Callable[[str], Any] = feature_files.READERS[Path(name).suffix]
    counted = {**feature_files.READERS, Path(name).suffix: lambda path: (read.append(path), reader(path))[1]}
    monkeypatch.setattr(feature_files, "READERS", counted)
    steps = {"plain.csv": "0", "mmsa.pkl": "train/vision/0", "cube.npy": "0"}[name]
    for _ in range(5):
        read_array(files / name, steps)
    assert len(read) == 1
    os.utime(files / name, (1, 1))
    read_array(files / name, steps)
    assert len(read) == 2


def test_what_is_read_is_the_callers_own(files: Path) -> None:
    first = read_array(files / "cube.npy", "0")
    first[:] = -1
    np.testing.assert_array_equal(read_array(files / "cube.npy", "0"), CUBE[0].astype(np.float32))


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="#")))
def test_a_reference_is_taken_apart_as_it_was_joined(path: str, steps: str) -> None:
    assert split_reference(join_reference(path, steps)) == (path, steps)
