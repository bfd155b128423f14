#!/usr/bin/env bash
# Posts the Markdown in the file INPUT_MARKDOWN as a comment on the pull request.
# The first line of the Markdown is a marker. If a comment by INPUT_AUTHOR begins
# with it, that comment is replaced. Comments by others are left alone: anybody can
# write the marker, and must not control where the plan appears.
#
# Needs gh and jq, which GitHub's runners have.
set -euo pipefail

fail() {
	printf '::error title=flexsync action::%s\n' "$1"
	exit 1
}

[[ ${INPUT_PULL_REQUEST-} =~ ^[0-9]+$ ]] || fail "this workflow run has no pull request to comment on. Set the input pull-request."
for tool in gh jq; do
	command -v "$tool" >/dev/null || fail "$tool is not installed."
done
export GH_HOST=${GITHUB_SERVER_URL#*://} GH_ENTERPRISE_TOKEN=$GH_TOKEN
repository=repos/$GITHUB_REPOSITORY
IFS= read -r marker <"$INPUT_MARKDOWN" || true
case $marker in
'<!-- flexsync:'*' -->') ;;
*) fail "the Markdown does not begin with a marker." ;;
esac

# shellcheck disable=SC2016 # the variables are jq's
mine='[.[] | select(.user.login == $author and ((.body // "") | split("\n")[0] | rtrimstr("\r")) == $marker)] | first | .id // empty'
found=$(gh api --paginate "$repository/issues/$INPUT_PULL_REQUEST/comments?per_page=100") ||
	fail "cannot read the comments on the pull request."
found=$(jq -r --arg author "$INPUT_AUTHOR" --arg marker "$marker" "$mine" <<<"$found" | head -n 1)

if [ -n "$found" ]; then
	gh api --method PATCH "$repository/issues/comments/$found" -F "body=@$INPUT_MARKDOWN" --jq .html_url
else
	gh api --method POST "$repository/issues/$INPUT_PULL_REQUEST/comments" -F "body=@$INPUT_MARKDOWN" --jq .html_url
fi || fail "cannot write the comment, so the pull request may show an outdated plan. The job needs the permission pull-requests: write."
