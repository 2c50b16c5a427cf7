"""Reading pickles that hold data and nothing else.

A pickle is a program, and Python's own reader runs it: even where every class it may name is listed, NumPy's
`__setstate__` believes what it is handed, and crashes the process on a forged dtype. So no class or function
that a file names is ever called here. The opcodes (https://github.com/python/cpython/blob/main/Lib/pickletools.py)
are read one by one, containers are filled with plain values, and arrays are made by us from a dtype's name,
a shape and bytes, once these fit each other. What a file can make is bounded by its own size.
"""

from __future__ import annotations

import codecs
import mmap
import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, cast

from mmvideo.clips.pickled_arrays import CALLS, Dtype, Named, Unfilled, array, named
from mmvideo.errors import InputError

LARGEST_INTEGER = 2**64
SHOWN = 300
"""Characters of what is wrong that a message shows."""
DEEPEST = 50
"""Containers inside containers."""
SHARED = 100
"""Bytes, and values in containers, that a file may make for each of its own: it can name one part often."""
MOST_OPCODES = 20_000_000
LINES = {"GLOBAL": 2, "INST": 2, "PERSID": 1}
"""Opcodes whose argument is names, one a line."""
BY_CODE = {opcode.code: opcode for opcode in pickletools.opcodes}


def load_data(path: str | Path) -> Any:
    """What a pickle holds, if that is data alone: dictionaries with texts and whole numbers as keys, lists,
    tuples, texts, bytes, numbers and NumPy arrays of them. Arrays of objects become lists; arrays are
    read-only.

    Raises:
        InputError: the file names a class or function beyond those of arrays, what it describes does not fit
            together or is far larger than the file, or it is no pickle or cut off.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            reader = _Reader(len(content))
            return reader.checked(reader.run(content))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnpicklingError, ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise InputError(
            f"{path} cannot be read as a pickle of plain data: {str(error)[:SHOWN]}. Only arrays, "
            "dictionaries, lists, texts and numbers are built from a pickle; save other things as "
            ".npy, .npz or .h5."
        ) from error


class _Reader:
    """The stack, the memo and the budget of one file of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.budget = 10_000 + SHARED * size

    def run(self, content: mmap.mmap) -> Any:
        """What the file's opcodes leave on the stack."""
        for opcode, argument in _opcodes(content):
            if opcode == "STOP":
                return self._pop()
            if opcode in PUSHED:
                self.stack.append(argument)
            elif opcode in CONSTANTS:
                self.stack.append(CONSTANTS[opcode]())
            elif opcode in OPCODES:
                OPCODES[opcode](self, argument)
            elif opcode not in IGNORED:
                raise UnpicklingError(f"it has the opcode {opcode}, which no plain data need")
        raise UnpicklingError("it is cut off")

    def _pop(self) -> Any:
        if not self.stack:
            raise UnpicklingError("it takes from an empty stack")
        return self.stack.pop()

    def _top(self, kind: type) -> Any:
        """What is on top of the stack, if it is of this kind."""
        if not self.stack or type(self.stack[-1]) is not kind:
            raise UnpicklingError(f"it fills a {kind.__name__} that is none")
        return self.stack[-1]

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _mark(self, _: Any) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        if not self.marked:
            raise UnpicklingError("it has no mark")
        items, self.stack = self.stack, self.marked.pop()
        return items

    def _note(self, place: int | None) -> None:
        place = len(self.memo) if place is None else place
        if not self.stack:
            raise UnpicklingError("it notes something of an empty stack")
        self.memo[place] = self.stack[-1]
        if isinstance(self.stack[-1], Unfilled):
            self.stack[-1].noted.append(place)

    def _again(self, _: Any) -> None:
        self.stack += [self._pop()] * 2

    def _recall(self, place: int) -> None:
        if place not in self.memo:
            raise UnpicklingError(f"it recalls the note {place}, which it has not made")
        self.stack.append(self.memo[place])

    def _tuple(self, count: int) -> None:
        if len(self.stack) < count:
            raise UnpicklingError("it takes from an empty stack")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _append(self, items: list[Any]) -> None:
        self._top(list).extend(items)

    def _set_items(self, items: list[Any]) -> None:
        if len(items) % 2:
            raise UnpicklingError("a dictionary lacks its last value")
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str and not (type(key) is int and abs(key) < 2**32):
                raise UnpicklingError("a dictionary has a key that is neither a text nor a small number")
            target[key] = value

    def _dict_of_mark(self, _: Any) -> None:
        items = self._since_mark()
        self.stack.append({})
        self._set_items(items)

    def _call(self, _: Any) -> None:
        arguments, called = self._pop(), self._pop()
        if not isinstance(called, Named) or called not in CALLS or type(arguments) is not tuple:
            raise UnpicklingError("it calls something that is no function of arrays")
        self._push(CALLS[called](self.spend, *arguments))

    def _build(self, _: Any) -> None:
        """Give a dtype its byte order, or an array its content."""
        state, target = self._pop(), self._pop()
        if type(state) is not tuple:
            raise UnpicklingError("an object has a state of its own, which no plain data need")
        if isinstance(target, Dtype):
            target.fill(state)
            self._push(target)
        elif isinstance(target, Unfilled):
            _, shape, dtype, by_columns, content = state
            made = array(self.spend, content, dtype, shape, "F" if by_columns else "C")
            self.memo.update({place: made for place in target.noted if self.memo[place] is target})
            self._push(made)
        else:
            raise UnpicklingError("it gives a state to what has none")

    def spend(self, amount: int) -> None:
        """Raises UnpicklingError where the file has made far more than it holds."""
        self.budget -= amount
        if self.budget < 0:
            raise UnpicklingError("it describes far more than it holds, by naming the same thing many times")

    def checked(self, value: Any) -> Any:
        """The value, if whoever walks through it comes to an end: no circles, no depth, no repetition without
        bounds, and nothing in it that is not finished."""
        sizes: dict[int, tuple[int, int]] = {}

        def measured(part: Any, depth: int) -> tuple[int, int]:
            """Values within, each as often as it is shown, and how deep they lie."""
            if type(part) not in (dict, list, tuple):
                if isinstance(part, (Named, Dtype, Unfilled)):
                    raise UnpicklingError("it holds a class, a dtype or an array without content as a value")
                return 1, 0
            if id(part) not in sizes:
                if depth > DEEPEST:
                    raise UnpicklingError(f"it is nested more than {DEEPEST} deep, or in a circle")
                inside = part.values() if isinstance(part, dict) else part
                found = [measured(value, depth + 1) for value in inside]
                sizes[id(part)] = (
                    1 + sum(n for n, _ in found),
                    1 + max((deep for _, deep in found), default=0),
                )
            count, height = sizes[id(part)]
            if depth + height > DEEPEST:
                raise UnpicklingError(f"it is nested more than {DEEPEST} deep")
            if count > self.budget:
                self.spend(count)
            return count, height

        measured(value, 0)
        return value


