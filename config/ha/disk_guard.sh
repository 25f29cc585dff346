#!/bin/sh
# Disk guard of a database host: hands the lead over before the disk is full. PostgreSQL alone goes on as a
# leader that can write nothing, and Patroni sees nothing wrong with it.
#
# Runs all the time, in the environment of database.env.example. DISK_GUARD_MEGABYTES: what must be free.
set -eu

least=${DISK_GUARD_MEGABYTES:-256}
config=${PATRONI_CONFIG:-/etc/lottery/patroni.yml}
handed_over=

free() {
    df --output=avail --block-size=1M "$PATRONI_POSTGRESQL_DATA_DIR" 2>/dev/null | tail -n 1 | grep .
}

while sleep 5; do
    left=$(free) || continue # no data yet
    if [ "$left" -ge "$least" ]; then
        handed_over=
    # Once, until there is room again: with two such hosts the lead would go to and fro. It is refused where
    # this host does not lead, or where no other one has everything.
    elif [ -z "$handed_over" ] && patronictl -c "$config" switchover "$PATRONI_SCOPE" \
        --leader "$PATRONI_NAME" --force; then
        handed_over=yes
    fi
done
