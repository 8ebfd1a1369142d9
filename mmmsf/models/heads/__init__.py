"""Multi-label heads."""

from .ml_decoder_head import MLDecoderHead
from .msf_head import MSFHead
from .query2label_head import Query2LabelHead

__all__ = ['MLDecoderHead', 'MSFHead', 'Query2LabelHead']
