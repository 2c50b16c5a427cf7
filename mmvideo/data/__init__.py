"""From video files to samples: manifest, audit, subtitles, decoding, the store that does it once, batches."""
