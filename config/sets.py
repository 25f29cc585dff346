"""The three sets of defaults that `LOTTERY_ENV` chooses from.

Each names only what differs from the defaults in `config.settings`.
"""

DEVELOPMENT: dict[str, str] = {}

#: The same numbers; what is stricter there (`__Host-` cookies, a key of one's own) needs a rule
#: and not a value, and asks `Settings.is_production`.
PRODUCTION: dict[str, str] = {}

#: A fixed key, so that a test needs no storage to sign a cookie. Tests set the clock as they like,
#: and PostgreSQL's goes on by the real time.
TESTING: dict[str, str] = {
    "LOTTERY_CLOCK_TOLERANCE": "off",
    "LOTTERY_SECRET_KEY": "a-key-for-tests-that-signs-nothing-of-value",
    "LOTTERY_WORKERS": "1",
}

SETS = {"development": DEVELOPMENT, "production": PRODUCTION, "testing": TESTING}
