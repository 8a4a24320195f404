"""What MkDocs calls while it builds the site: generated pages come in, links out of the site become plain names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import generators
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

_LINK = re.compile(  # or code, which is left alone
    r"`[^`\n]+`|(?<!!)\[(?P<text>[^\]\[]*)\]\((?P<target>(?!https?:|mailto:|#)[^)\s#]+)(?:#[^)\s]*)?\)"
)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Where the navigation names a folder, put the generated pages that are in it."""
    config.nav = _filled(config.nav, list(generators.pages()))
    return config


def _filled(nav: Any, pages: list[generators.Page]) -> Any:
    if isinstance(nav, list):
        return [_filled(item, pages) for item in nav]
    if isinstance(nav, dict):
        return {title: _filled(item, pages) for title, item in nav.items()}
    if not nav.endswith("/"):
        return nav
    within = [page for page in pages if page.path.startswith(nav)]
    if not within:
        raise PluginError(f"mkdocs.yml: nav: no generated page is in {nav}")
    return list(_entries(within, nav))


def _entries(pages: Iterable[generators.Page], folder: str) -> Iterable[dict[str, Any]]:
    """Pages of a folder with their titles, those of folders in it together after them."""
    deeper: dict[str, list[generators.Page]] = {}
    for page in pages:
        name, slash, _ = page.path.removeprefix(folder).partition("/")
        if slash:
            deeper.setdefault(name, []).append(page)
        else:
            yield {page.title: page.path}
    for name, members in deeper.items():
        yield {name.capitalize(): list(_entries(members, f"{folder}{name}/"))}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for page in generators.pages():
        files.append(File.generated(config, page.path, content=page.text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Name a file of the repository that is not on the site instead of linking it.

    Raises PluginError for one that is not in the repository either.
    """
    source = Path(config.docs_dir, page.file.src_uri)

    def named(link: re.Match[str]) -> str:
        if link["target"] is None:
            return link[0]
        target = os.path.normpath(source.parent / link["target"])
        if _is_on_site(os.path.relpath(target, config.docs_dir), files):
            return link[0]
        if not os.path.exists(target):
            if os.path.relpath(target, config.docs_dir).startswith(".."):
                raise PluginError(f"{page.file.src_uri}: a link to {link['target']}, which is not in the repository")
            return link[0]  # of the site, and dead: MkDocs says so
        text = link["text"]
        return text if text.startswith("`") else f"`{os.path.relpath(target, Path(config.docs_dir).parent)}`"

    parts, end = [], 0
    for fence in _FENCED.finditer(markdown):
        parts += [_LINK.sub(named, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(named, markdown[end:])])


def _is_on_site(path: str, files: Files) -> bool:
    file = files.get_file_from_path(path.replace(os.sep, "/"))
    return file is not None and file.inclusion.is_included()
