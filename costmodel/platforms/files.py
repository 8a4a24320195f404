"""Profiles: platforms as JSON files that a person can read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from costmodel.errors import UsageError
from costmodel.platforms import form
from costmodel.platforms.platform import Accuracy, Doubt, Machine, Platform, Source, Stretch

PROFILES = os.path.join(os.path.dirname(__file__), "profiles")  # those that come with the package
LARGEST = 1_000_000  # bytes; a profile has a few thousand
DIGITS = 6  # of a number in a file: a rebuilt profile is the same to the last bit

_LISTED = 8  # ids that a message names


def load_profile(path: str | os.PathLike[str]) -> Platform:
    """The platform in a profile. Raises UsageError with file, key and remedy for one that is not as it should be."""
    name = os.fspath(path)
    document = _parsed(name, _read(name))
    problem = form.misfit(document) or _contradiction(document)
    if problem:
        raise UsageError(f"{name}: {problem}")
    return _platform(document)


def dumps(platform: Platform) -> str:
    """The platform as the text of a profile: the same platform gives the same bytes.

    Raises UsageError where the platform does not fit the form of profiles.
    """
    document = _document(platform)
    problem = form.misfit(document) or _contradiction(document)
    if problem:
        new = not form.units().keys() >= platform.coefficients.keys()
        hint = "; for a new term write the schema anew, with `costmodel platforms schema -o FILE`" if new else ""
        raise UsageError(f"platform {platform.id}: {problem}{hint}")
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def save_profile(platform: Platform, path: str | os.PathLike[str]) -> None:
    """Write the platform's profile, whole or not at all. Raises UsageError where path cannot be written."""
    from pathlib import Path  # here, for those who only read profiles start faster without

    from costmodel.writing import write_whole

    text = dumps(platform)
    try:
        write_whole(Path(os.path.realpath(path)), text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{os.fspath(path)}: cannot be written ({reason}); give another file") from error


def platforms() -> tuple[str, ...]:
    """The ids of the platforms that come with the package."""
    try:
        names = os.listdir(PROFILES)
    except OSError:
        return ()
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def find(reference: str | os.PathLike[str]) -> Platform:
    """The platform with an id, or with a beginning of an id that no other has; or the path of a profile.

    A beginning that ends where a word of the id ends is preferred: pixel4 is pixel4-tflite-fp32-1t even
    where there is a pixel4a-tflite-fp32-1t. Raises UsageError for a reference that names none or several.
    """
    name = os.fspath(reference)
    known = platforms()
    wanted = name.lower()
    if wanted not in known and (not isinstance(reference, str) or _is_path(name)):
        return load_profile(name)
    chosen = [wanted] if wanted in known else [id for id in known if id.startswith(f"{wanted}-")]
    chosen = chosen or [id for id in known if wanted and id.startswith(wanted)]
    if len(chosen) == 1:
        return load_profile(os.path.join(PROFILES, f"{chosen[0]}.json"))
    if chosen:
        raise UsageError(f"{name}: several platforms begin like this: {_listed(chosen)}; write more of the id")
    if "," in name:
        raise UsageError(f"{name}: no such platform; give several by -p for each, as in -p pixel4 -p pixel6")
    raise UsageError(f"{name}: no such platform; {_hint(wanted, known)}")


def _is_path(name: str) -> bool:
    separators = (os.sep, os.altsep or os.sep)
    return name.endswith(".json") or any(separator in name for separator in separators) or os.path.isfile(name)


def _hint(name: str, known: Sequence[str]) -> str:
    import difflib

    devices = {id.split("-")[0]: id for id in reversed(known)}
    near = difflib.get_close_matches(name[:100], [*known, *devices], n=3)
    inside = [id for id in known if name and name in id]
    found = list(dict.fromkeys(inside + [devices.get(word, word) for word in near]))
    if found:
        return f"did you mean {_listed(found)}? `costmodel platforms` lists all"
    return "`costmodel platforms` lists them; the path of a profile ends with .json"


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_LISTED]) + (f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else "")


def _read(name: str) -> str:
    try:
        with open(name, "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise UsageError(f"{name}: no such file; give a profile, or an id that `costmodel platforms` lists") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name}: cannot be read ({reason}); give the path of a profile") from error
    if len(data) > LARGEST:
        raise UsageError(f"{name}: larger than {LARGEST:,} bytes; a profile has a few thousand: give another file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: byte {error.start} is not UTF-8; a profile is JSON in UTF-8") from None


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refused, parse_int=_int)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{name}: {place}: not JSON ({error.msg}); a profile is one JSON object") from None
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply; a profile has four levels") from None
    except ValueError as error:
        raise UsageError(f"{name}: {error}; write the file anew") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key[:100]!r} is there twice")
        result[key] = value
    return result


def _int(digits: str) -> int | float:
    if len(digits) > 4000:  # Python converts no more
        raise ValueError(f"a number of {len(digits)} digits; every number of a profile is short")
    return int(digits)


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no JSON number; every number of a profile is finite")


