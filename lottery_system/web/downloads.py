"""Downloads: long answers, streamed in pieces, that give way to other requests.

An account may have one download at a time in a worker, and so may a network of clients that are not
logged in. The downloads of a worker take turns, and use at most half of its time.
"""

from collections.abc import Iterator

from flask import Response
from flask_login import current_user

from lottery_system.access import viewer
from lottery_system.addresses import client_network
from lottery_system.parts import parts


def download(name: str, mimetype: str, pieces: Iterator[str]) -> Response:
    """Answer with a file.

    Args:
        pieces: made within the application, after the request that asked for them.

    Raises:
        AlreadyDownloading: this account, or this network, has a download running.
    """
    downloads = parts().downloads
    end = downloads.begin(_whose())

    def whole() -> Iterator[str]:
        yield from downloads.in_turns(pieces)
        end()

    response = Response(whole(), mimetype=mimetype)
    response.call_on_close(end)  # also where whoever asked has gone away
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _whose() -> str:
    return f"user {viewer().id}" if current_user.is_authenticated else client_network()
