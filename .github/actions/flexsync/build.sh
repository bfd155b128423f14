#!/usr/bin/env bash
# Builds flexsync from the checkout that this action is part of.
set -euo pipefail

dir=$(mktemp -d "$RUNNER_TEMP/flexsync-bin.XXXXXX")
# The checkout of an action is not a clone, and git in a container may not trust it.
go build -C "$GITHUB_ACTION_PATH/../../.." -buildvcs=false -o "$dir/flexsync" ./cmd/flexsync
"$dir/flexsync" version
printf 'binary=%s\n' "$dir/flexsync" >>"$GITHUB_OUTPUT"
