"""The version of this code, as `pyproject.toml` has it."""

VERSION = "1.0.0"
