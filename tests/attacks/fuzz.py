"""Fuzzing as long as one likes: `make fuzz MINUTES=10`. A failure names the seed that shows it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

EXAMPLES = "2000"


def main(minutes: float) -> int:
    """Try seed after seed until the time is over or something is found; return the exit code."""
    end, seed = time.monotonic() + 60 * minutes, int(time.time())
    while time.monotonic() < end:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
                   "tests/attacks/test_fuzz.py", f"--hypothesis-seed={seed}"]  # fmt: skip
        code = subprocess.run(
            command, env=os.environ | {"FUZZ_EXAMPLES": EXAMPLES}, check=False
        ).returncode
        if code:
            print(f"seed {seed}: FUZZ_EXAMPLES={EXAMPLES} {' '.join(command)}", file=sys.stderr)
            return code
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
