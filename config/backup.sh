#!/bin/sh
# Backs the database up into a folder, and deletes the oldest copies: backup.sh DIR [KEEP [EVERY]]
#
# Of LOTTERY_DATABASE_URL with pg_dump, or of the SQLite file in LOTTERY_STORAGE, while the lottery
# runs. BACKUP_DATABASE_URL, if set, goes before: PostgreSQL's own address where the other is a pooler's.
# KEEP is how many copies are kept, 48 if omitted; EVERY how many seconds are between two, and only one
# is made if it is omitted. It contains neither keys nor mark: docs/operating.md, Keys. A copy
# that was interrupted is never taken for a complete one.
set -eu
umask 077

# percent_decoded TEXT; dash's printf knows octal numbers only
percent_decoded() {
    rest=$1
    while :; do
        case $rest in
        "") return ;;
        %[0-9A-Fa-f][0-9A-Fa-f]*)
            rest=${rest#%}
            printf %b "\\0$(printf %03o "0x${rest%"${rest#??}"}")"
            rest=${rest#??}
            ;;
        *)
            printf %s "${rest%"${rest#?}"}"
            rest=${rest#?}
            ;;
        esac
    done
}

dir=$1 keep=${2:-48} every=${3:-}

if [ -n "$every" ]; then
    trap 'exit 0' TERM INT
    while :; do
        wait_for=$every
        sh "$0" "$dir" "$keep" || {
            echo "backup: failed; trying again in 300 s at most" >&2
            [ "$every" -le 300 ] || wait_for=300
        }
        sleep "$wait_for" & wait "$!"
    done
fi

now=$(date -u +%Y-%m-%dT%H-%M-%SZ)
url=${LOTTERY_DATABASE_URL:-}
[ -z "${LOTTERY_DATABASE_URL_FILE:-}" ] || url=$(cat "$LOTTERY_DATABASE_URL_FILE")
url=${BACKUP_DATABASE_URL:-$url}
mkdir -p "$dir"

case $url in
postgresql*[?\&]pooler=*)
    # pg_dump would leave its settings to the next who gets the pooler's connection
    echo "backup: LOTTERY_DATABASE_URL is a pooler's; set BACKUP_DATABASE_URL to PostgreSQL's own address" >&2
    exit 1
    ;;
postgresql*)
    copy=$dir/lottery-$now.sql.gz
    # the password goes by the environment, where `ps` does not show it
    password=$(printf %s "$url" | sed -n 's#^[^/]*//[^:/@]*:\([^@]*\)@.*#\1#p')
    [ -z "$password" ] || { PGPASSWORD=$(percent_decoded "$password") && export PGPASSWORD; }
    address=$(printf %s "$url" |
        sed -e 's#^postgresql[^:]*://#postgresql://#' -e 's#^\(postgresql://[^:/@]*\):[^@]*@#\1@#')
    pg_dump --clean --if-exists --file="$copy.part" --compress=6 --dbname="$address"
    ;;
*)
    copy=$dir/lottery-$now.db
    file=${url#sqlite:///}
    sqlite3 "${file:-$LOTTERY_STORAGE/lottery.db}" ".timeout 10000" ".backup '$copy.part'"
    ;;
esac
sync "$copy.part"
mv "$copy.part" "$copy"
echo "backup: $copy"

rm -f "$dir"/lottery-*.part
ls -1 "$dir"/lottery-* | sort -r | tail -n "+$((keep + 1))" | while read -r old; do rm -f "$old"; done
