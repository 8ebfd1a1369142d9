"""Slow twins of the network: explicit loops and torch primitives, no shared code paths.

The fused code in ``mmmsf.models`` must give the same numbers.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mmmsf.models.layers import ClassPooling, DecoderLayer, EncoderLayer, MultiheadAttention
from mmmsf.models.layers.feedforward import FeedForward


def attention(module: MultiheadAttention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Multi-head attention of one image and one branch: (Nq, C), (Nk, C), (Nk, C) -> (Nq, C)."""
    C, H = module.embed_dims, module.num_heads
    D = C // H
    wq, wk, wv = module.in_proj_weight.chunk(3)
    bq, bk, bv = module.in_proj_bias.chunk(3)
    q, k, v = query @ wq.t() + bq, key @ wk.t() + bk, value @ wv.t() + bv
    heads = []
    for h in range(H):
        part = slice(h * D, (h + 1) * D)
        weights = torch.softmax(q[:, part] @ k[:, part].t() / D**0.5, dim=-1)
        heads.append(weights @ v[:, part])
    return module.out_proj(torch.cat(heads, dim=-1))


def layer_norm(norm: torch.nn.LayerNorm, x: Tensor) -> Tensor:
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias


def feed_forward(ffn: FeedForward, x: Tensor) -> Tensor:
    hidden = ffn.act(x @ ffn.linear1.weight.t() + ffn.linear1.bias)
    return hidden @ ffn.linear2.weight.t() + ffn.linear2.bias


def encoder_layer(layer: EncoderLayer, x: Tensor, pos: Tensor | None) -> Tensor:
    qk = x if pos is None else x + pos
    x = layer_norm(layer.norm1, x + attention(layer.self_attn, qk, qk, x))
    return layer_norm(layer.norm2, x + feed_forward(layer.ffn, x))


def decoder_layer(
    layer: DecoderLayer,
    x: Tensor,
    memory: Tensor,
    query_pos: Tensor | None,
    memory_pos: Tensor | None,
) -> Tensor:
    if layer.self_attn is not None:
        qk = x if query_pos is None else x + query_pos
        x = layer_norm(layer.norm1, x + attention(layer.self_attn, qk, qk, x))
    query = x if query_pos is None else x + query_pos
    key = memory if memory_pos is None else memory + memory_pos
    x = layer_norm(layer.norm2, x + attention(layer.cross_attn, query, key, memory))
    return layer_norm(layer.norm3, x + feed_forward(layer.ffn, x))


def position(head: torch.nn.Module, height: int, width: int) -> Tensor:
    """Learned encoding (h * w, C), column half first."""
    table = head.position
    return torch.stack(
        [
            torch.cat([table.col_embed[c], table.row_embed[r]])
            for r in range(height)
            for c in range(width)
        ]
    )


