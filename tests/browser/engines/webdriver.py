"""Client of WebDriver, the standard's protocol over HTTP (w3.org/TR/webdriver2)."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.browser.engines.protocol import Refused
from tests.stand_ins.processes import PATIENCE

#: by which name an element is passed on, says the standard
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def ask(url: str, body: object = None, method: str = "") -> Any:
    """Send a command and return its value; one with a body is a POST.

    Raises:
        Refused: it was not carried out.
        URLError: nobody listens.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = Request(url, data, headers, method=method or ("POST" if data else "GET"))
    try:
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["value"]
    except HTTPError as error:
        with error:
            value = json.load(error)["value"]
        raise Refused(value["error"], value["message"]) from None
