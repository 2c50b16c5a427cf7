"""mmvideo: which way of fusing sight, sound and words is better, by how much, and is it really fusing?"""

__version__ = "0.1.0"
