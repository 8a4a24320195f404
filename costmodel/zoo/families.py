"""Which module has which network, so that one network is built without loading all of them.

A new network gets its name here, a new module a line. One that is missing is found all the same, at the cost of
loading every family.
"""

from __future__ import annotations

# By module: the networks that it registers.
_NAMES = {
    "alexnet": "alexnet",
    "blazeface": "blazeface",
    "condensenet": "condensenet",
    "darknet": "cspdarknet53 darknet53",
    "densenet": "densenet121 densenet161 densenet169 densenet201 densenet264",
    "dla": "dla102 dla102x dla102x2 dla169 dla34 dla46_c dla60 dla60x dla60x_c",
    "dpn": "dpn107 dpn131 dpn68 dpn92 dpn98",
    "efficientnet": (
        "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 "
        "efficientnet_b6 efficientnet_b7 efficientnetv2_b0"
    ),
    "esnet": "esnet",
    "fastestdet": "fastestdet yolo_fastestv2",
    "ghostnet": "ghostnet",
    "googlenet": "googlenet",
    "hardnet": "hardnet39_ds hardnet68 hardnet68_ds hardnet85",
    "hrnet": "hrnet_w18 hrnet_w30 hrnet_w32 hrnet_w40 hrnet_w44 hrnet_w48 hrnet_w64",
    "igcv": "igcv3",
    "inception": "inception_v3 inception_v4",
    "inverted_residual": "inverted_residual",
    "mixnet": "mixnet_l mixnet_m mixnet_s",
    "mnasnet": "mnasnet",
    "mobilenet_v1": "mobilenet_v1",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3": "mobilenet_v3_large mobilenet_v3_small",
    "mobilenet_yolo": "mobilenet_yolo mobilenetv2_yolov3",
    "nanodet": "nanodet_m",
    "nasbench201": "nasbench201",
    "nasnet": "nasnet_a_large nasnet_a_mobile pnasnet5_large pnasnet5_mobile",
    "paper": "paper_g1 paper_g2 paper_g3 paper_g4",
    "peleenet": "peleenet",
    "pphgnet": (
        "pphgnet_base pphgnet_small pphgnet_tiny pphgnetv2_b0 pphgnetv2_b1 pphgnetv2_b2 pphgnetv2_b3 "
        "pphgnetv2_b4 pphgnetv2_b5 pphgnetv2_b6"
    ),
    "pplcnet": "pplcnet pplcnetv2_base",
    "proxylessnas": "proxylessnas",
    "regnet": (
        "regnet_x_16gf regnet_x_1_6gf regnet_x_200mf regnet_x_32gf regnet_x_3_2gf regnet_x_400mf regnet_x_4gf "
        "regnet_x_800mf regnet_x_8gf regnet_y_16gf regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf regnet_y_400mf "
        "regnet_y_800mf regnet_y_8gf"
    ),
    "repvgg": (
        "repvgg_a0 repvgg_a1 repvgg_a2 repvgg_b0 repvgg_b1 repvgg_b1g2 repvgg_b1g4 repvgg_b2 repvgg_b2g4 "
        "repvgg_b3 repvgg_b3g4"
    ),
    "res2net": "res2net101_vd_26w_4s res2net200_vd_26w_4s res2net50_14w_8s res2net50_26w_4s res2net50_vd_26w_4s",
    "resnest": "resnest101 resnest50 resnest50_fast_1s1x64d",
    "resnet": (
        "resnet101 resnet101_vc resnet101_vd resnet152 resnet152_vc resnet152_vd resnet18 resnet18_vd "
        "resnet200_vd resnet34 resnet34_vd resnet50 resnet50_vc resnet50_vd resnext101_32x16d "
        "resnext101_32x32d resnext101_32x48d resnext101_32x4d resnext101_32x8d resnext101_64x4d "
        "resnext101_vd_32x4d resnext101_vd_64x4d resnext152_32x4d resnext152_64x4d resnext152_vd_32x4d "
        "resnext152_vd_64x4d resnext50_32x4d resnext50_64x4d resnext50_vd_32x4d resnext50_vd_64x4d "
        "se_resnet18_vd se_resnet34_vd se_resnet50_vd se_resnext101_32x4d se_resnext50_32x4d "
        "se_resnext50_vd_32x4d senet154_vd"
    ),
    "rexnet": "rexnet",
    "shufflenet_v1": "shufflenet_v1 shufflenet_v1_50",
    "shufflenet_v2": "shufflenet_v2 shufflenet_v2_164 shufflenet_v2_50 shufflenet_v2_design",
    "squeezenet": "squeezenet1_0 squeezenet1_1",
    "ssd": "mobilenet_ssd squeezenet_ssd",
    "stacks": (
        "stack_concat stack_conv stack_depthwise stack_elementwise stack_linear stack_pool stack_shuffle "
        "stack_shufflenet_v2"
    ),
    "vgg": "vgg11 vgg13 vgg16 vgg19",
    "vit": "vit_b32",
    "xception": "xception xception41 xception65 xception71",
    "yolo": "yolo_fastest_1_1 yolov4_tiny",
}

FAMILIES = tuple(_NAMES)
MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
