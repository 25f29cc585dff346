#!/bin/sh
# Writes static/js/vendor/noble.js anew, byte for byte, out of the versions that
# requirements/vendor/ pins with their hashes. Only for whoever changes them: what the lottery
# serves is committed, so that running it needs neither Node.js nor npm.
#
#     requirements/vendor.sh            write it
#     requirements/vendor.sh --check    fail where the committed one differs
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$here/../static/js/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here"/vendor/package.json "$here"/vendor/package-lock.json "$here"/vendor/noble.js "$work"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund --silent

pinned() {
    node -p "require('./package.json').$1['$2']"
}
{
    echo "/*! @noble/curves $(pinned dependencies @noble/curves), @noble/hashes $(pinned dependencies @noble/hashes)" \
        "(MIT licence, Paul Miller; see LICENSE-noble.txt)."
    echo "Bundled by esbuild $(pinned devDependencies esbuild); requirements/vendor.sh writes this" \
        "file again, byte for byte. */"
    echo "// @ts-nocheck: types are checked where it is written"
    # its launcher finds the binary for this machine without the install script that is left out
    node_modules/.bin/esbuild noble.js --bundle --format=esm --target=es2022 --minify \
        --legal-comments=none --charset=ascii --log-level=warning
} > noble.out.js
cp node_modules/@noble/curves/LICENSE LICENSE-noble.txt

if [ "${1:-}" = --check ]; then
    cmp noble.out.js "$target/noble.js"
    cmp LICENSE-noble.txt "$target/LICENSE-noble.txt"
else
    cp noble.out.js "$target/noble.js"
    cp LICENSE-noble.txt "$target/LICENSE-noble.txt"
fi
