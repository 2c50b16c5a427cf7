"""What a run was made with: code version, libraries, device. It stands in the run's record."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import re
import subprocess
from pathlib import Path

from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.records import Environment


def describe_environment(config: RunConfig, data_fingerprint: str) -> Environment:
    """The content of env.json as it would be now.

    Raises:
        InputError: mmvideo is not installed in this Python, so that its dependencies are not known.
    """
    sha, dirty = git_state()
    devices = config.runtime.devices
    return Environment(
        git_sha=sha,
        git_dirty=dirty,
        python=platform.python_version(),
        platform=platform.platform(),
        device=device_name(config.runtime.device) + (f" × {devices}" if devices > 1 else ""),
        data_fingerprint=data_fingerprint,
        versions=versions(),
    )


@functools.cache
def git_state() -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout mmvideo is imported from; (None, None) outside one."""
    package = Path(__file__).resolve().parent
    try:
        sha = _git(package, "rev-parse", "HEAD").strip()
        return sha, bool(_git(package, "status", "--porcelain").strip())
    except (FileNotFoundError, subprocess.CalledProcessError):  # no git, or no checkout
        return None, None


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@functools.cache
def versions() -> dict[str, str | None]:
    """Installed version of mmvideo and of each direct dependency; None for one this platform goes without."""
    try:
        required = importlib.metadata.requires("mmvideo") or []
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(
            "mmvideo is not installed in this Python, so a run could not record what it was made with. "
            "Run `make setup`, or `pip install --no-deps -e .` in the checkout."
        ) from error
    names = [match[0] for text in required if (match := re.match(r"[\w.-]+", text))]
    return {name: _version(name) for name in ["mmvideo", *sorted(names)]}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def device_name(device: str) -> str:
    """Product name of what `device` (`auto`, `cpu` or `cuda`) stands for on this machine."""
    if device != "cpu":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (match := re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE)):
        return match[1]
    return platform.processor() or platform.machine()
