"""One file a modality: what is stored of it, how a sample is drawn, changed in training, and corrupted."""
