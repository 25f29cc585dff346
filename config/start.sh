#!/bin/sh
# Entry point of the container: wait for the database, upgrade it, serve.
set -eu
cd "$(dirname "$0")/.."

# As process 1 a shell ends only on signals that it traps, and handles them only while it waits. So
# commands run in the background, and a stop during the start takes effect at once.
trap 'exit 143' TERM INT
run() {
    "$@" &
    wait "$!"
}

# The database may still be starting. SQLite needs no waiting.
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

# once, before the workers start
run flask --app lottery_system db upgrade
if [ "${DEMO_LOTTERIES:-no}" = yes ]; then
    run flask --app lottery_system lottery demo --if-empty
fi

# exec, so that signals reach it
exec gunicorn --config config/gunicorn.py
