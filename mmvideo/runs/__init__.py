"""Runs as records on disk, their mirror on a dashboard, studies, and the grid that carries studies out."""
