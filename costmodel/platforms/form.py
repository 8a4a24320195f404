"""The form of a profile: profile.schema.json, published for others, is also what profiles are checked with.

It is JSON Schema (draft 2020-12). The checker knows the keywords that the schema uses, and says for a value
that does not fit where it stands, what is wrong and what the schema's description asks for.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

SCHEMA = "costmodel.platform/1"

_FILE = os.path.join(os.path.dirname(__file__), "profile.schema.json")
_LONGEST = 60  # characters of a wrong value that are shown

Values = Mapping[str, Any]
Schema = Mapping[str, Any]


@cache
def schema() -> Schema:
    """The published schema of profiles."""
    with open(_FILE, encoding="utf-8") as file:
        result: Schema = json.load(file)
    return result


def units() -> dict[str, str]:
    """The terms that a profile may price, each with what one unit of it is."""
    terms = schema()["properties"]["coefficients"]["properties"]
    return {name: term["description"] for name, term in terms.items()}


def with_vocabulary(terms: Mapping[str, str], runtimes: Iterable[str], kinds: Iterable[str]) -> dict[str, Any]:
    """The schema for other terms (with their units), runtimes and kinds of kernels."""
    result: dict[str, Any] = json.loads(json.dumps(schema()))
    properties = result["properties"]
    properties["runtime"]["enum"] = list(runtimes)
    price, doubt = "#/$defs/price", "#/$defs/doubt"
    properties["coefficients"]["properties"] = {n: {"$ref": price, "description": unit} for n, unit in terms.items()}
    properties["interval"]["properties"]["kinds"]["properties"] = {
        kind: {"$ref": doubt, "description": kind} for kind in kinds
    }
    return result


def misfit(value: Any, form: Schema | None = None, place: str = "") -> str | None:
    """What is wrong with a value, as `place: problem; remedy`; None where it fits.

    form: a part of the schema; the whole when None.
    """
    form = schema() if form is None else form
    if "$ref" in form:
        target = schema()["$defs"][form["$ref"].rpartition("/")[2]]
        form = {**target, **form}
    if "const" in form and value != form["const"]:
        return f"{place}: {_shown(value)} is not {form['const']!r}, the form that this version reads; rebuild the file"
    if "enum" in form and value not in form["enum"]:
        return f"{place}: {_shown(value)} is none of them; {_choice(value, form['enum'])}"
    expected = form.get("type")
    if expected is not None:
        name, check = _TYPES[expected]
        if not check(value):
            return f"{place or 'the file'}: {_shown(value)} is not {name}; {_wanted(form)}"
        return _WITHIN[expected](value, form, place)
    return None


def _object(value: dict[str, Any], form: Schema, place: str) -> str | None:
    known = form.get("properties", {})
    names = form.get("propertyNames", {}).get("pattern")
    for key in form.get("required", ()):
        if key not in value:
            return f"{_join(place, key)}: missing; add it: {_wanted(known.get(key, form))}"
    if len(value) < form.get("minProperties", 0):
        return f"{place}: it is empty; {_wanted(form)}"
    for key, item in value.items():
        inner = known.get(key)
        if inner is None:
            inner = form.get("additionalProperties")
            if inner is False:
                return f"{_join(place, key)}: no such key; {_choice(key, known)}"
        if names and not re.search(names, key):
            return f"{_join(place, key)}: no such key; {_wanted(form)}"
        problem = misfit(item, inner, _join(place, key))
        if problem:
            return problem
    return None


def _array(value: list[Any], form: Schema, place: str) -> str | None:
    if len(value) > form.get("maxItems", len(value)):
        return f"{place}: {len(value)} entries; at most {form['maxItems']}"
    problems = (misfit(item, form["items"], f"{place}[{index}]") for index, item in enumerate(value))
    return next(filter(None, problems), None)


def _number(value: float, form: Schema, place: str) -> str | None:
    if value < form.get("minimum", -math.inf):
        return f"{place}: {_shown(value)} is below {form['minimum']}; {_wanted(form)}"
    if value > form.get("maximum", math.inf):
        return f"{place}: {_shown(value)} is above {form['maximum']:g}; {_wanted(form)}"
    return None


def _text(value: str, form: Schema, place: str) -> str | None:
    if len(value) < form.get("minLength", 0):
        return f"{place}: it is empty; {_wanted(form)}"
    if len(value) > form.get("maxLength", len(value)):
        return f"{place}: {len(value)} characters; at most {form['maxLength']}"
    if "pattern" in form and not re.search(form["pattern"], value):
        return f"{place}: {_shown(value)} does not fit; {_wanted(form)}"
    return None


def _whole(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _real(value: Any) -> bool:
    return not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    )


_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "object": ("an object with keys", lambda value: isinstance(value, dict)),
    "array": ("a list", lambda value: isinstance(value, list)),
    "string": ("text", lambda value: isinstance(value, str)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("a whole number", _whole),
    "number": ("a finite number", _real),
}
_WITHIN: dict[str, Callable[[Any, Schema, str], str | None]] = {
    "object": _object,
    "array": _array,
    "string": _text,
    "boolean": lambda value, form, place: None,
    "integer": _number,
    "number": _number,
}


def _join(place: str, key: str) -> str:
    """The path of a key. A key with a dot is quoted: the names of terms have one."""
    if re.fullmatch(r"\w{1,60}", key):
        return f"{place}.{key}" if place else key
    return f"{place}[{_shown([key])[1:-1]}]"


def _wanted(form: Schema) -> str:
    if "$ref" in form:
        form = {**schema()["$defs"][form["$ref"].rpartition("/")[2]], **form}
    kind = _TYPES[form["type"]][0] if "type" in form else "one of " + ", ".join(form.get("enum", [form.get("const")]))
    if form.get("required"):
        kind = f"an object with {', '.join(form['required'])}"
    return f"it is {kind}: {form.get('description', 'see profile.schema.json')}"


def _choice(value: Any, known: Any) -> str:
    import difflib

    near = difflib.get_close_matches(value[:100], known, n=1) if isinstance(value, str) else []
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value[: 2 * _LONGEST])
    except (ValueError, RecursionError):  # a number or a nesting without end
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
