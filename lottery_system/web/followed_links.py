"""Link with a token that somebody follows: the token moves from the address into a cookie.

The token is in the address of the link alone, as a query, which no log has. The page behind it has
an address without it, so that no Referer header or bookmark has it either. Following a link uses
nothing up, since mail scanners follow links; a form does.
"""

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from lottery_system.web.cookies import keep, kept

#: seconds for which a browser keeps the token
LASTS = 60 * 60
#: characters of a token that are looked at
LONGEST = 100


class FollowedLink:
    """The link that this browser has followed to a page.

    Args:
        cookie: that keeps the token.
        endpoint: of the page.
    """

    def __init__(self, cookie: str, endpoint: str) -> None:
        self._cookie, self._endpoint = cookie, endpoint

    def follow(self) -> Response | None:
        """Redirect an address with a token to the page without it; None if it has none."""
        token = request.args.get("link")
        if token is None:
            return None
        response = redirect(url_for(self._endpoint), code=303)
        response.headers["Referrer-Policy"] = "no-referrer"
        keep(response, self._cookie, token[:LONGEST], LASTS)
        return response

    @property
    def token(self) -> str:
        """Return the token that the browser keeps, which it may have made up; empty for none."""
        return kept(self._cookie)

    def forget(self, response: Response) -> None:
        """Let the browser forget a link that was used up."""
        keep(response, self._cookie, "", 0)
