#!/bin/sh
# readme_is_generated.sh WRITE_KEYS README: the tables of keys in the README
# are those of the parser.
set -eu
new=$(mktemp)
trap 'rm -f "$new"' EXIT
"$1" "$2" >"$new"
if ! cmp -s "$2" "$new"; then
    diff "$2" "$new" | head -20
    echo "$2 is out of date: write_keys $2 > new && mv new $2" >&2
    exit 1
fi
