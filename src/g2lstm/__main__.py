"""``python -m g2lstm``."""

import sys

from g2lstm.cli import main

sys.exit(main())
