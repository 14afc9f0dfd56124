# Sets `python` to a Python 3 that has numpy: $SEQGRAD_PYTHON, the one on PATH, or Debian's. Ends the script with 77 where
# there is none.
python=
for candidate in ${SEQGRAD_PYTHON:-} python3 /usr/bin/python3; do
  if "$candidate" -c 'import sys, numpy; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[[ -n $python ]] || { echo "skipped: no python3 with numpy (Debian: python3-numpy)"; exit 77; }
