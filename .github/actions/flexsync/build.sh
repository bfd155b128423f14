#!/usr/bin/env bash
# Builds flexsync from the checkout that this action is a part of.
set -euo pipefail

dir=$(mktemp -d "$RUNNER_TEMP/flexsync-bin.XXXXXX")
# A checkout of an action is no clone, and in a container git may not trust it.
go build -C "$GITHUB_ACTION_PATH/../../.." -buildvcs=false -o "$dir/flexsync" ./cmd/flexsync
"$dir/flexsync" version
printf 'binary=%s\n' "$dir/flexsync" >>"$GITHUB_OUTPUT"
