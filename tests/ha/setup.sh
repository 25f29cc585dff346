#!/bin/sh
# Make sure that the drill of high availability has what pip cannot install: etcd, HAProxy, PostgreSQL in
# up to two minor versions, each in a folder of its own, and Patroni in an environment of its own.
#
# Quiet where all are there. What cannot be had is named, with what to install; the drill then says what
# it skips. HA names the folder, UV the command that makes the environment.
set -eu

HA=${HA:-.venv/ha}
UV=${UV:-.venv/bin/uv}
here=$(cd "$(dirname "$0")" && pwd)
locked=$here/../../requirements/ha.txt

has() {
    command -v "$1" >/dev/null 2>&1
}

give_up() {
    printf '%s\n' "$1" >&2
}

on_debian_as_root() {
    [ "$(id -u)" -eq 0 ] && has apt-get
}

# Only the programs are wanted. Debian would also start them.
install_servers() {
    on_debian_as_root || return 1
    echo "Installing etcd, HAProxy and PostgreSQL for the drill ..."
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
        etcd-server haproxy postgresql iproute2 >/dev/null 2>&1 || true
    [ -z "$made" ] || rm "$policy"
    has etcd && has haproxy && has_postgres
}

has_postgres() {
    for server in /usr/lib/postgresql/*/bin/postgres; do
        if [ -x "$server" ]; then
            return 0
        fi
    done
    return 1
}

newest_installed() {
    for server in /usr/lib/postgresql/*/bin/postgres; do
        echo "$server"
    done | sed 's|^/usr/lib/postgresql/||; s|/bin/postgres$||' | sort -n | tail -1
}

# What the package index has of the installed major version: mostly one version, two after a security update.
minor_versions() {
    apt-cache madison "postgresql-$1" 2>/dev/null | awk '{ print $3 }' | sort -Vu | tail -2
}

# Unpacked, not installed: PostgreSQL finds its own files from where its programs are.
unpack() {
    major=$1 version=$2 folder=$HA/postgresql/$2
    [ ! -x "$folder/usr/lib/postgresql/$major/bin/postgres" ] || return 0
    rm -rf "$folder" && mkdir -p "$folder"
    for package in "postgresql-$major" "postgresql-client-$major"; do
        (cd "$folder" && apt-get -qq download "$package=$version" >/dev/null 2>&1) || return 1
    done
    for file in "$folder"/*.deb; do
        dpkg -x "$file" "$folder" && rm "$file"
    done
}

has_patroni() {
    cmp -s "$locked" "$HA/patroni/ha.txt"
}

# By a Python that the user postgres may run, as Patroni is started by it.
install_patroni() {
    for python in /usr/bin/python3 /usr/local/bin/python3; do
        if [ -x "$python" ]; then
            echo "Installing Patroni for the drill ..."
            rm -rf "$HA/patroni"
            "$UV" venv --quiet --python "$python" "$HA/patroni" &&
                "$UV" pip install --quiet --python "$HA/patroni/bin/python" --require-hashes -r "$locked" &&
                cp "$locked" "$HA/patroni/ha.txt" && return
        fi
    done
    return 1
}

mkdir -p "$HA"

{ has etcd && has haproxy && has_postgres; } || install_servers ||
    give_up "etcd, HAProxy and PostgreSQL cannot all be had: install the packages etcd-server, haproxy and postgresql."

if has_postgres && on_debian_as_root; then
    major=$(newest_installed)
    for version in $(minor_versions "$major"); do
        unpack "$major" "$version" || rm -rf "$HA/postgresql/$version"
    done
fi

has_patroni || install_patroni ||
    give_up "Patroni cannot be had: it needs a Python 3.11 or newer outside of home folders, such as /usr/bin/python3."
