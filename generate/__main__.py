"""`python -m generate`: writes what is generated; with `--check` it only says what would change."""

import argparse
import sys

from generate.errors import GenerateError
from generate.files import MAKERS, ROOT, differing, write


def main() -> int:
    """Gives the exit code: 0, or 1 where a file is not what it should be or can't be made."""
    parser = argparse.ArgumentParser(prog="python -m generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a file would change")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(MAKERS)} (all by default)")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(MAKERS):
        parser.error(f"nothing is called {', '.join(sorted(unknown))}; there are {', '.join(MAKERS)}")
    names = chosen.names or list(MAKERS)
    try:
        if not chosen.check:
            for path in write(*names):
                print(f"wrote {path.relative_to(ROOT)}")  # noqa: T201 (a person waits)
            return 0
        complaints = differing(*names)
    except GenerateError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    for complaint in complaints:
        print(complaint, file=sys.stderr)  # noqa: T201
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