def _contradiction(document: Mapping[str, Any]) -> str | None:
    """What the schema cannot say: how values of a profile that fits it have to go together."""
    if not any(price["seconds"] for price in document["coefficients"].values()):
        return "coefficients: all are 0 seconds; give at least one that takes time"
    coverage = sorted((float(share), quantile) for share, quantile in document["interval"]["coverage"].items())
    for (low, less), (high, more) in pairwise(coverage):
        if low == high:
            return f"interval.coverage: {low:g} is there twice; leave one out"
        if less > more:
            return f"interval.coverage: {high:g} has fewer standard deviations than {low:g}; a larger share needs more"
    stretch = document.get("stretch")
    if stretch and stretch["shortest_seconds"] > stretch["longest_seconds"]:
        return "stretch: shortest_seconds is above longest_seconds; exchange them"
    machine = document["machine"]
    if machine.get("packed", 0) >= machine["vector"] and machine.get("packed", 0):
        return (
            f"machine.packed: {machine['packed']} is not below vector, {machine['vector']}; give 0 where there is none"
        )
    return None


def _platform(document: Mapping[str, Any]) -> Platform:
    machine, interval, fit = document["machine"], document["interval"], document.get("fit")
    return Platform(
        id=document["id"],
        device=document["device"],
        runtime=document["runtime"],
        precision=document["precision"],
        threads=int(document["threads"]),
        machine=Machine(
            int(machine["vector"]),
            int(machine.get("packed", 0)),
            machine.get("padded", False),
            int(machine.get("winograd", 0)),
            int(machine["blocks"]) if "blocks" in machine else None,
        ),
        coefficients={name: float(price["seconds"]) for name, price in document["coefficients"].items()},
        doubt=Doubt(
            float(interval["network"]),
            {kind: float(doubt) for kind, doubt in interval.get("kinds", {}).items()},
            {float(share): float(quantile) for share, quantile in interval["coverage"].items()},
        ),
        accuracy=None if fit is None else _accuracy(fit),
        sources=tuple(
            Source(item["source"], item.get("date", ""), int(item.get("samples", 0)))
            for item in document.get("provenance", ())
        ),
        runtime_version=document.get("runtime_version", ""),
        clock=document.get("clock", ""),
        notes=tuple(document.get("notes", ())),
        stretch=_stretch(document.get("stretch")),
    )


def _stretch(document: Mapping[str, Any] | None) -> Stretch:
    if document is None:
        return Stretch()
    ends = (float(document[f"{name}_seconds"]) for name in ("reference", "shortest", "longest"))
    return Stretch(float(document["exponent"]), *ends)


def _accuracy(fit: Mapping[str, Any]) -> Accuracy:
    held, baselines = fit["held_out"], fit["held_out"]["baselines"]
    return Accuracy(
        method=held["method"],
        networks=int(fit["networks"]),
        samples=int(fit["samples"]),
        **{name: float(held[name]) for name in ("mape", "median", "within_5", "within_10", "tau")},
        baseline_mult_adds=float(baselines["mult_adds"]),
        baseline_memory=float(baselines["mult_adds_and_memory_access"]),
    )


def _document(platform: Platform) -> dict[str, Any]:
    """The platform as plain values, in the order of the schema."""
    units = form.units()
    order = {name: index for index, name in enumerate(units)}
    priced = sorted(platform.coefficients.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))
    machine, doubt, accuracy = platform.machine, platform.doubt, platform.accuracy
    document: dict[str, Any] = {
        "schema": form.SCHEMA,
        "id": platform.id,
        "device": platform.device,
        "runtime": platform.runtime,
        "runtime_version": platform.runtime_version,
        "precision": platform.precision,
        "threads": platform.threads,
        "clock": platform.clock,
        "machine": {
            "vector": machine.vector,
            "packed": machine.packed,
            "padded": machine.padded,
            "winograd": machine.winograd,
            **({} if machine.blocks is None else {"blocks": machine.blocks}),
        },
        "coefficients": {name: {"seconds": _rounded(x), "per": units.get(name, "")} for name, x in priced},
        **({} if platform.stretch == Stretch() else {"stretch": _stretch_document(platform.stretch)}),
        "interval": {
            "network": _rounded(doubt.network),
            "kinds": {kind: _rounded(x) for kind, x in sorted(doubt.kinds.items())},
            "coverage": {f"{share:g}": _rounded(x) for share, x in sorted(doubt.quantiles.items())},
        },
    }
    if accuracy is not None:
        document["fit"] = {
            "networks": accuracy.networks,
            "samples": accuracy.samples,
            "held_out": {
                "method": accuracy.method,
                **{
                    name: _rounded(getattr(accuracy, name))
                    for name in ("mape", "median", "within_5", "within_10", "tau")
                },
                "baselines": {
                    "mult_adds": _rounded(accuracy.baseline_mult_adds),
                    "mult_adds_and_memory_access": _rounded(accuracy.baseline_memory),
                },
            },
        }
    document["provenance"] = [
        {"source": source.name, "date": source.date, "samples": source.samples} for source in platform.sources
    ]
    document["notes"] = list(platform.notes)
    return document


def _stretch_document(stretch: Stretch) -> dict[str, float]:
    return {
        "exponent": _rounded(stretch.exponent),
        "reference_seconds": _rounded(stretch.reference),
        "shortest_seconds": _rounded(stretch.shortest),
        "longest_seconds": _rounded(stretch.longest),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
