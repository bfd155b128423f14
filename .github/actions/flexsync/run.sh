#!/usr/bin/env bash
# Runs flexsync as the INPUT_ variables say, and writes the outputs of the
# action. It exits with 0 whatever flexsync exits with: result.sh reports the exit
# code after the comment is written.
#
# Needs bash and jq, which GitHub's runners have.
set -euo pipefail

dir=$(mktemp -d "$RUNNER_TEMP/flexsync.XXXXXX")
markdown=$dir/comment.md
said=$dir/stderr
report=$dir/report.json

output() {
	case $2 in
	*$'\n'*) fail "the value of the output $1 has more than one line" ;;
	esac
	printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

fail() {
	printf '::error title=flexsync action::%s\n' "$1"
	printf 'exit-code=3\n' >>"$GITHUB_OUTPUT"
	exit 3
}

# lines splits an input into the array values, one for each line that is not empty.
# (The bash of macOS is too old for mapfile.)
lines() {
	local line
	values=()
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line%$'\r'}
		if [ -n "$line" ]; then values+=("$line"); fi
	done <<<"$1"
}

# given tells whether the workflow sets an input. An empty value, such as the output
# of a step that did not run, does not count as omitted: apply would carry out the
# YAML instead of a plan, or change more flows.
given() { # NAME VALUE
	case $2 in
	'(none)') return 1 ;;
	*[![:space:]]*) return 0 ;;
	*) fail "the input $1 is empty. Set a value, omit the input, or set it to (none)." ;;
	esac
}

# absolute prints a path that is valid in any directory.
absolute() {
	case $1 in
	/* | [A-Za-z]:[/\\]*) printf '%s' "$1" ;;
	*) printf '%s/%s' "$PWD" "$1" ;;
	esac
}

command -v jq >/dev/null || fail "jq is not installed."
case $INPUT_BINARY in
*/*) binary=$(absolute "$INPUT_BINARY") ;;
*) binary=$(command -v -- "$INPUT_BINARY") || fail "the binary that the input binary names was not found in the PATH." ;;
esac
if given working-directory "$INPUT_WORKING_DIRECTORY"; then
	cd -- "$INPUT_WORKING_DIRECTORY" || fail "the directory that the input working-directory names does not exist."
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
each account "$INPUT_ACCOUNT"
if given args "$INPUT_ARGS"; then
	lines "$INPUT_ARGS"
	args+=("${values[@]}")
fi

account=${TWILIO_ACCOUNT_SID-}
fleet=
if given fleet "$INPUT_FLEET"; then
	fleet=$INPUT_FLEET
	args+=("--fleet=$fleet")
fi
if given local "$INPUT_LOCAL"; then
	# flexsync would create the file and plan against an empty account.
	[ -f "$INPUT_LOCAL" ] || fail "the snapshot that the input local names does not exist."
	args+=("--local=$INPUT_LOCAL")
	account=$(jq -r '.account_sid // ""' "$INPUT_LOCAL" 2>/dev/null) || account=
fi

# is_plan tells whether the file $plan is a saved plan, of an account or of a fleet.
is_plan() {
	[ -f "$plan" ] && jq -e 'type == "object" and (has("plan_digest") or has("fleet_digest"))' "$plan" >/dev/null 2>&1
}

