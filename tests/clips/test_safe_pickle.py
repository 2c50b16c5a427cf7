"""Pickles: plain data comes back as it was, and whatever could act is refused before it does."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmvideo.clips.safe_pickle import load_data
from mmvideo.errors import InputError

DATA: dict[str, Any] = {
    "train": {
        "vision": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "text": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "raw_text": np.array(["a film", "no film"]),
        "id": ["v$_$1", "v$_$2"],
        "mixed": np.array(["x", 3, None], dtype=object),
        "regression_labels": np.array([-1.5, 2.0]),
        "one": np.float32(0.5),
        "lengths": (3, 2),
    },
    "ordered": collections.OrderedDict(a=1),
}


class Attack:
    """Asks the reader to call a function, as any object's __reduce__ may."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def written(tmp_path: Path, content: Any, protocol: int = 4) -> Path:
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_comes_back_whatever_the_protocol(tmp_path: Path, protocol: int) -> None:
    found = load_data(written(tmp_path, DATA, protocol))
    assert found.keys() == DATA.keys()
    for name, value in DATA["train"].items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(found["train"][name], value, strict=True)
        else:
            assert found["train"][name] == value


def test_arrays_written_by_numpy_1(tmp_path: Path) -> None:
    """There the core was called numpy.core; its pickles are what is on people's disks."""
    old = pickle.dumps(DATA, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "old.pkl").write_bytes(old)
    found = load_data(tmp_path / "old.pkl")
    np.testing.assert_array_equal(found["train"]["vision"], DATA["train"]["vision"])


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: {"train": [x]}, lambda x: np.array([x], dtype=object)]
)
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.mkdir, ["{}"]),
        (eval, ["__import__('os').mkdir({!r})"]),
        (exec, ["import os; os.mkdir({!r})"]),
        (getattr, [np, "{}"]),
        (np.load, ["{}"]),
        (np.fromfile, ["{}"]),
        (Path, ["{}"]),
        (collections.deque, [["{}"]]),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_is_called(tmp_path: Path, function: Any, arguments: Any, wrap: Any, protocol: int) -> None:
    made = tmp_path / "made"
    filled = [a.format(str(made)) if isinstance(a, str) else a for a in arguments]
    if function is getattr:
        filled = [str, "upper"]
    path = written(tmp_path, wrap(Attack(function, *filled)), protocol)
    with pytest.raises(
        InputError, match=r"features.pkl cannot be read as a pickle of plain data: it asks for '"
    ):
        load_data(path)
    assert not made.exists()


def test_a_name_below_an_allowed_one_is_refused(tmp_path: Path) -> None:
    """Protocol 4 may ask for numpy's ndarray.tofile by one dotted name."""
    path = tmp_path / "dotted.pkl"
    path.write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")
    with pytest.raises(InputError, match=r"it asks for 'numpy.ndarray.tofile'"):
        load_data(path)


def test_bytes_in_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "zip.pkl"
    path.write_bytes(b"c_codecs\nencode\n(Vabc\nVzip\ntR.")
    with pytest.raises(InputError, match="bytes in the encoding 'zip' are not read"):
        load_data(path)


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(DATA)[:200], b"\x80\x04."])
def test_what_is_no_whole_pickle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pkl").write_bytes(content)
    with pytest.raises(InputError, match=r"broken.pkl cannot be read as a pickle of plain data"):
        load_data(tmp_path / "broken.pkl")
