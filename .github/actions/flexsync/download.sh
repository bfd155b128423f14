#!/usr/bin/env bash
# Downloads the flexsync that was released with this version of the action, checks
# its checksum, and writes the output binary. Without a release for this version
# and this runner there is no output, and the action builds flexsync from source.
#
# ACTION_REPOSITORY and ACTION_REF say which repository the action is from, and at
# which ref. Only a tag such as v1.2.3 has a release: a branch moves, and who pins
# a commit gets what is built from this commit.
set -euo pipefail

build() {
	printf 'flexsync is built from source: %s\n' "$1"
	exit 0
}

fail() {
	printf '::error title=flexsync action::%s\n' "$1"
	exit 1
}

# fetch saves a URL to a file.
fetch() { # URL FILE
	curl --fail --silent --show-error --location --proto-redir '=https' \
		--retry 3 --connect-timeout 20 --max-time 300 --output "$2" -- "$1"
}

sum() {
	if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1
}

[[ ${ACTION_REF-} =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
	build "the action is not used at the tag of a release, such as v1.2.3"
case ${RUNNER_OS-} in
Linux) os=linux kind=tar.gz binary=flexsync ;;
macOS) os=darwin kind=tar.gz binary=flexsync ;;
Windows) os=windows kind=zip binary=flexsync.exe ;;
*) build "there is no release for this operating system" ;;
esac
case ${RUNNER_ARCH-} in
X64) arch=amd64 ;;
ARM64) arch=arm64 ;;
*) build "there is no release for this architecture" ;;
esac
command -v curl >/dev/null || build "curl is not installed"

dir=$(mktemp -d "$RUNNER_TEMP/flexsync-bin.XXXXXX")
archive=flexsync_${ACTION_REF#v}_${os}_$arch.$kind
release=$GITHUB_SERVER_URL/$ACTION_REPOSITORY/releases/download/$ACTION_REF
fetch "$release/checksums.txt" "$dir/checksums.txt" ||
	build "no release could be downloaded from $release"
wanted=$(awk -v file="$archive" '$2 == file { print $1 }' "$dir/checksums.txt")
[ -n "$wanted" ] || build "the release has no $archive"
fetch "$release/$archive" "$dir/$archive" || build "$archive could not be downloaded"

[ "$(sum "$dir/$archive")" = "$wanted" ] ||
	fail "the checksum of $archive is not the one in checksums.txt. It was not unpacked. Do not use this release, and tell its owner."
case $kind in
zip) unzip -q "$dir/$archive" "$binary" -d "$dir" ;;
*) tar -xzf "$dir/$archive" -C "$dir" "$binary" ;;
esac
"$dir/$binary" version
printf 'binary=%s\n' "$dir/$binary" >>"$GITHUB_OUTPUT"
