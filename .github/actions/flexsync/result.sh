#!/usr/bin/env bash
# Exits with the exit code of flexsync, and explains it in one line.
set -euo pipefail

[ "$COMMAND" = apply ] || COMMAND=plan # nothing else reaches the log
account="the account" nothing="Nothing was changed."
if [ "$FLEET" != '(none)' ]; then # --keep-going may have changed the others
	account="an account" nothing="The accounts that this is about were not changed."
fi

error() {
	printf '::error title=flexsync %s: exit %d::%s\n' "$COMMAND" "$CODE" "$1"
	exit "$CODE"
}

case $CODE in
0) exit 0 ;;
2)
	if [ "$COMMAND" = plan ]; then exit 0; fi
	error "Failed. See the log."
	;;
3) error "The input is invalid. $nothing See the annotations or the log." ;;
4) error "Refused by a guard. $nothing See the log for the reasons." ;;
5) error "The saved plan is stale: $account has changed since it was made. $nothing Re-run all jobs to make a new plan, and have it reviewed." ;;
6) error "A write failed, or its outcome is unknown. Other writes may have succeeded: see the report. Fix the cause and run it again." ;;
7) error "Applied, but $account does not match the YAML. See the report for the differences." ;;
130) error "Interrupted. See the report for what was done." ;;
*) error "Failed. See the log." ;;
esac
