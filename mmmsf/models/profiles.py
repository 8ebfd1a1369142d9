"""Named choices of the neck's and the head's arguments: the paper's, its authors' code's, ours."""

from collections.abc import Mapping
from typing import Any

# The paper is the default. Where its text and the first author's code disagree, the latter is the
# profile `authors`. `ours` depends neither on the size of the backbone's features nor on a product.
NECK_PROFILES: dict[str, dict[str, Any]] = {
    'paper': dict(stride_padding=1, fuse=True, product_gate=False, norm_cfg=False, act_cfg=False),
    'authors': dict(stride_padding=0, fuse=True, product_gate=False, norm_cfg=False, act_cfg=False),
    'ours': dict(
        stride_padding=1,
        fuse=False,
        product_gate=False,
        norm_cfg=dict(type='GN', num_groups=32),
        act_cfg=dict(type='ReLU'),
    ),
}

HEAD_PROFILES: dict[str, dict[str, Any]] = {
    'paper': dict(
        num_encoder_layers=2,
        num_decoder_layers=3,
        position_mode='input',
        query_mode='first',
        act_cfg=dict(type='ReLU'),
        dropout=0.0,
        branch_loss=False,
        thr=0.5,
    ),
    'authors': dict(
        num_encoder_layers=2,
        num_decoder_layers=3,
        position_mode='attention',
        query_mode='attention',
        act_cfg=dict(type='GELU'),
        dropout=0.0,
        branch_loss=False,
        thr=0.715,
    ),
    'ours': dict(
        num_encoder_layers=0,
        num_decoder_layers=1,
        position_mode='input',
        query_mode='first',
        act_cfg=dict(type='ReLU'),
        dropout=0.1,
        branch_loss=True,
        thr=0.5,
    ),
}


def expand_profile(
    profiles: Mapping[str, Mapping[str, Any]], profile: str, **explicit: Any
) -> dict[str, Any]:
    """Look up the arguments of a profile; explicit ones win.

    Args:
        profiles: Arguments of each profile.
        profile: Name of the profile.
        **explicit: Arguments given by the caller; None stands for the profile's value.

    Returns:
        Value of every argument in ``explicit``.

    Raises:
        ValueError: ``profile`` is not one of the names.
    """
    if profile not in profiles:
        raise ValueError(f'`profile` must be one of {tuple(profiles)}, got {profile!r}')
    defaults = profiles[profile]
    return {k: defaults[k] if value is None else value for k, value in explicit.items()}
