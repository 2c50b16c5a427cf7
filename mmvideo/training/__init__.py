"""The one training loop, the objectives it minimises, and its checkpoints. It never sees the test split."""
