"""Live updates of open pages by server-sent events (HTML Living Standard, 9.2)."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from hashlib import blake2b
from time import monotonic

from flask import Blueprint, Flask, request
from werkzeug.wrappers import Response

from lottery_system.access import everybody
from lottery_system.clock import day_of, utcnow
from lottery_system.extensions import reading
from lottery_system.parts import parts
from lottery_system.queries.live import Moment, current_moment
from lottery_system.runtime.bounded import request_limit
from lottery_system.runtime.broadcast import Broadcast

blueprint = Blueprint("live", __name__)

#: streams that a worker has at once; those of one client are bounded by `config/connections.py`
MOST_LISTENERS = 2000
#: seconds that a stream lasts, and up to which it lasts longer, so that those that began together
#: do not end together; the browser connects again
LIFETIME = 600
SPREAD = 60
#: milliseconds that a browser waits before it does so
RETRY = b"retry: 5000\n\n"
#: a comment, which browsers skip
NOTHING_NEW = b":\n\n"

#: no proxy keeps it, compresses it, or holds it back until there is more
HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}


def broadcast_of(app: Flask) -> Broadcast[Moment]:
    """Make an application's broadcast."""

    def look() -> Moment:
        with app.app_context(), request_limit(), reading() as connection:
            return current_moment(connection, day_of(utcnow()))

    return Broadcast(look)


@blueprint.get("/live")
@everybody
def live() -> Response:
    """Stream the day's ballot count, and when a page should reload its content.

    204 says that there is no room, and that the browser is not to try again; pages work without.
    """
    if request.method == "HEAD":
        return Response(mimetype="text/event-stream", headers=HEADERS)
    broadcast = parts().broadcast
    if broadcast.listener_count >= MOST_LISTENERS:
        return Response(status=204)
    return Response(_stream(broadcast), mimetype="text/event-stream", headers=HEADERS)


def _stream(broadcast: Broadcast[Moment]) -> Iterator[bytes]:
    """Write the stream, long after the request that asked for it is over."""
    ends_at = monotonic() + LIFETIME + random.uniform(0, SPREAD)  # noqa: S311
    yield RETRY
    with closing(broadcast.subscribe()) as moments:
        for moment in moments:
            yield NOTHING_NEW if moment is None else _event(moment)
            if monotonic() > ends_at:
                return


@lru_cache(1)
def _event(moment: Moment) -> bytes:
    """Write an event, once for all streams."""
    # everything that pages show except the count, which is sent
    shown = repr(moment._replace(ballot_count=0)).encode()
    said = {
        "day": moment.day.isoformat(),
        "ballots": moment.ballot_count,
        "version": blake2b(shown, digest_size=8).hexdigest(),
    }
    return b"event: state\ndata: %s\n\n" % json.dumps(said, separators=(",", ":")).encode()
