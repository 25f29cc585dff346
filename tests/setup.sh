#!/bin/sh
# Make sure that the tests have what pip cannot install: browsers, a PostgreSQL server, what stands around
# a lottery (pgbouncer, nginx, Caddy, Prometheus, the sqlite3 command), and what measures pages
# (Lighthouse, the Nu HTML checker).
#
# Quiet where all are there. What cannot be had is named, with what to install; its tests are
# then skipped, and say so. PLAYWRIGHT names Playwright's command, CHROMIUM and FIREFOX browsers of
# one's own, FLOORS the folder into which npm installs, FOREIGN that of others' verifier and witness.
set -eu

PLAYWRIGHT=${PLAYWRIGHT:-playwright}
FLOORS=${FLOORS:-.venv/floors}
FOREIGN=${FOREIGN:-.venv/foreign}
here=$(cd "$(dirname "$0")" && pwd)
pinned=$here/../requirements/floors
said=

has() {
    command -v "$1" >/dev/null 2>&1
}

# quietly COMMAND...: keep what a command says for the case that nothing helps
quietly() {
    said=$("$@" 2>&1)
}

# give_up SENTENCE: say what went wrong last, if anything was tried, and what to do
give_up() {
    printf '%s\n' ${said:+"$said"} "$1" >&2
    said=
}

on_debian_as_root() {
    [ "$(id -u)" -eq 0 ] && has apt-get
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get -qq -y --no-install-recommends install "$@" || {
        quietly apt-get -qq update &&
            quietly apt-get -qq -y --no-install-recommends install "$@"
    }
}

# A browser counts only where it starts: a stub that asks for a snap does not, nor one that lacks
# a library of the system.
starts() {
    has "$1" && "$1" --version >/dev/null 2>&1
}

has_chromium() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
        if [ -n "$name" ] && starts "$name"; then
            return 0
        fi
    done
    return 1
}

has_playwrights_chromium() {
    folders=$("$PLAYWRIGHT" install --dry-run chromium 2>/dev/null |
        sed -n 's/^ *Install location: *//p') || return 1
    [ -n "$folders" ] || return 1
    echo "$folders" | while read -r folder; do
        [ -e "$folder/INSTALLATION_COMPLETE" ] || exit 1
    done
}

install_chromium() {
    echo "Installing a Chromium for the browser tests ..."
    if quietly "$PLAYWRIGHT" install chromium; then
        if ! on_debian_as_root || quietly "$PLAYWRIGHT" install-deps chromium; then
            return 0
        fi
    fi
    on_debian_as_root && apt_install chromium && has_chromium
}

# Playwright's Chromium comes with one. Of the same version as the browser, or it may not start.
wants_shell() {
    starts chromium && ! starts chromium-headless-shell && on_debian_as_root
}

has_firefox() {
    for name in "${FIREFOX:-}" firefox-esr firefox; do
        if [ -n "$name" ] && starts "$name"; then
            return 0
        fi
    done
    return 1
}

install_firefox() {
    on_debian_as_root || return 1
    echo "Installing a Firefox for the browser tests ..."
    apt_install firefox-esr && has_firefox
}

# Its browser wants a display, even to say its version.
has_webkit() {
    has WebKitWebDriver && has Xvfb || return 1
    for browser in /usr/lib/*/webkit*gtk-*/MiniBrowser; do
        if [ -x "$browser" ]; then
            return 0
        fi
    done
    return 1
}

install_webkit() {
    on_debian_as_root || return 1
    echo "Installing a WebKit for the browser tests ..."
    apt_install webkit2gtk-driver xvfb && has_webkit
}

