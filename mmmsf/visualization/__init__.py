"""Pictures of predictions and attention, and the hooks that draw them during a run."""

from .attention_hook import AttentionHook
from .attention_map import ClassAttention, draw_attention
from .contact_sheet import Tile, draw_contact_sheet, draw_tile
from .contact_sheet_hook import ContactSheetHook

__all__ = [
    'AttentionHook',
    'ClassAttention',
    'ContactSheetHook',
    'Tile',
    'draw_attention',
    'draw_contact_sheet',
    'draw_tile',
]
