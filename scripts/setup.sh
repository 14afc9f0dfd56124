#!/usr/bin/env bash
# Installs the Debian packages that seqgrad needs and does not find; says nothing to do when all are there.
#   scripts/setup.sh [build|test|check|processes]     (build: the executable; test: and Catch2, ccache; check: and clang-format;
#                                                      processes: the executable with Open MPI)
set -euo pipefail

packages=(g++ cmake ninja-build libdnnl-dev ocl-icd-opencl-dev libyaml-cpp-dev libcli11-dev libfmt-dev
          nlohmann-json3-dev libxxhash-dev libsentencepiece-dev libprotozero-dev libutf8proc-dev)
case "${1:-build}" in
  build) ;;
  test) packages+=(catch2 jq git ccache nodejs pkgconf locales hunspell hunspell-de-de hunspell-en-us) ;;
  check) packages+=(catch2 jq git ccache nodejs pkgconf locales hunspell hunspell-de-de hunspell-en-us clang libclang-rt-14-dev libomp-dev clang-format gcovr python3 python3-numpy python3-venv) ;;
  processes) packages+=(openmpi-bin libopenmpi-dev openssh-client) ;;
  *) echo "error: expected build, test, check or processes, got '$1'" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  [[ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" == "install ok installed" ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "packages: all there"
  exit 0
fi
if [[ $(id -u) -ne 0 ]]; then
  echo "error: ${#missing[@]} packages are missing; install them with:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 2
fi
echo "packages: ${#missing[@]} to install: ${missing[*]}"
source "$(dirname "$0")/lib/progress.sh"
log=$(mktemp)
trap 'rm -f "$log" "$log.plan"' EXIT
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
failed() { tail -n 20 "$1" >&2; echo "error: apt-get failed" >&2; exit 3; }
echo "packages: reading the lists" >&2
apt-get update >"$log" 2>&1 || failed "$log"
install=(apt-get install -y --no-install-recommends "${missing[@]}")
"${install[@]}" --simulate >"$log.plan" 2>&1 || failed "$log.plan"
count=$(grep -c '^Inst ' "$log.plan" || true)
"${install[@]}" 2>&1 | progress "packages: fetched, unpacked and set up" "$log" '^(Get:|Unpacking |Setting up )' $((3 * count)) || failed "$log"
