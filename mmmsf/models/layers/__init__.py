"""Plain modules of the multi-scale Transformer; none of them takes a config dict."""

from .attention import (
    MultiheadAttention,
    branch_attention,
    branch_attention_weights,
    split_branches,
)
from .class_pooling import ClassPooling
from .decoder import SELF_ATTN_MODES, Decoder, DecoderLayer
from .encoder import Encoder, EncoderLayer
from .feedforward import FeedForward
from .group_linear import GroupFullyConnected, GroupLinear, split_classes
from .init_scale import scale_conv
from .position import LearnedPositionEncoding, sine_position_encoding
from .scale_attention import INTERPOLATIONS, HierarchicalScaleAttention, resize_map

__all__ = [
    'INTERPOLATIONS',
    'SELF_ATTN_MODES',
    'ClassPooling',
    'Decoder',
    'DecoderLayer',
    'Encoder',
    'EncoderLayer',
    'FeedForward',
    'GroupFullyConnected',
    'GroupLinear',
    'HierarchicalScaleAttention',
    'LearnedPositionEncoding',
    'MultiheadAttention',
    'branch_attention',
    'branch_attention_weights',
    'resize_map',
    'scale_conv',
    'sine_position_encoding',
    'split_branches',
    'split_classes',
]
