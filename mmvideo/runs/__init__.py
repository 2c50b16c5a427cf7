"""Runs as records on disk, and their mirror on a dashboard."""
