"""The command line in a process of its own, and the most memory that it ever held."""

from __future__ import annotations

import subprocess
import sys

# Linux's own high-water mark of the process. getrusage also counts what the parent held when it forked.
_CODE = """
import re, sys
from costmodel.cli import main
status = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1], file=sys.stderr)
sys.exit(status)
"""


def peak_memory(*words: str) -> tuple[str, int]:
    """stdout of a run that must succeed, and its peak of resident memory in megabytes."""
    command = [sys.executable, "-c", _CODE, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, int(done.stderr) // 1000
