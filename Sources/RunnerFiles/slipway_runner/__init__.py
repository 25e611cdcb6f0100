"""The resident program inside a sandbox."""
