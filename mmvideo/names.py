"""Names that become folders and files: studies and arms. The one place that says which are allowed."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from mmvideo.errors import InputError

_ALLOWED = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.+-]{0,98}[A-Za-z0-9_+-])?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""What Windows takes for devices, so that such a folder could not be copied there."""


def path_name(name: str) -> str:
    """The name, if it can be that of a folder everywhere, and of nothing but one folder.

    Raises:
        InputError: it could be a path or an option, or other machines would not take it.
    """
    if not isinstance(name, str) or _RESERVED.fullmatch(name) or not _ALLOWED.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a study or an arm: it names a folder too, so it starts with a letter or "
            "digit and goes on with letters, digits, '_', '.', '+' or '-', at most 100 in all (ASCII; no dot "
            "at the end, and no device of Windows such as 'nul')."
        )
    return name


PathName = Annotated[str, AfterValidator(path_name)]
"""A name that becomes a folder's or a file's."""
