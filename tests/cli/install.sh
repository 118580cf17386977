#!/bin/sh
# install - `cmake --install` into a new folder gives a tree that works: the
# program answers and runs a job with the installed demo model.
#
#   install.sh CMAKE BUILD_DIR PYTHON
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" --install "$2" --prefix "$folder/prefix" >"$folder/log"

patchsweep=$folder/prefix/bin/patchsweep
share=$folder/prefix/share/patchsweep
cd "$folder"
"$patchsweep" --version
"$patchsweep" run "$share/jobs/michelle.yaml" -o "$folder/out"
"$patchsweep" top "$folder/out" resid_post
# Its own checks are those beside it, and are not about the demo model.
sed -i 's/name: GPT-2 small/name: the installed one/' "$share/verify/checks.yaml"
if "$patchsweep" verify "$share/models/demo" 2>verify.log; then
    echo "verify took the demo model"; exit 1
fi
grep 'is not the installed one: its d_model is 120' verify.log
"$3" "$share/analysis/heatmap.py" "$folder/out" --sweep resid_post \
    -o "$folder/heatmap.png"
for file in "$folder/heatmap.png" "$share/README.md" "$share/LICENSE" \
            "$share/docs/testing.md"; do
    [ -s "$file" ] || { echo "$file is missing or empty"; exit 1; }
done
