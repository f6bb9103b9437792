"""Griffe extension: what our docstrings write that Markdown and Google's style do not know."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|attr|mod|data):`(~?)([\w.]+)`")
_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
_SEVERAL = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +\S.*)*)$", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Rewrites docstrings as they are loaded.

    reST roles become links, where their target has a page; ``first, second: text`` becomes two entries;
    an example is set as code.
    """

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            text = _EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
            text = _SEVERAL.sub(_one_each, text)
            obj.docstring.value = _ROLE.sub(lambda match: _link(obj, *match.groups()), text)


def _one_each(match: re.Match[str]) -> str:
    indent, names, text = match.groups()
    return "\n".join(f"{indent}{name}: {text}" for name in names.split(", "))


def _link(obj: griffe.Object, short: str, target: str) -> str:
    shown = target.rsplit(".", 1)[-1] if short else target
    if "." not in target:  # a name of the same module or class
        target = f"{obj.parent.path if obj.parent else obj.path}.{target}"
    return f'<autoref optional identifier="{target}"><code>{shown}</code></autoref>'
