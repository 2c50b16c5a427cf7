"""Studies: what is compared, and the grid that carries it out."""
