"""One encoder a modality. Each ends in the same width, so that a fusion never knows who made its tokens."""
