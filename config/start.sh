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
run flask --app lottery_system db wait
# once, before the workers start
if [ "${LOTTERY_DEMO:-off}" = on ]; then
    run flask --app lottery_system demo play
else
    run flask --app lottery_system db upgrade
    if [ "${DEMO_LOTTERIES:-no}" = yes ]; then
        run flask --app lottery_system lottery demo --if-empty
    fi
fi

# Prometheus may read /metrics where it shares a network with the lottery, unless a setting says who may.
if [ -n "${METRICS_NAME:-}" ] && [ -z "${LOTTERY_METRICS_NETWORKS:-}" ]; then
    networks=$(python -m config.metrics_network "$METRICS_NAME") || networks=
    export LOTTERY_METRICS_NETWORKS="$networks"
fi

# exec, so that signals reach it
exec gunicorn --config config/gunicorn.py
