#!/usr/bin/env bash
# Ends the action as flexsync ended, and says in a line what its exit code means.
set -euo pipefail

[ "$COMMAND" = apply ] || COMMAND=plan # nothing else reaches the log

error() {
	printf '::error title=flexsync %s: exit %d::%s\n' "$COMMAND" "$CODE" "$1"
	exit "$CODE"
}

case $CODE in
0) exit 0 ;;
2)
	if [ "$COMMAND" = plan ]; then exit 0; fi
	error "An error. The log has more."
	;;
3) error "The input is not valid. Nothing was changed." ;;
4) error "Refused by a guard. Nothing was changed." ;;
5) error "The saved plan is stale: the account has changed since it was made. Nothing was changed. Re-run all jobs to make a new plan and have it reviewed." ;;
6) error "A write failed, or its outcome is unknown; others may be done. The report names each. Once the cause is gone, run it again." ;;
7) error "Applied, but the account does not show it. The report names what differs." ;;
130) error "Interrupted. The report says what was done." ;;
*) error "An error. The log has more." ;;
esac
