#!/usr/bin/env bash
# Tries the wheel that wheel.sh built in a bare Debian, which has python3, its venv and numpy, and nothing else.
#   scripts/package/bare_root.sh [SUITE]…        (bookworm trixie)
# Exit 77 where no root could be made (mmdebstrap, root's rights and the network are needed).
set -euo pipefail
cd "$(dirname "$0")/../.."
suites=("$@")
[[ ${#suites[@]} -gt 0 ]] || suites=(bookworm trixie)
wheel=$(echo build/wheel/house/seqgrad-*.whl)
[[ -e $wheel ]] || { echo "error: no wheel; scripts/package/wheel.sh builds it"; exit 2; }
root=$(mktemp -d)
proc=  # mounted, for the loader finds a program's folder by it
finish() { [[ -z $proc ]] || umount "$proc"; rm -rf "$root"; }
trap finish EXIT
code=0
for suite in "${suites[@]}"; do
  if ! command -v mmdebstrap >/dev/null || [[ $(id -u) -ne 0 ]] ||
    ! mmdebstrap --variant=minbase --include=python3,python3-venv,python3-numpy "$suite" "$root/$suite" >"$root/log" 2>&1; then
    echo "$suite: not run: no root could be made ($(grep -m 1 -E '^E:' "$root/log" 2>/dev/null || echo 'mmdebstrap and root needed'))"
    [[ $code -ne 0 ]] || code=77
    continue
  fi
  mkdir -p "$root/$suite/try/scripts/package" "$root/$suite/try/configs"
  cp "$wheel" "$root/$suite/try"
  cp scripts/package/try_wheel.sh "$root/$suite/try/scripts/package"
  cp configs/copy.yaml "$root/$suite/try/configs"
  mount -t proc proc "$root/$suite/proc"
  proc=$root/$suite/proc
  if chroot "$root/$suite" bash -c 'cd /try && python3 -m venv --system-site-packages v && v/bin/pip -q install --no-index --no-deps *.whl &&
      scripts/package/try_wheel.sh v/bin' >"$root/log" 2>&1; then
    echo "$suite: ok"
    sed 's/^/  /' "$root/log"
  else
    echo "$suite: failed"
    tail -n 15 "$root/log"
    code=1
  fi
  umount "$proc"
  proc=
  rm -rf "${root:?}/$suite"
done
exit "$code"
