#!/usr/bin/env bash
# Installs the packages in the working directory by apt, and tries them: the program, what completes it, its manual page, the
# library under README's program. For a root that may be thrown away (bare_root.sh).
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive PATH=/usr/bin:/bin:/usr/sbin:/sbin
quietly() { "$@" >/tmp/log 2>&1 || { tail -n 20 /tmp/log; echo "error: $*"; exit 1; }; }
quietly apt-get update
quietly apt-get install -y --no-install-recommends ./seqgrad_*.deb
seqgrad --version
seqgrad train configs/copy.yaml --max-steps 20 --run-dir /tmp/run --quiet
echo '1 2 3' | seqgrad translate /tmp/run --checkpoint last >/dev/null
for file in bash-completion/completions/seqgrad zsh/vendor-completions/_seqgrad fish/vendor_completions.d/seqgrad.fish doc/seqgrad/copyright; do
  [[ -s /usr/share/$file ]] || { echo "error: /usr/share/$file is missing or empty"; exit 1; }
done
bash -c 'source /usr/share/bash-completion/completions/seqgrad; COMP_LINE="seqgrad train --set loss.pre" COMP_POINT=${#COMP_LINE}
  _seqgrad seqgrad; [[ ${COMPREPLY[*]} == loss.preset= ]]' || { echo "error: nothing was completed"; exit 1; }

quietly apt-get install -y --no-install-recommends ./*.deb g++ pkg-config man-db
[[ $(man -w seqgrad) == /usr/share/man/man1/seqgrad.1.gz ]] || { echo "error: man does not find seqgrad"; exit 1; }
read -ra flags < <(pkg-config --cflags --libs seqgrad)
quietly g++ -std=c++20 tests/example/main.cpp "${flags[@]}" -o /tmp/example
/tmp/example | head -n 1
quietly apt-get purge -y 'seqgrad' 'libseqgrad*'
left=$(find /usr /etc /var/lib -name '*seqgrad*' -not -path '*/dpkg/*')
[[ -z $left ]] || { echo "error: left behind: $left"; exit 1; }
