"""What training minimises, one objective a file, independent of the fusion."""

from mmvideo.objectives.base import Objective, Session, Setting

__all__ = ["Objective", "Session", "Setting"]
