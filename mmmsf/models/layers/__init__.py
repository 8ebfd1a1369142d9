"""Plain modules of the multi-scale Transformer; none of them takes a config dict."""

from .attention import MultiheadAttention, branch_attention, branch_attention_weights
from .decoder import SELF_ATTN_MODES, Decoder, DecoderLayer
from .encoder import Encoder, EncoderLayer
from .feedforward import FeedForward
from .group_linear import GroupLinear
from .position import LearnedPositionEncoding

__all__ = [
    'SELF_ATTN_MODES',
    'Decoder',
    'DecoderLayer',
    'Encoder',
    'EncoderLayer',
    'FeedForward',
    'GroupLinear',
    'LearnedPositionEncoding',
    'MultiheadAttention',
    'branch_attention',
    'branch_attention_weights',
]
