"""What the wheel holds beside the library: the data set recipes and the studies, as `mmvideo.datasets` and
`mmvideo.experiments`. In the repository they stand at the top. The rest is in pyproject.toml.
"""

from pathlib import Path

from setuptools import find_packages, setup

recipes = sorted(script.parent.name for script in Path("datasets").glob("*/prepare.py"))

setup(
    packages=[
        *find_packages(include=["mmvideo*"]),
        "mmvideo.experiments",
        "mmvideo.datasets",
        *(f"mmvideo.datasets.{name}" for name in recipes),
    ],
    package_dir={"mmvideo.datasets": "datasets", "mmvideo.experiments": "experiments"},
)
