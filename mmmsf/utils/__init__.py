"""Helpers with no home in a component folder."""
