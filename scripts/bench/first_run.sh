#!/usr/bin/env bash
# The first run as a newcomer has it: a fresh Debian root, a clean copy of the tree, one command. Prints the transcript and
# how long it took, and how long a second call takes to its first training step.
#   scripts/bench/first_run.sh [CONFIG]     needs root, mmdebstrap, a Debian mirror; SEQGRAD_ROOT: where the root goes
# Exit 1 when it takes more than 6:30 minutes, the executable more than 3:00 of them, or the second call more than 5 seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."
config=${1:-configs/phrases.yaml}
[[ $(id -u) -eq 0 ]] || { echo "not run: needs root for a chroot"; exit 77; }
command -v mmdebstrap >/dev/null || { echo "not run: mmdebstrap is not installed"; exit 77; }
base=$(mktemp -d "${SEQGRAD_ROOT:-/var/tmp}/seqgrad-root-XXXX")
root=$base/root
# Mounts are made in a namespace of this script's own and end with it: what cleans up never sees the host's /dev.
trap 'rm -rf --one-file-system "$base"' EXIT
mmdebstrap --variant=minbase bookworm "$root" >"$base/log" 2>&1 || { tail -n 5 "$base/log"; echo "not run: mmdebstrap failed"; exit 77; }
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir "$root/seqgrad"
git archive HEAD | tar -x -C "$root/seqgrad"

in_root() {
  unshare --mount --propagation private bash -c 'mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@"
}

start=$(date +%s)
in_root bash -c "cd /seqgrad && scripts/train.sh '$config'" 2>&1 | tee "$base/transcript" | grep -v '^epoch ' || { tail -n 5 "$base/transcript"; exit 1; }
took=$(($(date +%s) - start))

# The second call: from Enter to the end of its first step, minus nothing.
begin=$(date +%s.%N)
in_root bash -c "cd /seqgrad && scripts/train.sh '$config' --max-steps 1 --set report.samples=0 -q" >/dev/null 2>&1
second=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN {printf "%.1f", b - a}')
echo "first run $((took / 60)):$(printf '%02d' $((took % 60))), $(grep '^\[2/3\]' "$base/transcript"), second call trains and stops after a step within $second s; $(grep '^test:' "$base/transcript")"
built=$(sed -nE 's/^\[2\/3\] build: .*\(([0-9]+):([0-9]+)\).*/\1 * 60 + 10#\2/p' "$base/transcript")
[[ $took -le 390 && $((built)) -le 180 ]] && awk -v s="$second" 'BEGIN {exit s > 5}'
