"""Readers of annotation files; every error names the file, the fault and the remedy."""
