"""What is measured on predictions, and what may be concluded from it."""
