"""The studies that come with mmvideo, as modules `mmvideo.experiments.<name>`.

In a checkout they stand in experiments/ beside the library, in an installed package inside it.
"""

import sys
from pathlib import Path

_INSTALLED = Path(__file__).with_suffix("")
__path__ = [str(_INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parents[1] / "experiments")]
sys.path.append(__path__[0])  # a study imports its neighbours by plain name