has_postgres() {
    for server in /usr/lib/postgresql/*/bin/postgres; do
        if [ -x "$server" ]; then
            return 0
        fi
    done
    has postgres
}

# Only the programs are wanted. Debian would also make a cluster and start it.
install_postgres() {
    on_debian_as_root || return 1
    echo "Installing a PostgreSQL server for the tests ..."
    settings=/etc/postgresql-common/createcluster.conf
    if [ ! -e "$settings" ]; then
        apt_install postgresql-common || return 1
        sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' "$settings"
    fi
    apt_install postgresql && has_postgres
}

# What stands in front of the lottery and its database, and what watches it.
has_neighbours() {
    has pgbouncer && has nginx && has caddy && has prometheus && has promtool && has sqlite3
}

# Only the programs are wanted. Debian would also start them.
install_neighbours() {
    on_debian_as_root || return 1
    echo "Installing pgbouncer, nginx, Caddy, Prometheus and sqlite3 for the tests ..."
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        apt_install pgbouncer nginx-light caddy prometheus sqlite3
    else
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
        apt_install pgbouncer nginx-light caddy prometheus sqlite3 || true
        rm "$policy"
    fi
    has_neighbours
}

# npm writes .package-lock.json when all else is in place.
has_floors() {
    cmp -s "$pinned/package-lock.json" "$FLOORS/package-lock.json" &&
        [ -e "$FLOORS/node_modules/.package-lock.json" ]
}

# Into a folder of its own, so that the checkout stays as it is.
install_floors() {
    echo "Installing Lighthouse and the Nu HTML checker for the tests of pages ..."
    if ! has npm; then
        on_debian_as_root && apt_install nodejs npm || return 1
    fi
    mkdir -p "$FLOORS" && cp "$pinned/package.json" "$pinned/package-lock.json" "$FLOORS" &&
        quietly in_floors npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
}

in_floors() {
    cd "$FLOORS" && "$@"
}

# As with browsers: what counts is that it starts. A Node.js or a Java that is too old does not.
lighthouse_starts() {
    node "$FLOORS/node_modules/lighthouse/cli/index.js" --version >/dev/null 2>&1
}

nu_checker_starts() {
    java -jar "$FLOORS/node_modules/vnu-jar/build/dist/vnu.jar" --version >/dev/null 2>&1
}

install_java() {
    ! has java && on_debian_as_root || return 1
    echo "Installing a Java for the tests of HTML ..."
    apt_install default-jre-headless && nu_checker_starts
}

# Others' verifier and witness want a newer Python than the lottery does, so they have their own.
has_foreign() {
    cmp -s "$pinned/../foreign.txt" "$FOREIGN/foreign.txt"
}

install_foreign() {
    for python in python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
        if starts "$python"; then
            echo "Installing others' verifier and witness for the tests ..."
            quietly "$python" -m venv "$FOREIGN" &&
                quietly "$FOREIGN/bin/pip" install --quiet --disable-pip-version-check \
                    --require-hashes -r "$pinned/../foreign.txt" &&
                cp "$pinned/../foreign.txt" "$FOREIGN"
            return
        fi
    done
    return 1
}

has_chromium || has_playwrights_chromium || install_chromium ||
    give_up "No Chromium can be had, so the browser tests will be skipped: \
install the package chromium, or name a browser in CHROMIUM."

# not needed, but twice as fast
! wants_shell || apt_install chromium-headless-shell || said=

has_firefox || install_firefox ||
    give_up "No Firefox can be had, so its tests will be skipped: \
install the package firefox-esr, or name a browser in FIREFOX."

has_webkit || install_webkit ||
    give_up "No WebKit can be had, so its tests will be skipped: \
install the packages webkit2gtk-driver and xvfb."

has_foreign || install_foreign ||
    give_up "Others' verifier and witness cannot be had, so their tests will be skipped: \
install Python 3.12 or newer, with its module venv."

has_postgres || install_postgres ||
    give_up "No PostgreSQL server can be had, so the tests run on SQLite alone: \
install the package postgresql."

has_neighbours || install_neighbours ||
    give_up "pgbouncer, nginx, Caddy, Prometheus and sqlite3 cannot all be had, so tests of config/ will be \
skipped: install the packages pgbouncer, nginx-light, caddy, prometheus and sqlite3."

if has_floors || install_floors; then
    lighthouse_starts ||
        give_up "Lighthouse does not start, so its tests will be skipped: install Node.js 22."
    nu_checker_starts || install_java ||
        give_up "The Nu HTML checker does not start, so its tests will be skipped: \
install the package default-jre-headless."
else
    give_up "Lighthouse and the Nu HTML checker cannot be had, so their tests will be skipped: \
install the packages nodejs and npm."
fi
