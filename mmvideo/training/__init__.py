"""The one training loop and its checkpoints. It never sees the test split."""
