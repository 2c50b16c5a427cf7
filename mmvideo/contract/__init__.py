"""What every component promises, as functions that anyone can run on a class of their own (`mmvideo check`).

A promise's docstring says what is promised; broken, it raises AssertionError, which says what happened.
"""
