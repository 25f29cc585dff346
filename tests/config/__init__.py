"""Settings, gunicorn and its log."""
