#!/bin/sh
# Pins the images of docker-compose.yml by their digests: config/pin-images.sh [SETTINGS]
#
# Asks the registry what each image is now, and writes POSTGRES_IMAGE=postgres:17@sha256:... and the like
# into the file SETTINGS, .env if omitted. An image that SETTINGS names is asked for instead of the compose
# file's, and one that is pinned by its tag once more: run it again to take newer images. Asks with `docker
# buildx imagetools`, or with skopeo where there is no Docker. Unless all images have an answer, SETTINGS
# stays as it is.
set -eu
umask 077

settings=${1:-.env}
compose=$(dirname "$0")/../docker-compose.yml

fail() {
    echo "pin-images: $1" >&2
    exit 1
}

digest_of() {
    if command -v docker >/dev/null; then
        docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"
    else
        skopeo inspect --no-tags --format '{{.Digest}}' "docker://$1"
    fi
}

command -v docker >/dev/null || command -v skopeo >/dev/null || fail "install Docker with buildx, or skopeo"
[ -d "$settings" ] && fail "$settings is a folder"
pinned=$(mktemp "$(dirname "$settings")/.pinned.XXXXXX")
trap 'rm -f "$pinned" "$pinned.next"' EXIT
[ ! -e "$settings" ] || cp -p "$settings" "$pinned"

# each setting once, with the image that stands for it
for given in $(sed -n 's/.*\${\([A-Z]*_IMAGE\):-\([^}]*\)}.*/\1=\2/p' "$compose" | sort -u); do
    name=${given%%=*}
    image=$(sed -n "s/^$name=//p" "$pinned" | tail -n 1)
    image=${image:-${given#*=}}
    image=${image%@*}
    digest=$(digest_of "$image") || fail "no digest of $image; $settings is as it was"
    printf %s "$digest" | grep -qx 'sha256:[0-9a-f]\{64\}' || fail "'$digest' is no digest of $image; $settings is as it was"
    awk -v name="$name" -v line="$name=$image@$digest" '
        index($0, name "=") == 1 { if (!done) print line; done = 1; next }
        { print }
        END { if (!done) print line }' "$pinned" >"$pinned.next"
    # into the same file, so that it keeps its owner and mode
    cat "$pinned.next" >"$pinned"
    echo "$name=$image@$digest"
done

mv "$pinned" "$settings"
