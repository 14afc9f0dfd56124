"""`python -m seqgrad` and the console script: the executable, with all its sub-commands."""
import os
import sys

from .child import SeqgradError, executable


def main() -> int:
    try:
        path = executable()
    except SeqgradError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    os.execv(path, [path, *sys.argv[1:]])
    return 2


if __name__ == "__main__":
    sys.exit(main())
