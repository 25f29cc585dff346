"""The least that Flask can do under the same gunicorn: what the others are measured against."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """Greet."""
    return "Hello, world"
