#!/usr/bin/env bash
# Fetches Multi30k (task 1, lower-cased, normalised, tokenised) from the dataset's own repository, checks every file, and
# puts them where configs/multi30k_*.yaml look.    scripts/data/get_multi30k.sh [DIR]    (default configs/multi30k)
# The texts describe Flickr30K's images: for research and teaching, not for commerce (see the repository's README).
# A mirror: MULTI30K_URL=file:///my/copy/tok. Exit 2: a wrong argument or no tool; 3: no network, or other files.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
url=${MULTI30K_URL:-https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/tok}
case ${1:-} in
  -h | --help) sed -n '2,5s/^# //p' "$0"; exit 0 ;;
  -*) echo "error: unknown option $1; usage: scripts/data/get_multi30k.sh [DIR]" >&2; exit 2 ;;
esac
[[ $# -le 1 ]] || { echo "error: one directory at most; usage: scripts/data/get_multi30k.sh [DIR]" >&2; exit 2; }
dir=${1:-$root/configs/multi30k}
[[ ! -e $dir || -d $dir ]] || { echo "error: $dir is a file; name a directory" >&2; exit 2; }

# file, lines, SHA-256
files='train.lc.norm.tok.de 29000 cb5a23529b65ec2061f1dc446192a9c37382b63cc75f81a0be59d34894b3a505
train.lc.norm.tok.en 29000 08925f8e0572bcd5a006702fc5fe20e2d77c6917d4eebd576fc20de6693c2119
val.lc.norm.tok.de 1014 97232bd273eceb7207f689527386a97e4be2616b18ada47576bdaf96c8ae1f00
val.lc.norm.tok.en 1014 46573ce391ae227f1c72f873392436a20ef18e0a6d518098cfbd70b77c8572ec
test_2016_flickr.lc.norm.tok.de 1000 c6a33d39d48f9f510de147651316cd9d918e09ad0219df734a2f16b6baccacc4
test_2016_flickr.lc.norm.tok.en 1000 5b7f32627cf99eced828311b955dae9800bb52bc8b91cf8b6526829e605b29d2'
sum_of() { sha256sum <"$1" | cut -d' ' -f1; }
is_right() { [[ -f $1 && $(wc -l <"$1") -eq $2 && $(sum_of "$1") == "$3" ]]; }

missing=0
while read -r name lines sum; do
  is_right "$dir/$name" "$lines" "$sum" && continue
  [[ ! -e $dir/$name ]] || { echo "error: $dir/$name is not the file of the dataset; move it away first" >&2; exit 3; }
  missing=$((missing + 1))
done <<<"$files"
[[ $missing -gt 0 ]] || { echo "$dir: all there"; exit 0; }

command -v curl >/dev/null || { echo "error: curl is needed: sudo apt-get install -y curl" >&2; exit 2; }
mkdir -p "$dir"
part=$(mktemp "$dir/.part-XXXXXX")
trap 'rm -f "$part"' EXIT
while read -r name lines sum; do
  [[ ! -e $dir/$name ]] || continue
  why=$(curl --fail --silent --show-error --location --retry 2 --connect-timeout 20 --output "$part" "$url/$name" 2>&1) ||
    { echo "error: $url/$name: ${why##*$'\n'}; with a copy of your own, set the paths: --set data.train='{src: …, trg: …}'" >&2; exit 3; }
  is_right "$part" "$lines" "$sum" ||
    { echo "error: $url/$name: $(wc -l <"$part") lines, SHA-256 $(sum_of "$part"); expected $lines, $sum" >&2; exit 3; }
  chmod 644 "$part"
  mv -n "$part" "$dir/$name"
done <<<"$files"
echo "$dir: $missing files fetched, sums and line counts right"
