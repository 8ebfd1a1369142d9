"""Pictures of predictions."""

from .attention_map import ClassAttention, draw_attention
from .contact_sheet import Tile, draw_contact_sheet, draw_tile

__all__ = ['ClassAttention', 'Tile', 'draw_attention', 'draw_contact_sheet', 'draw_tile']
