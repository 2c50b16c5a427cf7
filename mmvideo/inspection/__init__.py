"""What the model will see of a clip or a manifest, as arrays, pictures and a page."""
