"""What training minimises, one objective a file, independent of the fusion."""

from mmvideo.training.objectives.base import Objective, Setting, objective_class

__all__ = ["Objective", "Setting", "objective_class"]
