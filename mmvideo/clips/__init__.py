"""The list of clips: manifest, labels, metadata, content hashes, audit of the splits. No torch, no media."""
