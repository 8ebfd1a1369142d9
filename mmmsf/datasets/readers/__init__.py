"""Readers of annotation files; each checks what it reads and names the file and the fault."""
