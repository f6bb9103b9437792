"""Data sets, from their manifests."""

from __future__ import annotations

from parts.text import code, facts, link, table
from srbench import datasets


def cards() -> str:
    """Every data set: an overview, then what is known of each."""
    found = [datasets.manifest(name) for name in datasets.names()]
    overview = [
        (code(c.name), c.title, c.domain, c.kind, str(c.images or "–"), code(c.mini) if c.mini else "–")
        for c in found
    ]
    parts = [table(("Name", "Title", "Degradation", "Kind", "Images", "Mini set"), overview)]
    for card in found:
        about = {
            "Get it": card.how,
            "Files": ", ".join(link(source.url, source.filename) for source in card.sources),
            "Licence": card.licence,
            "Cite": card.citation,
        }
        parts.append(f"### {code(card.name)}\n\n{facts(about)}")
    return "\n\n".join(parts)
