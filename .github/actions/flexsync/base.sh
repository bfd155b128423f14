#!/usr/bin/env bash
# base.sh COMMIT DIR: writes the files of a commit of this repository to DIR.
# COMMIT is auto for the commit that a pull request is compared with: the first
# parent of the merge that the job has checked out or, if it has not checked out a
# merge, the merge base with the target branch. It prints why, in one line, and
# exits with 1 if there is no such commit in reach.
#
# It runs no hooks, checks out no submodules, and changes neither the working
# directory nor the index.
set -euo pipefail

git() { command git -c core.hooksPath=/dev/null "$@"; }

commit=$1
dir=$2

no() {
	printf 'flexsync: cannot tell drift from the pull request: %s\n' "$1" >&2
	exit 1
}

root=$(git rev-parse --show-toplevel 2>/dev/null) || no "the job has no git repository"
cd -- "$root"

# have tells whether a commit is here, or gets it. A clone without credentials
# cannot get it from a private repository.
have() {
	git cat-file -e "$1^{tree}" 2>/dev/null ||
		{ git fetch --quiet --no-tags --no-recurse-submodules --depth=1 origin "$1" 2>/dev/null && git cat-file -e "$1^{tree}" 2>/dev/null; }
}

if [ "$commit" = auto ]; then
	# A shallow clone knows the parents of its commit, but does not have them.
	parents=$(git cat-file commit HEAD | sed -n '/^$/q; s/^parent //p')
	target=$(jq -r '.pull_request.base.sha // ""' "${GITHUB_EVENT_PATH:-/dev/null}" 2>/dev/null) || target=
	case $parents in
	*$'\n'*) commit=${parents%%$'\n'*} ;;
	*)
		[ -n "$target" ] || no "the event names no target branch"
		have "$target" || no "commit $target is not in the clone; set fetch-depth: 0 for the checkout"
		commit=$(git merge-base HEAD "$target" 2>/dev/null) || no "the clone is too shallow to have the merge base; set fetch-depth: 0 for the checkout"
		;;
	esac
fi
case $commit in -*) no "$commit is not a commit" ;; esac
have "$commit" || no "commit $commit is not in the clone; set fetch-depth: 2 for the checkout"

mkdir -p -- "$dir"
export GIT_INDEX_FILE=$dir.index
git read-tree "$commit^{tree}"
git checkout-index --all --prefix="$dir/"
rm -f -- "$GIT_INDEX_FILE"
