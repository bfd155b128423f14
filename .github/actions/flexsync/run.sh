#!/usr/bin/env bash
# Runs flexsync as the INPUT_ variables say, and writes the outputs of the
# action. It exits with 0 whatever flexsync exits with: result.sh tells that,
# after the comment is written.
#
# Needs bash and jq, which GitHub's runners for Linux and macOS have.
set -euo pipefail

dir=$(mktemp -d "$RUNNER_TEMP/flexsync.XXXXXX")
markdown=$dir/comment.md
said=$dir/stderr
report=$dir/report.json

output() {
	case $2 in
	*$'\n'*) fail "output $1 would have several lines" ;;
	esac
	printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

fail() {
	printf '::error title=flexsync action::%s\n' "$1"
	printf 'exit-code=3\n' >>"$GITHUB_OUTPUT"
	exit 3
}

# lines splits the lines of an input into the array values, without empty ones.
# (The bash of macOS is too old for mapfile.)
lines() {
	local line
	values=()
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line%$'\r'}
		if [ -n "$line" ]; then values+=("$line"); fi
	done <<<"$1"
}

# given tells whether the workflow gives an input. The empty value of an
# expression, such as the output of a step that has not run, is not the same as no
# value: it would apply the YAML in place of a plan, or to more flows.
given() { # NAME VALUE
	case $2 in
	'(none)') return 1 ;;
	*[![:space:]]*) return 0 ;;
	*) fail "the input $1 is given, and is empty: leave it out, or write (none)" ;;
	esac
}

# absolute is a path that is good in any directory.
absolute() {
	case $1 in
	/*) printf '%s' "$1" ;;
	*) printf '%s/%s' "$PWD" "$1" ;;
	esac
}

command -v jq >/dev/null || fail "jq is not installed"
case $INPUT_BINARY in
*/*) binary=$(absolute "$INPUT_BINARY") ;;
*) binary=$(command -v -- "$INPUT_BINARY") || fail "there is no flexsync to run: see the input binary" ;;
esac
if given working-directory "$INPUT_WORKING_DIRECTORY"; then
	cd -- "$INPUT_WORKING_DIRECTORY" || fail "the working directory is not there"
fi

args=()
each() { # NAME VALUE: the flag of this name for each line
	local value
	if given "$1" "$2"; then
		lines "$2"
		for value in "${values[@]}"; do args+=("--$1=$value"); done
	fi
}
each var-file "$INPUT_VAR_FILE"
each only "$INPUT_ONLY"
each ignore "$INPUT_IGNORE"
if given args "$INPUT_ARGS"; then
	lines "$INPUT_ARGS"
	args+=("${values[@]}")
fi

account=${TWILIO_ACCOUNT_SID-}
if given local "$INPUT_LOCAL"; then
	# flexsync would make the file, and the plan would be one for an empty account.
	[ -f "$INPUT_LOCAL" ] || fail "the snapshot is not there: see the input local"
	args+=("--local=$INPUT_LOCAL")
	account=$(jq -r '.account_sid // ""' "$INPUT_LOCAL" 2>/dev/null) || account=
fi

# is_plan tells whether the file of the plan is one.
is_plan() {
	[ -f "$plan" ] && jq -e 'type == "object" and has("plan_digest")' "$plan" >/dev/null 2>&1
}

plan=
if given plan-file "$INPUT_PLAN_FILE"; then plan=$(absolute "$INPUT_PLAN_FILE"); fi
paths=()
if given paths "$INPUT_PATHS"; then
	lines "$INPUT_PATHS"
	paths=(-- "${values[@]}")
fi

case $INPUT_COMMAND in
plan)
	plan=${plan:-$dir/plan.json}
	# One of an earlier run must not pass for this one's. What is no plan may be an
	# input by mistake, which flexsync refuses to overwrite.
	if is_plan; then rm -f -- "$plan"; fi
	args=(plan --detailed-exitcode "--out=$plan" ${args[@]+"${args[@]}"})
	;;
apply)
	args=(apply --yes --format=json ${plan:+"--plan=$plan"} ${args[@]+"${args[@]}"})
	;;
*) fail "the command is plan or apply" ;;
esac
args+=(--step-summary ${paths[@]+"${paths[@]}"})

# The Markdown is taken where flexsync writes it for the job's summary, so that
# one run gives all the views. A plan's stdout is for the log; a report's is
# JSON, for scripts. flexsync runs in the background so that this shell can pass
# a signal on.
mkfifo "$dir/stderr.pipe"
tee "$said" <"$dir/stderr.pipe" >&2 &
teed=$!
if [ "$INPUT_COMMAND" = plan ]; then exec 3>&1; else exec 3>"$report"; fi
GITHUB_STEP_SUMMARY=$markdown "$binary" "${args[@]}" </dev/null >&3 2>"$dir/stderr.pipe" &
running=$!
exec 3>&-
trap 'kill -TERM "$running" 2>/dev/null || true' INT TERM
code=0
wait "$running" || code=$?
while kill -0 "$running" 2>/dev/null; do # a signal ended the wait, and not flexsync
	code=0
	wait "$running" || code=$?
done
wait "$teed" || true
trap - INT TERM

# What flexsync has no Markdown for: that it could do nothing.
if [ ! -s "$markdown" ]; then
	case $code in
	3) why="the input is not valid" ;;
	4) why="refused" ;;
	5) why="the saved plan is stale" ;;
	130) why="interrupted" ;;
	*) why="an error" ;;
	esac
	{
		printf '<!-- flexsync:%s %s -->\n' "$INPUT_COMMAND" "$(printf '%s' "$account" | tr -cd 'A-Za-z0-9' | cut -c1-40)"
		printf '### flexsync %s: %s (exit %d)\n\n' "$INPUT_COMMAND" "$why" "$code"
		if [ "$code" = 5 ]; then
			printf 'The account is not as it was when this plan was made. **Nothing was changed.** Make the plan again, and have it reviewed again: re-run all jobs of the workflow.\n\n'
		fi
		# Indented, every line is code, whatever stands in it. Annotations are
		# for the runner.
		grep -v '^::' "$said" | head -c 40000 | sed 's/^/    /' || true
		printf '\n'
		if [ -n "${GITHUB_RUN_ID-}" ]; then
			printf '\n[The job](%s/%s/actions/runs/%s) has the log.\n' "${GITHUB_SERVER_URL-}" "${GITHUB_REPOSITORY-}" "$GITHUB_RUN_ID"
		fi
	} >"$markdown"
fi
if [ "$INPUT_COMMAND" = apply ]; then
	cat "$markdown"
fi
if [ "$INPUT_STEP_SUMMARY" = true ] && [ -n "${GITHUB_STEP_SUMMARY-}" ]; then
	cat "$markdown" >>"$GITHUB_STEP_SUMMARY"
fi

output exit-code "$code"
output markdown-file "$markdown"
case $INPUT_COMMAND in
plan)
	if is_plan; then
		output plan-file "$plan"
		jq -r '"has-changes=\(.changes | length > 0)", "creates=\(.summary.create)", "updates=\(.summary.update)", "deletes=\(.summary.delete)"' "$plan" >>"$GITHUB_OUTPUT"
	fi
	;;
apply)
	if [ -n "$plan" ]; then output plan-file "$plan"; fi
	if [ -s "$report" ]; then
		output report-file "$report"
		jq -r 'select(.summary.created != null) | "has-changes=\(.results | length > 0)", "creates=\(.summary.created)", "updates=\(.summary.updated)", "deletes=\(.summary.deleted)"' "$report" >>"$GITHUB_OUTPUT"
	fi
	;;
esac
