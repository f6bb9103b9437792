"""Write the pages' model zoo, from its cards."""

from __future__ import annotations

from parts.text import code, facts, link, table
from srbench import zoo


def cards() -> str:
    """Show every model: an overview, then what is known of each."""
    models = [zoo.card(name) for name in zoo.names()]
    overview = [
        (
            code(card.name),
            card.title,
            card.domain,
            f"{card.architecture['parameters']:,}" if "parameters" in card.architecture else "–",
            "with srbench" if card.packaged or not card.sources else "fetched by you",
        )
        for card in models
    ]
    parts = [table(("Name", "Title", "Trained for", "Parameters", "Comes"), overview)]
    for card in models:
        architecture = {
            key: value for key, value in card.architecture.items() if key not in ("factory", "parameters")
        }
        about = {
            "Architecture": ", ".join(f"{key} {value}" for key, value in architecture.items()),
            "Weights": "; ".join(link(source.address, source.filename) for source in card.sources),
            "Notes": card.notes,
            "Licence": card.licence,
            "Cite": card.citation,
            "Paper": link(card.paper) if card.paper else "",
            "Project": link(card.homepage) if card.homepage else "",
        }
        parts.append(f"### {code(card.name)}\n\n{facts(about)}")
    return "\n\n".join(parts)