def sine_position(height: int, width: int, embed_dims: int, temperature: float) -> Tensor:
    """Sine encoding (h * w, C) in float64, one number at a time."""
    half = embed_dims // 2
    pos = torch.zeros(height, width, embed_dims, dtype=torch.float64)
    for r in range(height):
        for c in range(width):
            for offset, u in ((0, (r + 1) / height), (half, (c + 1) / width)):
                for i in range(half):
                    angle = 2 * math.pi * u / temperature ** (2 * (i // 2) / half)
                    pos[r, c, offset + i] = math.cos(angle) if i % 2 else math.sin(angle)
    return pos.reshape(height * width, embed_dims)


def head_features(head: torch.nn.Module, feats: list[Tensor]) -> Tensor:
    """Features of every class (B, S, K, C), image by image, branch by branch."""
    images = []
    for b in range(len(feats[0])):
        branches = []
        for i, feat in enumerate(feats):
            C, h, w = feat[b].shape
            tokens = feat[b].reshape(C, h * w).t()
            pos = position(head, h, w) if head.position is not None else None
            if head.position_mode == 'input':
                tokens, pos = tokens + pos, None
            group = 0 if head.share_branches else i
            for layer in head.encoders[group].layers:
                tokens = encoder_layer(layer, tokens, pos)
            if head.decoders is None:
                branches.append(tokens.mean(dim=0).expand(head.num_classes, C))
                continue
            label = head.label_embed[i].repeat_interleave(head.group_size, dim=0)
            label = label[: head.num_classes]
            query, query_pos = label, None
            if head.query_mode == 'attention':
                query, query_pos = torch.zeros_like(label), label
            for layer in head.decoders[group].layers:
                query = decoder_layer(layer, query, tokens, query_pos, pos)
            branches.append(layer_norm(head.decoders[group].norm, query))
        images.append(torch.stack(branches))
    return torch.stack(images)


def branch_scores(head: torch.nn.Module, feats: list[Tensor]) -> list[Tensor]:
    """Scores (B, K) of each branch alone, class by class, as if it were all branches."""
    z = head_features(head, feats)
    B, S, K, C = z.shape
    weight = head.fc.weight.reshape(K, S, C)
    return [
        torch.stack(
            [
                torch.stack(
                    [S * torch.dot(z[b, i, k], weight[k, i]) + head.fc.bias[k] for k in range(K)]
                )
                for b in range(B)
            ]
        )
        for i in range(S)
    ]


def head_logits(head: torch.nn.Module, feats: list[Tensor]) -> Tensor:
    """Logits (B, K), image by image, branch by branch, class by class."""
    z = torch.cat(head_features(head, feats).unbind(dim=1), dim=-1)  # (B, K, S * C)
    B, K, _ = z.shape
    return torch.stack(
        [
            torch.stack([torch.dot(z[b, k], head.fc.weight[k]) + head.fc.bias[k] for k in range(K)])
            for b in range(B)
        ]
    )


def class_pooling(layer: ClassPooling, x: Tensor) -> Tensor:
    """Logits (B, K) of class-wise pooling, place by place."""
    B, _, h, w = x.shape
    logits = torch.zeros(B, len(layer.weight), dtype=x.dtype)
    for b in range(B):
        for k, row in enumerate(layer.weight):
            row = row / row.square().sum().sqrt()
            scores = [torch.dot(row, x[b, :, r, c]) for r in range(h) for c in range(w)]
            weights = [score.exp() for score in scores]
            attended = sum(a * s for a, s in zip(weights, scores, strict=True)) / sum(weights)
            logits[b, k] = sum(scores) / (h * w) + layer.attention_weight * attended
    return logits


def _linear_weights(old: int, new: int) -> Tensor:
    """Linear interpolation with aligned corners as a (new, old) matrix."""
    matrix = torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        place = i * (old - 1) / (new - 1) if new > 1 else 0.0
        low = min(int(place), old - 1)
        high = min(low + 1, old - 1)
        matrix[i, low] += 1 - (place - low)
        matrix[i, high] += place - low
    return matrix


def _cubic_weights(old: int, new: int) -> Tensor:
    """Cubic convolution (A = -0.75) with aligned corners and clamped borders, (new, old)."""

    def kernel(t: float) -> float:
        t = abs(t)
        if t <= 1:
            return 1.25 * t**3 - 2.25 * t**2 + 1
        return -0.75 * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0

    matrix = torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        place = i * (old - 1) / (new - 1) if new > 1 else 0.0
        for j in range(int(place) - 1, int(place) + 3):
            matrix[i, min(max(j, 0), old - 1)] += kernel(place - j)
    return matrix


def _area_weights(old: int, new: int) -> Tensor:
    """Mean over the input places that an output place touches, (new, old)."""
    matrix = torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        start, end = i * old // new, -(-(i + 1) * old // new)
        matrix[i, start:end] = 1 / (end - start)
    return matrix


def _nearest_weights(old: int, new: int) -> Tensor:
    """Copy of the input place below, (new, old)."""
    matrix = torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        matrix[i, i * old // new] = 1
    return matrix


WEIGHTS = dict(
    bilinear=_linear_weights, bicubic=_cubic_weights, area=_area_weights, nearest=_nearest_weights
)


def resize(x: Tensor, height: int, width: int, mode: str = 'bilinear') -> Tensor:
    """Resize a map (B, C, h, w) as a product with one matrix for each axis."""
    rows = WEIGHTS[mode](x.shape[-2], height).to(x.dtype)
    cols = WEIGHTS[mode](x.shape[-1], width).to(x.dtype)
    return torch.einsum('rh,bchw,sw->bcrs', rows, x, cols)


def conv2d(conv: torch.nn.Conv2d, x: Tensor) -> Tensor:
    """Convolution as a sum over kernel positions."""
    (kh, kw), (sh, sw), (ph, pw) = conv.kernel_size, conv.stride, conv.padding
    x = F.pad(x, (pw, pw, ph, ph))
    out_h, out_w = (x.shape[-2] - kh) // sh + 1, (x.shape[-1] - kw) // sw + 1
    out = conv.bias[None, :, None, None].expand(len(x), -1, out_h, out_w)
    for i in range(kh):
        for j in range(kw):
            patch = x[:, :, i : i + sh * out_h : sh, j : j + sw * out_w : sw][:, :, :out_h, :out_w]
            out = out + torch.einsum('oc,bchw->bohw', conv.weight[:, :, i, j], patch)
    return out


def group_norm(norm: torch.nn.GroupNorm, x: Tensor) -> Tensor:
    """Group norm, image by image and group by group."""
    B, C, _, _ = x.shape
    size = C // norm.num_groups
    out = torch.zeros_like(x)
    for b in range(B):
        for start in range(0, C, size):
            part = x[b, start : start + size]
            centred = part - part.mean()
            out[b, start : start + size] = centred / (centred.square().mean() + norm.eps).sqrt()
    return out * norm.weight[:, None, None] + norm.bias[:, None, None]


def neck_maps(neck: torch.nn.Module, f1: Tensor, f2: Tensor, fuse: bool = True) -> list[Tensor]:
    """Eq 1-5 for all three scales, with a group norm and a ReLU where the neck has them."""
    x = []
    for scale, source in (('large', f1), ('medium', f2), ('small', f2)):
        maps = conv2d(neck.convs[scale], source)
        if neck.norms is not None:
            maps = group_norm(neck.norms[scale], maps)
        x.append(maps if neck.act is None else maps.clamp(min=0))
    if not fuse:
        return x
    height, width = x[0].shape[-2:]
    resized = [resize(m, height, width, neck.interpolation) for m in x]
    product = resized[0] * resized[1] * resized[2]
    gate = neck.scale_attention.gate
    if gate is not None:
        product = gate[None] * product
    return [
        resize(r + product, *m.shape[-2:], neck.interpolation)
        for r, m in zip(resized, x, strict=True)
    ]
