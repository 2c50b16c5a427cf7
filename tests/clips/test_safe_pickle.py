"""Pickles: plain data comes back as it was, and whatever could act is refused before it does."""

from __future__ import annotations

import collections
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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


DTYPE = b"cnumpy\ndtype\n(Vf4\nI00\nI01\ntR"
ARRAY = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR"


def state(dtype: bytes = DTYPE, shape: bytes = b"(I2\nt", content: bytes = b"C\x08" + bytes(8)) -> bytes:
    return b"(I1\n" + shape + dtype + b"I00\n" + content + b"tb"


@pytest.mark.parametrize(("content", "message"), [
    (ARRAY, "without content"),
    (b"cnumpy\nndarray\n(I9\ntR", "calls something that is no function"),
    (b"cnumpy\nndarray\n)\x81", "opcode NEWOBJ"),
    (b"cnumpy\nndarray\n}b", "state of its own"),
    (b"cnumpy\nndarray\n(N}tb", "a state to what has none"),
    (DTYPE, "holds a class, a dtype"),
    (DTYPE + b"(I3\nV<\nN(Va\ntNI-1\nI-1\nI0\ntb", "a dtype has fields"),
    (DTYPE + b"(I3\nVx\nNNNI-1\nI-1\nI0\ntb", "no byte order"),
    (DTYPE.replace(b"f4", b"f3"), "neither numbers of up to 64 bits nor texts"),
    (DTYPE.replace(b"f4", b"U0"), "neither numbers of up to 64 bits nor texts"),
    (DTYPE.replace(b"f4", b"i4,O"), "neither numbers of up to 64 bits nor texts"),
    (ARRAY + state(shape=b"(I3\nt"), "does not have the bytes"),
    (ARRAY + state(shape=b"(I-2\nt"), "shape is none"),
    (ARRAY + state(shape=b"(I99999999999\nI99999999999\nt"), "does not have the bytes"),
    (ARRAY + state(shape=b"(" + b"I1\n" * 17 + b"t"), "no dtype or no shape"),
    (ARRAY + state(content=b"N"), "does not have the bytes"),
    (ARRAY + state(dtype=DTYPE.replace(b"f4", b"U1"), content=b"C\x08" + b"\xff" * 8), "no character"),
    (ARRAY + state(dtype=DTYPE.replace(b"f4", b"O8")), "not a plain list"),
    (b"K\x012\x86" + b"2\x86" * 40, "naming the same thing many times"),
    (b"]q\x00h\x00a", "nested more than 50 deep, or in a circle"),
    (b"]" * 60 + b"a" * 59, "nested more than 50 deep"),
    (b"}(K\x01\x85K\x02u", "neither a text nor a small number"),
    (b"\x8e" + b"\xff" * 7 + b"\x7f", "only 1 remain"),
    (b"\x8a\x09" + b"\x7f" * 9, "more than 64 bits"),
    (b"C\xff" + bytes(255) + b"q\x000" + b"h\x00" * 3, None),
    (b"K\x01r\xff\xff\xff\x7f", None),
    (b"h\x05", "recalls the note 5"),
    (b"a", "that is none|empty stack"),
    (b"t", "no mark"),
    (b"0", "no mark"),
    (b"}(K\x01u", "lacks its last value"),
    (b"Pabc\n", "opcode PERSID"),
])  # fmt: skip
def test_forged_content_is_refused(tmp_path: Path, content: bytes, message: str | None) -> None:
    """Python's reader with NumPy's own classes crashes on some, and takes all memory on others."""
    path = tmp_path / "forged.pkl"
    path.write_bytes(content + b".")
    if message is None:
        load_data(path)
        return
    with pytest.raises(
        InputError, match=rf"forged\.pkl cannot be read as a pickle of plain data: .*({message})"
    ):
        load_data(path)


def test_bytes_made_from_one_text_again_and_again_have_an_end(tmp_path: Path) -> None:
    text = b"X" + (100_000).to_bytes(4, "little") + b"a" * 100_000
    call = b"(h\x00h\x01tR"
    path = tmp_path / "forged.pkl"
    path.write_bytes(
        text + b"q\x00" + b"Vlatin1\nq\x01" + b"]" + (b"c_codecs\nencode\n" + call + b"a") * 500 + b"."
    )
    with pytest.raises(InputError, match="naming the same thing many times"):
        load_data(path)


def test_what_comes_back_is_not_anothers_to_change(tmp_path: Path) -> None:
    assert not load_data(written(tmp_path, np.ones(3))).flags.writeable
    np.testing.assert_array_equal(load_data(written(tmp_path, np.arange(3, dtype=">i8"))), [0, 1, 2])
    empty = load_data(written(tmp_path, np.zeros((0, 3)), 2))
    assert empty.shape == (0, 3)
    odd = pickle.dumps(np.array([True, False]), 4).replace(b"C\x02\x01\x00", b"C\x02\x07\x00")
    (tmp_path / "bool.pkl").write_bytes(odd)
    assert load_data(tmp_path / "bool.pkl").sum() == 1


def test_arrays_written_by_python_2(tmp_path: Path) -> None:
    """There bytes are texts, and an array's content stands in one, with escapes in protocol 0."""
    values = np.array([1.5, -2.0], "<f4")
    raw = values.tobytes()
    dtype = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
    head = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\nt"
        + dtype
        + b"I00\n"
    )
    for content in (
        b"U" + bytes([len(raw)]) + raw,
        b"S'" + "".join(f"\\x{b:02x}" for b in raw).encode() + b"'\n",
    ):
        (tmp_path / "old.pkl").write_bytes(head + content + b"tb.")
        np.testing.assert_array_equal(load_data(tmp_path / "old.pkl"), values)


SEEDS = [pickle.dumps(DATA, protocol) for protocol in (0, 2, 5)] + [ARRAY + state() + b"."]


@pytest.mark.fuzz
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=3)), max_size=6))
@example(SEEDS[3], [(0, b"\x95")])
def test_any_mutation_is_data_or_an_input_error(tmp_path_factory: Any, seed: bytes, changes: Any) -> None:
    content = bytearray(seed)
    for place, new in changes:
        content[place % len(content) : place % len(content) + len(new)] = new
    path = tmp_path_factory.getbasetemp() / "mutated.pkl"
    path.write_bytes(content)
    try:
        repr(load_data(path))
    except InputError as error:
        assert "mutated.pkl" in str(error)  # noqa: PT017


OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]


@pytest.mark.fuzz
@given(
    st.lists(
        st.sampled_from([*OPCODES, ARRAY, DTYPE, state(), b"K\x02", b"Va\n", b"h\x00", b"q\x00"]), max_size=30
    )
)
def test_any_program_is_data_or_an_input_error(tmp_path_factory: Any, program: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "program.pkl"
    path.write_bytes(b"".join(program) + b".")
    try:
        repr(load_data(path))
    except InputError as error:
        assert "program.pkl" in str(error)  # noqa: PT017


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(DATA)[:200], b"\x80\x04."])
def test_what_is_no_whole_pickle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pkl").write_bytes(content)
    with pytest.raises(InputError, match=r"broken.pkl cannot be read as a pickle of plain data"):
        load_data(tmp_path / "broken.pkl")
