"""Health check of the container: `python -m config.probe` succeeds where /readyz does.

Reads the settings as the server does, so that it asks where the server listens.
"""

import os
from http.client import HTTPConnection

from config import load
from config.settings import EVERYWHERE

#: seconds that an answer may take
PATIENCE = 4


def probe() -> int:
    """Return the status of /readyz."""
    settings = load(os.environ)
    # not urllib.request, which would ask the proxy that Docker may hand to containers
    connection = HTTPConnection(
        EVERYWHERE.get(settings.host, settings.host), settings.port, timeout=PATIENCE
    )
    connection.request("GET", "/readyz")
    return connection.getresponse().status


if __name__ == "__main__":
    raise SystemExit(probe() != 200)
