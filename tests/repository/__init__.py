"""The repository itself: layers, documentation, rules."""
