"""``python -m lossbook COMMAND``: the same as the command ``lossbook``."""

import sys

from lossbook.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
