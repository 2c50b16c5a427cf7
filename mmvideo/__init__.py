"""mmvideo: which way of fusing visual, audio and text is better, by how much, and is it really fusing?"""

__version__ = "0.1.0"
