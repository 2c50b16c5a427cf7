"""Subtitles from sound."""
