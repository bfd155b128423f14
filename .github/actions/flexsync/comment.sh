#!/usr/bin/env bash
# Writes the Markdown in the file INPUT_MARKDOWN as a comment on the pull
# request. Its first line is a marker; the comment of INPUT_AUTHOR that begins
# with this line is replaced, and if there is none, one is made. Comments of
# others are left alone: who can write the marker must not get hold of the plan.
#
# Needs gh and jq, which GitHub's runners have.
set -euo pipefail

fail() {
	printf '::error title=flexsync action::%s\n' "$1"
	exit 1
}

[[ ${INPUT_PULL_REQUEST-} =~ ^[0-9]+$ ]] || fail "there is no pull request to comment on: see the input pull-request"
for tool in gh jq; do
	command -v "$tool" >/dev/null || fail "$tool is not installed"
done
export GH_HOST=${GITHUB_SERVER_URL#*://} GH_ENTERPRISE_TOKEN=$GH_TOKEN
repository=repos/$GITHUB_REPOSITORY
IFS= read -r marker <"$INPUT_MARKDOWN" || true
case $marker in
'<!-- flexsync:'*' -->') ;;
*) fail "the Markdown does not begin with a marker" ;;
esac

# shellcheck disable=SC2016 # the variables are jq's
mine='[.[] | select(.user.login == $author and ((.body // "") | split("\n")[0] | rtrimstr("\r")) == $marker)] | first | .id // empty'
found=$(gh api --paginate "$repository/issues/$INPUT_PULL_REQUEST/comments?per_page=100") ||
	fail "the comments could not be read"
found=$(jq -r --arg author "$INPUT_AUTHOR" --arg marker "$marker" "$mine" <<<"$found" | head -n 1)

if [ -n "$found" ]; then
	gh api --method PATCH "$repository/issues/comments/$found" -F "body=@$INPUT_MARKDOWN" --jq .html_url
else
	gh api --method POST "$repository/issues/$INPUT_PULL_REQUEST/comments" -F "body=@$INPUT_MARKDOWN" --jq .html_url
fi || fail "the comment could not be written, so the pull request may show an older one: the job needs the permission pull-requests: write"
