"""News: sources, checks, and what an item means (entities, type, impact)."""
