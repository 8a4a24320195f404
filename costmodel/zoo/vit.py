"""Vision Transformer (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929).

Layers are named as in torchvision.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.registry import network

# Table 1, ViT-Base.
_LAYERS = 12
_WIDTH = 768
_MLP = 3072
_HEADS = 12


@network("vit_b32", resolution=384, smallest=32)
def vit_b32(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """ViT-Base with patches of 32x32, at 384x384 as ncnn measures it."""
    x = _tokens(g, x, patch=32)
    with g.scope("encoder"):
        for index in range(_LAYERS):
            with g.scope(f"layers.encoder_layer_{index}"):
                x = _layer(g, x)
        x = g.layer_norm(x, "ln")
    return g.linear(g.flatten(g.slice(x, 0, 1)), classes, name="heads.head")


def _tokens(g: GraphBuilder, x: TensorSpec, patch: int) -> TensorSpec:
    """Equation 1: a token for each patch and one for the class, with their places added; (N, tokens, channels)."""
    x = g.conv(x, _WIDTH, patch, stride=patch, padding=0, bias=True, name="conv_proj")
    batch, _, height, width = x.shape or ()
    x = g.transpose(g.reshape(x, (0, _WIDTH, -1)), (0, 2, 1))
    start = g.expand(g.weight("class_token", (1, 1, _WIDTH)), (batch, 1, _WIDTH))
    x = g.concat((start, x))
    with g.scope("encoder"):
        return g.add(x, g.weight("pos_embedding", (1, height * width + 1, _WIDTH)))


def _layer(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Equations 2 and 3: self-attention and two dense layers, each after a normalisation and with a shortcut."""
    y = g.layer_norm(x, "ln_1")
    with g.scope("self_attention"):
        q, k, v = g.split(_dense(g, y, 3 * _WIDTH, "in_proj"), (_WIDTH,) * 3, axis=2)
        y = _dense(g, g.attention(q, k, v, _HEADS), _WIDTH, "out_proj")
    x = g.add(x, y)
    y = g.layer_norm(x, "ln_2")
    with g.scope("mlp"):
        y = _dense(g, g.gelu(_dense(g, y, _MLP, "0"), "1"), _WIDTH, "3")
    return g.add(x, y)


def _dense(g: GraphBuilder, x: TensorSpec, features: int, name: str) -> TensorSpec:
    """A dense layer on each token: a matrix product and a bias."""
    weight = g.weight(f"{name}.weight", ((x.shape or ())[-1], features))
    return g.add(g.matmul(x, weight, name), g.weight(f"{name}.bias", (features,)), f"{name}.add_bias")
