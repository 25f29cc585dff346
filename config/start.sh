#!/bin/sh
# What the container does: wait for the database, bring it up to date, serve.
set -eu
cd "$(dirname "$0")/.."

# A shell that is process 1 is ended only by the signals it traps, and it hears them only while it
# waits; so a stop in the middle of the start need not wait for the engine's patience to end.
trap 'exit 143' TERM INT
run() {
    "$@" &
    wait "$!"
}

# The database may be starting at this very moment. SQLite's is a file, which is there or made.
run python -c '
import os, sys, time
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from config import load
from lottery_system.runtime.database import engine_options

PATIENCE = 60
url = load(os.environ).database_url
engine = create_engine(url, **engine_options(url))
give_up_at = time.monotonic() + PATIENCE
while engine.dialect.name != "sqlite":
    try:
        engine.connect().close()
        break
    except OperationalError as error:
        if time.monotonic() > give_up_at:
            why = (str(error.orig).splitlines() or ["no reason given"])[0]
            sys.exit(f"The database of LOTTERY_DATABASE_URL gave no access in {PATIENCE} s: {why}")
        time.sleep(1)
'

# once, before there are workers that would each try
run flask --app lottery_system db upgrade
if [ "${DEMO_LOTTERIES:-no}" = yes ]; then
    run flask --app lottery_system lottery demo --if-empty
fi

# in the shell's place, so that signals reach it
exec gunicorn --config config/gunicorn.py
