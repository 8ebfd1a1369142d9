"""HTML report of one or several evaluated runs."""

from .page import build_page

__all__ = ['build_page']
