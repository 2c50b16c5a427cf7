"""Fusion strategies, one a file.

A fusion turns the modalities' levels into one vector per clip, and owns nothing else.
"""

from mmvideo.fusion.base import Fusion

__all__ = ["Fusion"]
