"""Exit status 0: this Python was built with its compiler's profile of a run. Asked by scripts/setup and by the bench.

One that was not, as version managers build it unless told otherwise, takes up to 1.7 times the time for plain Python.
What a distribution builds always is.
"""

import sys
import sysconfig

arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
sys.exit("--enable-optimizations" not in arguments and sys.base_prefix != "/usr")
