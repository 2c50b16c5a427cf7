"""References into feature files: each format gives the part that is named, once opened."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import example, given
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


@pytest.mark.parametrize(("name", "content", "message"), [
    ("x.npy", np.array([1 + 2j]), r"complex numbers \(complex128\) are no features"),
    ("x.npy", np.array(["1", "2"]), "are not numbers"),
    ("x.npy", np.array([(1, 2)], "i4,i4"), "are not numbers"),
    ("x.npy", np.array([1234567890123456789]), "whole numbers such as 1234567890123456789 do not fit 32-bit"),
    ("x.npy", np.array([2**53 + 1]), "do not fit 32-bit"),
    ("x.pkl", [1, 2j], "asks for 'builtins.complex'"),
    ("x.pkl", [10**30], "more than 64 bits"),
    ("x.pkl", [1, None], "are not numbers"),
    ("x.pkl", ["1", "2"], "are not numbers"),
    ("x.pkl", np.array([1, "2"], dtype=object), "are not numbers"),
    ("x.pkl", [[1, 2], [3]], "are not numbers"),
    ("x.csv", "a,b\n1,2,3\n", "its rows have 3 cells and its head has 2"),
    ("x.csv", "1,2\n1,2,3\n", "not a valid .csv file"),
    ("x.csv", "a;b\n1;2\n", "are not numbers"),
])  # fmt: skip
def test_what_are_no_features(tmp_path: Path, name: str, content: Any, message: str) -> None:
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, content)
    else:
        path.write_bytes(content.encode() if name == "x.csv" else pickle.dumps(content))
    with pytest.raises(InputError, match=rf"{name}.*{message}"):
        read_array(path)


@pytest.mark.parametrize("values", [[2**24, -(2**24), 3], [1234567936], [True, False], [65535]])
def test_whole_numbers_that_fit_are_features(tmp_path: Path, values: list[int]) -> None:
    np.save(tmp_path / "x.npy", np.array(values))
    assert read_array(tmp_path / "x.npy").tolist() == values


def header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue()


class TestSizes:
    """What a file says it holds is compared with what it is, before memory is taken."""

    @pytest.mark.parametrize("shape", [(10**6, 10**6), (10**30,), (3,), (-1,)])
    def test_npy(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        (tmp_path / "x.npy").write_bytes(header(shape) + bytes(8))
        with pytest.raises(InputError, match=r"x\.npy is not a valid \.npy file"):
            read_array(tmp_path / "x.npy")

    def test_a_file_full_of_holes(self, tmp_path: Path) -> None:
        with (tmp_path / "x.npy").open("wb") as file:
            file.write(header((2**20, 2**10)))
            file.truncate(file.tell() + 2**33)
        with pytest.raises(InputError, match=r"one clip's features would take 4,096 MiB; at most 1,024"):
            read_array(tmp_path / "x.npy")
        with pytest.raises(InputError, match="what columns are chosen from would take 8,192 MiB"):
            read_array(tmp_path / "x.npy", "0:3")
        assert read_array(tmp_path / "x.npy", "7").shape == (2**10,)

    def test_npz(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("small.npy", header((2,)) + bytes(16))
            archive.writestr("short.npy", header((10**6, 10**6)) + bytes(8))
            with archive.open("bomb.npy", "w", force_zip64=True) as file:
                file.write(header((80, 2**17)))
                for _ in range(80):
                    file.write(bytes(2**20))
        assert read_array(tmp_path / "x.npz", "small").tolist() == [0, 0]
        with pytest.raises(InputError, match=r"x\.npz#short: 'short' has not as many bytes as its shape"):
            read_array(tmp_path / "x.npz", "short")
        with pytest.raises(
            InputError, match=r"'bomb', in a file much smaller, would take 80 MiB; at most 64"
        ):
            read_array(tmp_path / "x.npz", "bomb/0")

    def test_hdf5(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("huge", (10**6, 10**6), "f4", chunks=(1, 1000), compression="gzip")
            file.create_dataset("rows", (10**9, 4), "f4", chunks=(1000, 4))
            file.create_dataset("chunk", (1, 2**25), "f4", chunks=(1, 2**25), compression="gzip")
        for steps in ("huge", "rows", "huge/0:3", "rows/:2", "chunk/0"):
            with pytest.raises(InputError, match=r"x\.h5#.* would take .* at most"):
                read_array(tmp_path / "x.h5", steps)
        assert read_array(tmp_path / "x.h5", "rows/999999999").tolist() == [0] * 4


def test_an_hdf5_file_opens_no_other(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.ones(3)
    (tmp_path / "raw.bin").write_bytes(bytes(24))
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "x", (3,))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["own/a"] = np.arange(3.0)
        file["soft"] = h5py.SoftLink("/own/a")
        file["own/beside"] = h5py.SoftLink("a")
        file["link"] = h5py.ExternalLink("secret.h5", "/x")
        file["folder"] = h5py.ExternalLink("secret.h5", "/")
        file["around"] = h5py.SoftLink("/folder/x")
        file["circle"] = h5py.SoftLink("/circle")
        file["nowhere"] = h5py.SoftLink("/nothing")
        file["type"] = np.dtype("f4")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("outside", (3,), "f8", external=[(str(tmp_path / "raw.bin"), 0, 24)])
    for steps in ("own/a", "soft", "own/beside"):
        assert read_array(tmp_path / "x.h5", steps).tolist() == [0, 1, 2]
    for steps, message in {
        "link": "'link' is a link to another file",
        "folder/x": "'folder' is a link to another file",
        "around": "'folder' is a link to another file",
        "circle": "a link to a link",
        "nowhere": "there is no 'nowhere'",
        "type": "neither a group nor an array",
        "virtual": "keeps its values in other files",
        "outside": "keeps its values in other files",
    }.items():
        with pytest.raises(InputError, match=rf"x\.h5#{steps}: .*{message}"):
            read_array(tmp_path / "x.h5", steps)


@pytest.mark.parametrize("steps", ["9" * 5000, "0:" + "9" * 5000, "/".join("0" * 40), "a" * 10_000])
def test_steps_have_an_end(files: Path, steps: str) -> None:
    with pytest.raises(InputError, match=r"cube\.npy"):
        read_array(files / "cube.npy", steps)


@pytest.mark.fuzz
@given(
    st.sampled_from(["npy", "npz", "csv"]),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=5),
)
@example("npy", [(8, b"\xff\xff")])
@example("npz", [(0, b"\x93NUMPY")])
def test_any_mutation_is_an_array_or_an_input_error(tmp_path_factory: Any, kind: str, changes: Any) -> None:
    path = tmp_path_factory.getbasetemp() / f"mutated.{kind}"
    file = io.BytesIO()
    if kind == "csv":
        file.write(b"frame,x\n1,0.5\n2,0.25\n")
    else:
        (np.save if kind == "npy" else np.savez_compressed)(file, CUBE)  # type: ignore[operator]
    content = bytearray(file.getvalue())
    for place, new in changes:
        content[place % len(content) : place % len(content) + len(new)] = new
    path.write_bytes(content)
    try:
        found = read_array(path, "arr_0" if kind == "npz" else "")
    except InputError as error:
        assert path.name in str(error)  # noqa: PT017
        return
    assert found.dtype == np.float32


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


def test_a_file_longer_than_it_states_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 3), np.float32))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "b.npy").write_bytes(content.replace(b"(4, 3)", b"(2, 3)"))
    with pytest.raises(InputError, match=r"b\.npy: 24 bytes stand behind the \(2, 3\) of float32"):
        read_array(tmp_path / "b.npy")
