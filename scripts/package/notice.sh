#!/usr/bin/env bash
# Prints what a package of seqgrad says of licences: that it has none yet, and those of the Debian packages that it holds parts of.
#   scripts/package/notice.sh PACKAGE…
# The headers of the libraries named here are compiled in.
set -euo pipefail
echo "No licence has been chosen for seqgrad itself yet: until then nobody but its owner, who has the copyright, may pass it on."
echo "This package holds the following of others, under their own:"
for package in $(printf '%s\n' libcli11-dev nlohmann-json3-dev libxxhash-dev libprotozero-dev "$@" | sort -u); do
  version=$(dpkg-query -W -f='${source:Upstream-Version}' "$package")
  printf '\n==== %s %s\n\n' "$package" "$version"
  cat "/usr/share/doc/$package/copyright"
done
