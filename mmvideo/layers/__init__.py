"""Masked building blocks. Masks enter here as `True` = real, and padding never leaves a trace."""
