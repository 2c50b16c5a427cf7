"""What training minimises, one objective a file, independent of the fusion."""

from mmvideo.training.objectives.base import Objective, Setting

__all__ = ["Objective", "Setting"]
