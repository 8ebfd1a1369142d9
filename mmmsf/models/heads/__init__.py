"""Multi-label heads."""

from .msf_head import MSFHead

__all__ = ['MSFHead']
