"""Outputs of scripts that documents show, by the name in the document's marker."""

TABLES = {}
