"""Every random draw has a seed derived from named things, so that any point of a run can be replayed."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from the given parts, the same on every machine and Python version.

    `derive_seed(run_seed, "augment", epoch, clip_id)`: no state to carry, so a resumed run needs none.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
