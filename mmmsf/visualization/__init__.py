"""Pictures of predictions."""

from .contact_sheet import Tile, draw_contact_sheet, draw_tile

__all__ = ['Tile', 'draw_contact_sheet', 'draw_tile']
