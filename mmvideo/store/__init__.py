"""Every clip decoded once: object format, decoding workers, subtitles, upkeep, encoded features."""