# subject prints what the marker of the Markdown names, as flexsync writes it.
subject() {
	local file
	if [ -z "$fleet" ]; then
		printf '%s' "$account" | tr -cd 'A-Za-z0-9' | cut -c1-40
		return
	fi
	file=${fleet:0:80}
	file=${file//[<>]/}
	while [[ $file == *--* ]]; do file=${file//--/- -}; done
	printf 'fleet %s' "$file"
}

plan=
if given plan-file "$INPUT_PLAN_FILE"; then plan=$(absolute "$INPUT_PLAN_FILE"); fi
paths=()
if given paths "$INPUT_PATHS"; then
	lines "$INPUT_PATHS"
	paths=(-- "${values[@]}")
fi

# based prints where the base has a path of the repository. It fails if that has none.
based() {
	case $1 in
	/* | [A-Za-z]:[/\\]*) return 1 ;;
	esac
	[ -e "$dir/base/$prefix$1" ] && printf '%s' "$dir/base/$prefix$1"
}

# add_base adds the fleet file of the base, or its YAML as far as it has these paths.
add_base() {
	local prefix name path found=
	local -a names=()
	if [ -n "$fleet" ]; then
		names=("$fleet")
	elif given paths "$INPUT_PATHS"; then
		lines "$INPUT_PATHS"
		names=("${values[@]}")
	fi
	bash "${BASH_SOURCE[0]%/*}/base.sh" "$1" "$dir/base" || return 0
	prefix=$(git rev-parse --show-prefix)
	if [ "${#names[@]}" = 0 ]; then # as flexsync looks for them
		for name in flows.yaml flows.yml flows; do
			if [ -e "$name" ]; then
				names=("$name")
				break
			fi
		done
	fi
	for name in ${names[@]+"${names[@]}"}; do
		if path=$(based "$name"); then
			args+=("--base=$path")
			found=1
		fi
	done
	if [ -z "$found" ]; then
		printf 'flexsync: cannot tell drift from the pull request: the base has none of the paths\n' >&2
	elif given var-file "$INPUT_VAR_FILE"; then
		# Those that the base does not have are made by the job, or new.
		lines "$INPUT_VAR_FILE"
		for name in "${values[@]}"; do
			path=$(based "$name") || path=$name
			args+=("--base-var-file=$path")
		done
	fi
}

case $INPUT_COMMAND in
plan)
	if given base "$INPUT_BASE"; then
		case $INPUT_BASE in
		auto) if [ -n "${GITHUB_BASE_REF-}" ]; then add_base auto; fi ;;
		*) add_base "$INPUT_BASE" ;;
		esac
	fi
	plan=${plan:-$dir/plan.json}
	# A plan left by an earlier run must not pass for the plan of this run. Any other
	# file may be an input, named here by mistake: flexsync refuses to overwrite it.
	if is_plan; then rm -f -- "$plan"; fi
	args=(plan --detailed-exitcode "--out=$plan" ${args[@]+"${args[@]}"})
	;;
apply)
	args=(apply --yes --format=json ${plan:+"--plan=$plan"} ${args[@]+"${args[@]}"})
	;;
*) fail "the input command must be plan or apply." ;;
esac
args+=(--step-summary ${paths[@]+"${paths[@]}"})

# flexsync writes its Markdown as a job summary, so that one run gives all views.
# stdout is for the log with plan, and the report in JSON with apply. flexsync runs
# in the background so that this shell can pass signals on to it.
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
while kill -0 "$running" 2>/dev/null; do # a signal ended the wait; flexsync still runs
	code=0
	wait "$running" || code=$?
done
wait "$teed" || true
trap - INT TERM

# flexsync writes no Markdown if it fails before there is a plan or a report.
if [ ! -s "$markdown" ]; then
	case $code in
	3) why="the input is not valid" ;;
	4) why="refused" ;;
	5) why="the saved plan is stale" ;;
	130) why="interrupted" ;;
	*) why="an error" ;;
	esac
	{
		printf '<!-- flexsync:%s %s -->\n' "$INPUT_COMMAND" "$(subject)"
		printf '### flexsync %s: %s (exit %d)\n\n' "$INPUT_COMMAND" "$why" "$code"
		if [ "$code" = 5 ]; then
			printf 'The account has changed since this plan was made. **Nothing was changed.** Re-run all jobs of the workflow to make a new plan, and have it reviewed.\n\n'
		fi
		# Indented lines are code in Markdown, whatever they contain. Annotations are
		# for the runner only.
		grep -v '^::' "$said" | head -c 40000 | sed 's/^/    /' || true
		printf '\n'
		if [ -n "${GITHUB_RUN_ID-}" ]; then
			printf '\nSee the [log of the job](%s/%s/actions/runs/%s).\n' "${GITHUB_SERVER_URL-}" "${GITHUB_REPOSITORY-}" "$GITHUB_RUN_ID"
		fi
	} >"$markdown"
fi
if [ "$INPUT_COMMAND" = apply ]; then
	cat "$markdown"
fi
if [ "$INPUT_STEP_SUMMARY" = true ] && [ -n "${GITHUB_STEP_SUMMARY-}" ]; then
	cat "$markdown" >>"$GITHUB_STEP_SUMMARY"
fi

# totals writes the outputs that count, from the document of an account or of a fleet.
# The documents of accounts in which nothing was begun have no counts.
totals() { # LIST CREATES UPDATES DELETES FILE: the members that have them
	# shellcheck disable=SC2016 # the variables are jq's
	jq -r --arg list "$1" --arg creates "$2" --arg updates "$3" --arg deletes "$4" '
		def sum(f): map(f) | add;
		[(.accounts // [.])[] | select(.summary[$creates] != null)] | select(length > 0)
		| "has-changes=\(any(.[]; .[$list] | length > 0))",
		  "creates=\(sum(.summary[$creates]))", "updates=\(sum(.summary[$updates]))", "deletes=\(sum(.summary[$deletes]))"
	' "$5" >>"$GITHUB_OUTPUT"
}

output exit-code "$code"
output markdown-file "$markdown"
case $INPUT_COMMAND in
plan)
	if is_plan; then
		output plan-file "$plan"
		totals changes create update delete "$plan"
	fi
	;;
apply)
	if [ -n "$plan" ]; then output plan-file "$plan"; fi
	if [ -s "$report" ]; then
		output report-file "$report"
		totals results created updated deleted "$report"
	fi
	;;
esac
