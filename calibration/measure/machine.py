"""What measured: processor, caches, clock, system. Without the machine's name, its user and any path."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_CPU = Path("/sys/devices/system/cpu/cpu0")


_SETS = ("avx512f", "avx2", "avx", "sse2", "sve", "asimd")  # of instructions for vectors, the widest of a kind first


def machine(runtime: str, versions: Mapping[str, str], blocks: int | None = None) -> dict[str, object]:
    """The machine as the journal has it; what the system does not tell is left out.

    runtime, versions: of the backend: its name, and the versions of its packages, that of the runtime by its name.
    blocks: channels in a block of the runtime's layout here, None where it has none anywhere.
    """
    found: dict[str, object] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _model(),
        "gpu": versions.get("gpu", ""),
        "architecture": platform.machine(),
        "instructions": _instructions(_line(Path("/proc/cpuinfo"))),
        "blocks": blocks,
        "cores": os.cpu_count(),
        "affinity": _affinity(),
        "caches": _caches(),
        "governor": _line(_CPU / "cpufreq/scaling_governor"),
        "mhz": _megahertz(),
        "load": _load(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "runtime": runtime,
        "runtime_version": versions.get(runtime, ""),
        "versions": dict(versions),
    }
    return {key: value for key, value in found.items() if value not in (None, "", {}, [])}


def _line(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8").strip()
    return ""


def _model() -> str:
    """The processor's name; on ARM boards without one, the board's."""
    found = re.search(r"^model name\s*:\s*(.+)$", _line(Path("/proc/cpuinfo")), re.MULTILINE)
    board = _line(Path("/proc/device-tree/model")).rstrip("\0")
    return (found[1] if found else "") or board or platform.processor() or platform.machine()


def _instructions(cpuinfo: str) -> str:
    """The widest set of instructions for vectors that Linux says the first core has."""
    found = re.search(r"^(?:flags|Features)\s*:(.+)$", cpuinfo, re.MULTILINE)
    words = found[1].split() if found else []
    return next((name for name in _SETS if name in words), "")


def _affinity() -> list[int]:
    """The cores that this process may run on, where the system tells."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _caches() -> dict[str, str]:
    """Sizes of the first core's caches: {"L1 Data": "32K", "L2 Unified": "1024K", ...}."""
    found = {}
    for cache in sorted(_CPU.glob("cache/index*")):
        name = f"L{_line(cache / 'level')} {_line(cache / 'type')}"
        found[name] = _line(cache / "size")
    return found


def _megahertz() -> dict[str, float]:
    """Clock of the first core: now, and the highest that it is allowed, where the system tells."""
    found = {}
    for name in ("scaling_cur_freq", "scaling_max_freq"):
        kilohertz = _line(_CPU / "cpufreq" / name)
        if kilohertz.isdigit():
            found[name] = int(kilohertz) / 1e3
    if not found and (now := re.search(r"^cpu MHz\s*:\s*([0-9.]+)", _line(Path("/proc/cpuinfo")), re.MULTILINE)):
        found["now"] = float(now[1])
    return found


def _load() -> list[float]:
    """Processes that ran or wanted to, over the last 1, 5 and 15 minutes."""
    with suppress(AttributeError, OSError):
        return [round(load, 2) for load in os.getloadavg()]
    return []
