"""From video files to decoded arrays: manifest, audit, subtitles, decoding, and the store that does it once."""
