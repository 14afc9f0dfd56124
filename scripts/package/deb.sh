#!/usr/bin/env bash
# Builds build/deb/{seqgrad,libseqgrad*,libseqgrad-dev}_VERSION_*.deb for the Debian that it runs on, and looks at them: lintian
# finds no error, nothing in them is a file of configuration.
#   scripts/package/deb.sh            SEQGRAD_BUILD: the build that is packed, else build
# Needs dpkg-dev. The same commit gives the same bytes in every folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v dpkg-shlibdeps >/dev/null || { echo "skipped: dpkg-shlibdeps is not installed (Debian: dpkg-dev)"; exit 77; }
build=${SEQGRAD_BUILD:-build}
debs=$build/deb
umask 022
scripts/build.sh seqgrad libseqgrad
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date -r CMakeLists.txt +%s)}
export SOURCE_DATE_EPOCH
rm -rf "$debs"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cpack --config "$build/CPackConfig.cmake" -B "$debs" >"$log" 2>&1 || { tail -n 20 "$log"; echo "error: cpack failed"; exit 3; }
rm -rf "$debs/_CPack_Packages"

bad=0
for deb in "$debs"/*.deb; do
  echo "$(basename "$deb"): $(($(stat -c %s "$deb") / 1000)) kB, sha256 $(sha256sum "$deb" | cut -c1-16), needs $(dpkg-deb -f "$deb" Depends)"
  if dpkg-deb --ctrl-tarfile "$deb" | tar -t | grep conffiles; then
    echo "error: $deb has files of configuration"
    bad=1
  fi
done
[[ $(dpkg-deb -f "$debs"/seqgrad_*.deb Version) == "$(sed -n 's/^project(seqgrad VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)" ]] ||
  { echo "error: the version is not that of CMakeLists.txt"; bad=1; }
if command -v lintian >/dev/null; then
  lintian --allow-root --fail-on error "$debs"/*.deb || bad=1
else
  echo "lintian is not installed: not run"
fi
exit "$bad"
