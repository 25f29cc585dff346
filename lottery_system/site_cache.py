"""Cache of the site's title, logo and list of texts: each process reads them every two seconds.

So a change is on all pages of all hosts within two seconds, and busy pages do not query more often
than quiet ones.
"""

from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from lottery_system.extensions import reading
from lottery_system.queries.site import Site, load_site

#: seconds for which what was read is shown, by the monotonic clock
MOMENT = 2


class SiteCache:
    """What a process has read of the site.

    Args:
        name: the technical name, which is shown if there is no title.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: tuple[float, Site] | None = None

    @property
    def last(self) -> Site:
        """Return what was read last, without a query; before the first, the technical name."""
        return self._seen[1] if self._seen else Site(self._name)

    def look(self) -> Site:
        """Return what was read within the last two seconds, else read it.

        If the database does not answer, what was read last is shown: a page queries it for more,
        and reports the error itself.
        """
        now = monotonic()
        if self._seen is None or now - self._seen[0] >= MOMENT:
            if self._seen:  # other requests need not wait meanwhile
                self._seen = (now, self._seen[1])
            try:
                self._seen = (now, self.read())
            except SQLAlchemyError:
                return self.last
        return self._seen[1]

    def read(self) -> Site:
        """Query the site as it is now, past the cache."""
        with reading() as connection:
            return load_site(connection, self._name)
