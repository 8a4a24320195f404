"""Pages of the command line: one a verb, from what its parser knows."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import partial
from importlib import import_module

from costmodel import cli
from generators.page import Page, escaped, paragraphs, prose, table

FOLDER = "reference/commands"

_COLUMNS = 92  # of the usage lines
_INDEX = """# Command line

```sh
costmodel VERB --help
```

{rows}
{status}

"""


def pages() -> Iterator[Page]:
    """The list, and a page a verb."""
    yield Page(f"{FOLDER}/index.md", "Verbs", _index)
    for verb in cli.VERBS:
        yield Page(f"{FOLDER}/{verb}.md", verb, partial(_verb, verb))


def parser_of(verb: str) -> argparse.ArgumentParser:
    """The parser of a verb, as the command line makes it."""
    module, summary = cli.VERBS[verb]
    parser = argparse.ArgumentParser(
        prog=f"costmodel {verb}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=partial(argparse.HelpFormatter, width=_COLUMNS),
        add_help=False,
    )
    import_module(module).add_arguments(parser)
    return parser


def _index() -> str:
    rows = table(("verb", ""), [(f"[`{verb}`]({verb}.md)", prose(words)) for verb, (_, words) in cli.VERBS.items()])
    status = "\n\n".join(prose(text) for text in paragraphs(cli.__doc__ or "")[1:])
    return _INDEX.format(rows=rows, status=status)


def _verb(verb: str) -> str:
    parser = parser_of(verb)
    parts = [f"# costmodel {verb}\n", f"{prose(parser.description or '')}\n", f"```text\n{_usage(parser)}\n```\n"]
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.help is not argparse.SUPPRESS]
        if actions:
            parts.append(f"## {escaped((group.title or '').capitalize())}\n")
            parts += [f"{prose(text)}\n" for text in paragraphs(group.description or "")]
            parts += [_entry(parser, action) for action in actions]
    parts += [f"{prose(text)}\n" for text in paragraphs(parser.epilog or "")]
    return "\n".join(parts)


def _usage(parser: argparse.ArgumentParser) -> str:
    text = parser.format_usage().removeprefix("usage: ")
    return re.sub(r"\n +", "\n    ", text).strip()


def _entry(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """An option as an item of a list of definitions."""
    formatter = parser._get_formatter()
    term = formatter._format_action_invocation(action)
    text = formatter._expand_help(action) if action.help else ""
    return f"`{term}`\n:   {prose(' '.join(text.split()))}\n"
