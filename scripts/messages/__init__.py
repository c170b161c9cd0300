"""The messages of `lab` and their catalogue in Chinese."""
