"""Cache of the site's title, logo and list of texts: each process reads them every two seconds.

So all pages of all hosts show a change within two seconds, and the number of queries does not grow
with the number of requests.
"""

from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from lottery_system.extensions import reading
from lottery_system.queries.site import Site, load_site

#: seconds for which a value is kept, by the monotonic clock
MOMENT = 2


class SiteCache:
    """The site's title, logo and list of texts, cached in one process.

    Args:
        name: the technical name, shown if there is no title.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: tuple[float, Site] | None = None

    @property
    def last(self) -> Site:
        """Return the last value without a query; at first only the technical name."""
        return self._seen[1] if self._seen else Site(self._name)

    def look(self) -> Site:
        """Return the cached value if it is at most two seconds old, otherwise query it.

        If the database does not answer, return the last value: the page needs other queries, which
        report the error.
        """
        now = monotonic()
        if self._seen is None or now - self._seen[0] >= MOMENT:
            if self._seen:  # so that other requests do not query it, too
                self._seen = (now, self._seen[1])
            try:
                self._seen = (now, self.read())
            except SQLAlchemyError:
                return self.last
        return self._seen[1]

    def read(self) -> Site:
        """Query the site, bypassing the cache."""
        with reading() as connection:
            return load_site(connection, self._name)
