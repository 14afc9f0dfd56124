#!/usr/bin/env bash
# Tries the wheel that wheel.sh built, and on the Debian that they were built on the packages of deb.sh, each in a bare Debian.
# The wheel finds python3, its venv and numpy there, and nothing else; apt fetches what the packages say that they need.
#   scripts/package/bare_root.sh [SUITE]…        (bookworm trixie)        SEQGRAD_BUILD: the build that was packed, else build
# Exit 77 where no root could be made (mmdebstrap, root's rights and the network are needed).
set -euo pipefail
cd "$(dirname "$0")/../.."
suites=("$@")
[[ ${#suites[@]} -gt 0 ]] || suites=(bookworm trixie)
build=${SEQGRAD_BUILD:-build}
wheel=$(echo "$build"/wheel/house/seqgrad-*.whl)
[[ -e $wheel ]] || { echo "error: no wheel; scripts/package/wheel.sh builds it"; exit 2; }
own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
work=$(mktemp -d)
log=$work/log
proc=  # mounted, for the loader finds a program's folder by it
finish() { [[ -z $proc ]] || umount "$proc"; rm -rf "$work"; }
trap finish EXIT

# In a new root of a suite with these packages: the tree that scripts/package/try_*.sh and the tests of the package need.
make_root() {  # SUITE PACKAGES
  command -v mmdebstrap >/dev/null && [[ $(id -u) -eq 0 ]] &&
    mmdebstrap --variant=minbase --include="$2" "$1" "$work/root" >"$log" 2>&1 || return 1
  mkdir -p "$work/root/try"
  tar -c scripts/package scripts/check/python_package.sh scripts/lib/python.sh configs/copy.yaml apps/python/tests tests/example \
    tests/cases/tfa | tar -x -C "$work/root/try"
  cp /etc/resolv.conf "$work/root/etc/resolv.conf"
  mount -t proc proc "$work/root/proc"
  proc=$work/root/proc
}
drop_root() {
  [[ -z $proc ]] || umount "$proc"
  proc=
  rm -rf "${work:?}/root"
}
code=0 summary=""
try_in() {  # SUITE WHAT PACKAGES COMMAND
  if ! make_root "$1" "$3"; then
    echo "$1, $2: not run: no root could be made ($(grep -m 1 -E '^E:' "$log" 2>/dev/null || echo 'mmdebstrap and root needed'))"
    [[ $code -ne 0 ]] || code=77
  else
    cp "$wheel" "$build"/deb/*.deb "$work/root/try" 2>/dev/null || true
    if chroot "$work/root" bash -c "cd /try && $4" >"$log" 2>&1; then
      echo "$1, $2: ok"
      sed 's/^/  /' "$log"
      ms=$(sed -n 's/^the executable starts in \([0-9]*\) ms$/\1/p' "$log")
      summary+="$1: $2 ok${ms:+, starts in $ms ms}; "
      [[ ${ms:-0} -le 20 ]] || { echo "error: at most 20 ms"; code=1; }
    else
      echo "$1, $2: failed"
      tail -n 15 "$log"
      code=1
    fi
  fi
  drop_root
}

for suite in "${suites[@]}"; do
  try_in "$suite" wheel python3,python3-venv,python3-numpy \
    'python3 -m venv --system-site-packages v && v/bin/pip -q install --no-index --no-deps *.whl && scripts/package/try_wheel.sh v/bin &&
     SEQGRAD_PYTHON=v/bin/python SEQGRAD_INSTALLED=1 scripts/check/python_package.sh 2>&1 | tail -n 3'
  [[ $suite == "$own" && -n $(ls "$build"/deb/*.deb 2>/dev/null) ]] || continue
  try_in "$suite" packages ca-certificates scripts/package/try_deb.sh
done
echo "${summary%; }"
exit "$code"
