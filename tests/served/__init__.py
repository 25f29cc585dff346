"""Real gunicorn processes, served over HTTP."""
