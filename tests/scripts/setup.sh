#!/bin/sh
# setup - scripts/setup with stand-ins for dpkg-query, id and apt-get on a PATH
# of its own: it installs what is missing as root, names it otherwise, and does
# nothing where nothing is missing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
bin=$folder/bin
mkdir "$bin"
for tool in sh sed dirname; do
    ln -s "$(command -v "$tool")" "$bin/$tool"
done

# stand_in NAME: a command whose body is standard input
stand_in() {
    { echo '#!/bin/sh'; cat; } >"$bin/$1"
    chmod +x "$bin/$1"
}
stand_in apt-get <<EOF
echo "\$@" >>"$folder/apt-get"
EOF
# The package is the last argument; what \$folder/absent lists is absent or, in
# the case of gcc, was removed and left its settings.
stand_in dpkg-query <<EOF
for package; do :; done
for absent in \$(cat "$folder/absent"); do
    [ "\$package" != "\$absent" ] || {
        [ "\$package" = gcc ] || exit 1
        printf config-files
        exit 0
    }
done
printf installed
EOF
ln -s "$(command -v cat)" "$bin/cat"

# call USER_ID ABSENT...: runs setup; leaves status, said and apt-get's calls
call() {
    stand_in id <<EOF
echo $1
EOF
    shift
    echo "$@" >"$folder/absent"
    : >"$folder/apt-get"
    status=0
    PATH=$bin scripts/setup >"$folder/said" 2>&1 || status=$?
}
fail() {
    echo "$1; it exited $status and said:"
    cat "$folder/said"
    exit 1
}

call 1000
[ "$status" -eq 0 ] || fail "nothing missing: expected status 0"
[ ! -s "$folder/said" ] || fail "nothing missing: expected no word"

call 1000 gcc shellcheck
[ "$status" -eq 2 ] || fail "not root: expected status 2"
grep -q -- ' gcc shellcheck$' "$folder/said" ||
    fail "not root: expected the two missing packages and no other"
[ ! -s "$folder/apt-get" ] || fail "not root: apt-get was called"

call 0 libhdf5-dev
[ "$status" -eq 0 ] || fail "root: expected status 0"
grep -q 'install .*no-install-recommends libhdf5-dev$' "$folder/apt-get" ||
    fail "root: expected apt-get to install libhdf5-dev alone"

stand_in apt-get <<EOF
exit 100
EOF
call 0 libhdf5-dev
[ "$status" -eq 100 ] || fail "apt-get fails: expected its status, 100"

rm "$bin/dpkg-query"
call 0
[ "$status" -eq 2 ] || fail "no Debian: expected status 2"
grep -q packages.txt "$folder/said" || fail "no Debian: expected the list's name"
echo "setup: all cases as expected"
