"""Tests run without network and dashboard, on one thread, with the shapes of the model's code checked."""

from __future__ import annotations

import os

os.environ.setdefault("WANDB_MODE", "disabled")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from jaxtyping import install_import_hook

torch.set_num_threads(1)

CHECKED = ("mmvideo.layers", "mmvideo.encoders", "mmvideo.fusion", "mmvideo.model")
install_import_hook(CHECKED, "beartype.beartype")

pytest_plugins = ("fuzzing", "media_files", "own_modalities", "planted_runs", "tiny_training")