def _opcodes(content: mmap.mmap) -> Iterator[tuple[str, Any]]:
    """Name and argument of each opcode. An argument is never longer than what is left of the file.

    Raises:
        ValueError, UnpicklingError: an unknown opcode, or an argument that is none.
    """
    for _ in range(MOST_OPCODES):
        code = content.read(1)
        opcode = BY_CODE.get(code.decode("latin-1"))
        if opcode is None:
            raise UnpicklingError(
                "it is cut off" if not code else f"its byte {content.tell() - 1} is no opcode"
            )
        if opcode.name == "STRING":  # pickletools reads ASCII alone; Python 2 wrote arrays in it
            line = content.readline().strip()
            if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
                raise UnpicklingError("a text has no quotes")
            yield "STRING", codecs.escape_decode(line[1:-1])[0].decode("latin-1")
            continue
        if lines := LINES.get(opcode.name):  # as they stand: pickletools would unescape them
            given = [content.readline().rstrip(b"\n").decode("latin-1") for _ in range(lines)]
            yield opcode.name, " ".join(given)
            continue
        argument = opcode.arg.reader(cast(IO[bytes], content)) if opcode.arg else None
        if type(argument) is int and abs(argument) >= LARGEST_INTEGER:
            raise UnpicklingError("it holds a whole number of more than 64 bits")
        yield opcode.name, argument
    raise UnpicklingError(f"it has more than {MOST_OPCODES:,} parts; save its arrays as arrays, not as lists")


PUSHED = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    )
)
"""Opcodes whose argument is the value."""
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
IGNORED = frozenset(("PROTO", "FRAME", "READONLY_BUFFER"))
OPCODES: dict[str, Callable[[_Reader, Any], Any]] = {
    "MARK": _Reader._mark,
    "POP": lambda reader, _: reader._pop() if reader.stack else reader._since_mark(),
    "POP_MARK": lambda reader, _: reader._since_mark(),
    "DUP": _Reader._again,
    "PUT": _Reader._note,
    "BINPUT": _Reader._note,
    "LONG_BINPUT": _Reader._note,
    "MEMOIZE": _Reader._note,
    "GET": _Reader._recall,
    "BINGET": _Reader._recall,
    "LONG_BINGET": _Reader._recall,
    "TUPLE1": lambda reader, _: reader._tuple(1),
    "TUPLE2": lambda reader, _: reader._tuple(2),
    "TUPLE3": lambda reader, _: reader._tuple(3),
    "TUPLE": lambda reader, _: reader._push(tuple(reader._since_mark())),
    "LIST": lambda reader, _: reader._push(reader._since_mark()),
    "DICT": _Reader._dict_of_mark,
    "APPEND": lambda reader, _: reader._append([reader._pop()]),
    "APPENDS": lambda reader, _: reader._append(reader._since_mark()),
    "SETITEM": lambda reader, _: reader._set_items([reader._pop(), reader._pop()][::-1]),
    "SETITEMS": lambda reader, _: reader._set_items(reader._since_mark()),
    "GLOBAL": lambda reader, argument: reader._push(named(*argument.split(" ", 1))),
    "STACK_GLOBAL": lambda reader, _: reader._push(named(*[reader._pop(), reader._pop()][::-1])),
    "REDUCE": _Reader._call,
    "BUILD": _Reader._build,
}
