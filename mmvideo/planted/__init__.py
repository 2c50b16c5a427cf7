"""The data set that comes with the project: real media files with a planted truth whose limits are known."""

from mmvideo.planted.generate import PlantedSpec, generate, planted_task, shown
from mmvideo.planted.limits import Limits, bayes_accuracy, known_limits, limits
from mmvideo.planted.perception import perception_manifest
from mmvideo.planted.tasks import TASKS, Task, get_task

__all__ = [
    "TASKS",
    "Limits",
    "PlantedSpec",
    "Task",
    "bayes_accuracy",
    "generate",
    "get_task",
    "known_limits",
    "limits",
    "perception_manifest",
    "planted_task",
    "shown",
]
