"""Typed settings from the environment, and how gunicorn and Caddy serve."""

from config.settings import Settings, SettingsError, load

__all__ = ["Settings", "SettingsError", "load"]
