#!/usr/bin/env bash
# Lets bash, zsh and fish complete command lines with the scripts of `seqgrad complete`, and man and mandoc read the manual page.
# What is not installed is named. Exit 77 where neither zsh nor fish is. SEQGRAD_BUILD: where the executable is, else build.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$program" "$work/bin/seqgrad"
export PATH=$work/bin:$PATH
tried="" missing="" bad=0
has() { if command -v "$1" >/dev/null; then tried+=" $1"; else missing+=" $1"; return 1; fi; }
expect() {  # WHO WHAT WANTED
  [[ $2 == "$3" ]] || { echo "error: $1: got '$2', expected '$3'"; bad=1; }
}

seqgrad complete bash >"$work/seqgrad"
expect bash "$(bash -c "source '$work/seqgrad'; COMP_LINE='seqgrad train --set loss.preset=torch' COMP_POINT=\${#COMP_LINE}
  _seqgrad seqgrad; echo \"\${COMPREPLY[@]}\"")" torch.mean
tried+=" bash"

if has zsh; then
  seqgrad complete zsh >"$work/_seqgrad"
  zsh -n "$work/_seqgrad" || bad=1
  offered() {  # WORD…; what compadd is given
    zsh -f -c 'compdef() { :; }; source "$0"; compadd() { shift ${@[(i)--]}; print -rn -- "$* "; }; _files() { print -n files; }
      words=("$@"); CURRENT=$#; _seqgrad' "$work/_seqgrad" "$@" | sed 's/^ *//; s/ *$//'
  }
  expect zsh "$(offered seqgrad tra)" "train translate"
  expect zsh "$(offered seqgrad train --set loss.pre)" "loss.preset="
  expect zsh "$(offered seqgrad train --set loss.preset=torch)" "loss.preset=torch.mean"
  expect zsh "$(offered seqgrad train configs/)" files
fi
if has fish; then
  seqgrad complete fish >"$work/seqgrad.fish"
  offered() { fish --no-config -c "source '$work/seqgrad.fish'; complete -C '$1'" | cut -f1 | paste -sd' '; }
  expect fish "$(offered 'seqgrad tra')" "train translate"
  expect fish "$(offered 'seqgrad train --set loss.pre')" "loss.preset="
  expect fish "$(offered 'seqgrad train --set loss.preset=torch')" "loss.preset=torch.mean"
fi

seqgrad complete man >"$work/seqgrad.1"
if has man; then
  expect man "$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$work/seqgrad.1" 2>&1 >/dev/null)" ""
fi
if has mandoc; then expect mandoc "$(mandoc -Tlint -Wwarning "$work/seqgrad.1" 2>&1)" ""; fi
[[ $bad -eq 0 ]] || exit 1
echo "tried:$tried${missing:+; not installed:$missing}"
[[ $missing != *zsh*fish* ]] || exit 77
