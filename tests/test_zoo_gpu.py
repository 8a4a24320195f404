"""Networks that are measured on GPUs, against their peers and against published counts.

Sources: torchvision = FlopCounterMode // 2 and parameters of torchvision 0.28; timm = the same of timm
1.0.31, where "timm(...)" names a ResNet of it with other settings; PaddleClas = the FLOPs and parameters
in its documentation (docs/zh_CN/models/ImageNet1k).
"""

from __future__ import annotations

from collections import Counter

import pytest

from costmodel import zoo
from costmodel.graph import Graph
from costmodel.zoo import hardnet


def counted(reference: str) -> tuple[int, int]:
    cost = zoo.load(reference).cost
    return cost.mult_adds, cost.params


def op_counts(reference: str) -> Counter[str]:
    return Counter(node.op_type for node in zoo.load(reference).nodes)


def zoo_blocks(name: str) -> int:
    """How many blocks a network with stages has: those that end in `aggregation.1`."""
    return sum(node.name.endswith("aggregation.1.conv") for node in zoo.load(name).nodes)


def size_of(graph: Graph, name: str) -> tuple[int, ...]:
    """Height and width of the output of the node called `name`."""
    node = next(node for node in graph.nodes if node.name == name)
    shape = graph.tensors[node.outputs[0]].shape
    assert shape is not None
    return shape[2:]


@pytest.mark.parametrize(
    ("reference", "mult_adds", "params"),
    [
        ("resnext50_32x4d", 4_230_479_872, 25_028_904),
        ("resnext101_32x8d", 16_414_015_488, 88_791_336),
        ("resnext101_64x4d", 15_460_270_080, 83_455_272),
        ("squeezenet1_0", 818_924_576, 1_248_424),
    ],
)
def test_torchvision(reference, mult_adds, params):
    assert counted(reference) == (mult_adds, params)


def test_inception_v3_is_torchvisions_without_its_auxiliary_classifier():
    """torchvision: 5,713,216,096 and 27,161,264. The auxiliary head has 128, 768 and 1000 channels."""
    auxiliary = (768 * 128 + 2 * 128) + (128 * 768 * 5 * 5 + 2 * 768) + (768 * 1000 + 1000)
    assert counted("inception_v3") == (5_713_216_096, 27_161_264 - auxiliary)


@pytest.mark.parametrize(
    ("reference", "mult_adds", "params"),
    [
        ("resnet18_vd", 2_053_713_920, 11_708_744),  # resnet18d
        ("resnet34_vd", 3_903_401_984, 21_816_904),  # resnet34d
        ("resnet50_vc", 4_328_824_832, 25_576_264),  # timm(deep stem of 32)
        ("resnet50_vd", 4_328_824_832, 25_576_264),  # resnet50d
        ("resnet101_vd", 8_041_046_016, 44_568_392),  # resnet101d
        ("resnet152_vd", 11_753_267_200, 60_212_040),  # resnet152d
        ("resnet200_vd", 15_247_122_432, 74_738_504),  # timm(as resnet50d, 3, 12, 48 and 3 blocks)
        ("se_resnet18_vd", 2_053_800_960, 11_797_824),  # timm(as resnet18d, squeeze-excite by 16)
        ("se_resnet34_vd", 3_903_559_168, 21_978_100),  # timm(as resnet34d, squeeze-excite by 16)
        ("se_resnet50_vd", 4_331_339_776, 28_107_256),  # timm(as resnet50d, squeeze-excite by 16)
        ("resnext50_64x4d", 7_981_236_224, 45_192_488),  # timm(as resnext50_32x4d, 64 groups)
        ("resnext50_vd_32x4d", 4_470_120_448, 25_048_136),  # resnext50d_32x4d
        ("resnext50_vd_64x4d", 8_220_876_800, 45_211_720),  # timm(as resnext50d_32x4d, 64 groups)
        ("resnext101_32x4d", 7_969_996_800, 44_177_704),  # resnext101_32x4d
        ("resnext101_32x16d", 36_163_289_088, 194_026_792),  # resnext101_32x16d
        ("resnext101_32x32d", 87_106_781_184, 468_530_472),  # resnext101_32x32d
        ("resnext101_32x48d", 153_310_199_808, 828_411_176),  # timm(as resnext101_32x4d, 48 a group)
        ("resnext101_vd_32x4d", 8_209_637_376, 44_196_936),  # timm(as resnext50d_32x4d, 101 layers)
        ("resnext101_vd_64x4d", 15_699_910_656, 83_474_504),  # timm(as resnext50d_32x4d, 101 layers, 64 groups)
        ("resnext152_32x4d", 11_709_513_728, 59_951_400),  # timm(as resnext50_32x4d, 152 layers)
        ("resnext152_64x4d", 22_939_303_936, 114_971_944),  # timm(as resnext50_32x4d, 152 layers, 64 groups)
        ("resnext152_vd_32x4d", 11_949_154_304, 59_970_632),  # timm(as resnext50d_32x4d, 152 layers)
        ("resnext152_vd_64x4d", 23_178_944_512, 114_991_176),  # timm(as resnext50d_32x4d, 152 layers, 64 groups)
        ("se_resnext50_32x4d", 4_232_994_816, 27_559_896),  # seresnext50_32x4d
        ("se_resnext101_32x4d", 7_974_739_968, 48_955_416),  # seresnext101_32x4d
        ("se_resnext50_vd_32x4d", 5_600_993_280, 27_687_768),  # timm(as resnext50d_32x4d, stem of 64, squeeze-excite)
        ("senet154_vd", 24_339_570_688, 121_737_048),  # timm(the same, 152 layers, 64 groups)
        ("res2net50_26w_4s", 4_255_166_464, 25_699_120),  # res2net50_26w_4s
        ("res2net50_14w_8s", 4_178_898_944, 25_059_816),  # res2net50_14w_8s
        ("res2net50_vd_26w_4s", 4_494_807_040, 25_718_352),  # res2net50d
        ("res2net101_vd_26w_4s", 8_306_615_040, 45_225_920),  # res2net101d
        ("res2net200_vd_26w_4s", 15_706_007_040, 76_215_536),  # timm(as res2net50d, 3, 12, 48 and 3 blocks)
        ("resnest50", 5_371_160_576, 27_483_240),  # resnest50d
        ("resnest101", 10_200_565_760, 48_275_016),  # resnest101e at 224
        ("resnest50_fast_1s1x64d", 4_329_459_712, 26_217_896),  # timm(as resnest50d, radix 1, avd_first)
        ("dpn68", 2_326_163_456, 12_611_602),
        ("dpn92", 6_501_684_224, 37_668_392),
        ("dpn98", 11_671_217_152, 61_570_728),
        ("dpn107", 18_298_764_288, 86_917_800),
        ("dpn131", 16_013_648_896, 79_254_504),
        ("darknet53", 9_285_115_904, 41_609_928),
        ("cspdarknet53", 6_533_652_480, 27_642_184),
        ("inception_v3", 5_713_216_096, 23_834_568),
        ("inception_v4", 12_253_974_624, 42_679_816),
        ("repvgg_a0", 1_361_451_008, 8_309_384),  # repvgg_*: after switch to one 3x3 convolution a block
        ("repvgg_a1", 2_363_967_488, 12_789_864),
        ("repvgg_a2", 5_116_951_552, 25_499_944),
        ("repvgg_b0", 3_057_600_512, 14_339_048),
        ("repvgg_b1", 11_815_485_440, 51_829_480),
        ("repvgg_b1g4", 7_306_870_784, 36_125_416),
        ("repvgg_b2", 18_376_609_792, 80_315_112),
        ("repvgg_b2g4", 11_331_899_392, 55_777_512),
        ("repvgg_b3", 26_208_882_688, 110_960_872),
        ("repvgg_b3g4", 16_064_499_712, 75_626_728),
        ("dla34", 3_060_043_776, 15_742_104),
        ("dla46_c", 574_269_440, 1_301_400),
        ("dla60", 4_235_878_400, 22_036_632),
        ("dla60x", 3_516_555_264, 17_352_344),
        ("dla60x_c", 581_294_080, 1_319_832),
        ("dla102", 7_164_551_168, 33_268_888),
        ("dla102x", 5_847_932_928, 26_309_272),
        ("dla102x2", 9_283_985_408, 41_282_200),
        ("dla169", 11_557_560_320, 53_389_720),
        ("mixnet_s", 239_173_360, 4_134_606),
        ("mixnet_m", 339_172_672, 5_014_382),
        ("mixnet_l", 555_251_792, 7_329_252),
        ("rexnet", 398_370_392, 4_796_873),  # rexnet_100, and so on
        ("rexnet,width=1.3", 662_229_098, 7_557_091),
        ("rexnet,width=1.5", 875_828_154, 9_728_593),
        ("rexnet,width=2.0", 1_528_850_782, 16_366_620),
        ("rexnet,width=3.0", 3_395_980_620, 34_708_792),
        ("pphgnet_tiny", 4_530_447_104, 14_735_864),  # hgnet_tiny, and so on
        ("pphgnet_small", 8_508_610_304, 24_360_872),
        ("pphgnet_base", 25_109_564_352, 71_578_184),
        ("pphgnetv2_b4", 2_734_148_352, 19_796_680),
        ("pphgnetv2_b5", 6_538_404_864, 39_569_064),
        ("pphgnetv2_b6", 16_840_566_272, 75_256_776),
        ("pplcnetv2_base", 593_875_456, 6_624_232),  # lcnetv2_base after fusing its depthwise branches
    ],
)
def test_timm(reference, mult_adds, params):
    assert counted(reference) == (mult_adds, params)


@pytest.mark.parametrize(
    ("width", "mult_adds", "params"),
    [
        (18, 4_283_537_072, 21_299_004),
        (30, 8_105_781_680, 37_712_220),
        (32, 8_921_133_056, 41_232_680),
        (40, 12_691_997_440, 57_557_160),
        (44, 14_883_104_960, 67_064_984),
        (48, 17_277_996_032, 77_469_864),
        (64, 28_895_395_840, 128_059_944),
    ],
)
def test_hrnet_is_timms_without_the_biases_of_its_head(width, mult_adds, params):
    """timm's four convolutions of the head, before batch normalisations, have biases; PaddleClas's have none."""
    assert counted(f"hrnet_w{width}") == (mult_adds, params - (256 + 512 + 1024 + 2048))


@pytest.mark.parametrize(
    ("width", "mult_adds", "params"),
    [
        (0.35, 27_357_832, 1_644_370),
        (0.5, 44_731_008, 1_880_856),
        (0.75, 94_786_496, 2_358_288),
        (1.0, 155_700_480, 2_953_800),
        (1.5, 334_188_416, 4_501_112),
    ],
)
def test_pplcnet_is_timms_lcnet_without_a_bias(width, mult_adds, params):
    """timm's last convolution, of 1280 channels, has a bias; PaddleClas's has none."""
    assert counted(f"pplcnet,width={width}") == (mult_adds, params - 1280)


@pytest.mark.parametrize(
    ("name", "mult_adds", "params", "relus"),
    [
        ("pphgnetv2_b0", 321_326_464, 5_996_550, 5 + (3 + 2) * (1 + 1 + 2 + 1) + 1),
        ("pphgnetv2_b1", 489_387_840, 6_343_158, 5 + (3 + 2) * (1 + 1 + 2 + 1) + 1),
        ("pphgnetv2_b2", 1_137_703_680, 11_221_356, 5 + (4 + 2) * (1 + 1 + 3 + 1) + 1),
        ("pphgnetv2_b3", 1_770_919_680, 16_292_216, 5 + (5 + 2) * (1 + 1 + 3 + 1) + 1),
    ],
)
def test_small_pphgnets_have_a_scale_and_a_shift_after_each_relu(name, mult_adds, params, relus):
    """timm counts each of these single numbers as a parameter; here a number in an operator's formula is none."""
    assert counted(name) == (mult_adds, params - 2 * relus)
    counts = op_counts(name)
    assert counts["Relu"] == counts["Mul"] == relus
    assert counts["Add"] == relus + zoo_blocks(name) - 4


@pytest.mark.parametrize(
    ("reference", "gflops", "params"),
    [
        ("hardnet39_ds", 0.4, 3.5),
        ("hardnet68_ds", 0.8, 4.2),
        ("hardnet68", 4.3, 17.6),
        ("hardnet85", 9.1, 36.7),
    ],
)
def test_hardnet(reference, gflops, params):
    """PaddleClas, and the authors' repository. The printed counts are a little above ours for 68: 4.25 and 17.57."""
    mult_adds, count = counted(reference)
    assert abs(mult_adds / 1e9 - gflops) < 0.055
    assert round(count / 1e6, 1) == params


@pytest.mark.parametrize(
    ("layer", "earlier"), [(1, [0]), (2, [1, 0]), (6, [5, 4]), (8, [7, 6, 4, 0]), (12, [11, 10, 8])]
)
def test_a_hardnet_layer_reads_those_at_powers_of_two(layer, earlier):
    """HarDNet paper, Figure 2."""
    assert hardnet.links(layer) == earlier


def test_peleenet():
    """Paper, Table 3: 508 M mult-adds and 2.8 M parameters."""
    mult_adds, params = counted("peleenet")
    assert round(mult_adds / 1e6) == 508
    assert round(params / 1e6, 1) == 2.8


@pytest.mark.parametrize(
    ("reference", "millions", "params"),
    [
        ("pplcnet,width=0.25", 18.25, 1.52),
        ("pplcnet,width=0.35", 29.46, 1.65),
        ("pplcnet,width=0.5", 47.28, 1.89),
        ("pplcnet,width=0.75", 98.82, 2.37),
        ("pplcnet,width=1.0", 160.81, 2.96),
        ("pplcnet,width=1.5", 341.86, 4.52),
        ("pplcnet,width=2.0", 590, 6.54),
        ("pplcnet,width=2.5", 906, 9.04),
        ("esnet,width=0.25", 30.85, 2.83),
        ("esnet,width=0.5", 67.31, 3.25),
        ("esnet,width=0.75", 123.74, 3.87),
        ("esnet,width=1.0", 197.33, 4.64),
        ("mobilenet_v1,width=0.25", 43.56, 0.48),
        ("mobilenet_v1,width=0.5", 154.57, 1.34),
        ("mobilenet_v1,width=0.75", 333.00, 2.60),
        ("mobilenet_v1,width=1.0", 578.88, 4.25),
        ("mobilenet_v2,width=0.25,expand_always=true,divisor=1", 34.18, 1.53),
        ("mobilenet_v2,width=0.5,expand_always=true,divisor=1", 99.48, 1.98),
        ("mobilenet_v2,width=0.75,expand_always=true,divisor=1", 197.37, 2.65),
        ("mobilenet_v2,width=1.0,expand_always=true,divisor=1", 327.84, 3.54),
        ("mobilenet_v2,width=1.5,expand_always=true,divisor=1", 702.35, 6.90),
        ("mobilenet_v2,width=2.0,expand_always=true,divisor=1", 1217.25, 11.33),
        ("cspdarknet53,resolution=224", 5041, 27.68),
        ("peleenet", 514, 2.81),
    ],
)
def test_paddleclas(reference, millions, params):
    """PaddleClas counts the running means and variances as parameters, and as FLOPs the mult-adds, two operations
    for each element that is normalised, and at most 0.8 % for poolings and squeeze-excites."""
    graph = zoo.load(reference)
    normalised = [graph.tensors[node.inputs[0]] for node in graph.nodes if node.op_type == "BatchNormalization"]
    statistics = 2 * sum(tensor.shape[1] for tensor in normalised)
    assert round((graph.cost.params + statistics) / 1e6, 2) == params
    flops = (graph.cost.mult_adds + 2 * sum(tensor.elements for tensor in normalised)) / 1e6
    assert -0.0006 < millions / flops - 1 < 0.008


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("resnet50_vd", ("conv1.0", "conv1.3", "conv1.6", "layer1.0.downsample.1", "layer2.0.downsample.0")),
        ("se_resnext50_32x4d", ("conv1", "layer1.0.conv2", "layer1.0.se.fc1", "layer4.2.se.fc2", "fc")),
        ("res2net50_26w_4s", ("layer1.0.convs.2", "layer2.0.pool", "layer4.2.conv3")),
        ("resnest50", ("layer1.0.conv2.conv", "layer2.0.avd_last", "layer4.2.conv2.fc2")),
        ("dpn92", ("features.conv1_1.conv", "features.conv3_1.c1x1_w_s2.conv", "features.conv5_3.c1x1_c.conv")),
        ("darknet53", ("stem.conv1.conv", "stages.4.conv_down.conv", "stages.4.blocks.3.conv2.conv", "head.fc")),
        ("cspdarknet53", ("stages.0.conv_exp.conv", "stages.4.conv_transition_b.conv", "stages.4.conv_transition.bn")),
        ("hrnet_w18", ("conv2", "layer1.3.conv3", "transition1.1.0.0", "stage3.3.fuse_layers.2.0.1.0", "classifier")),
        ("inception_v3", ("Conv2d_4a_3x3.conv", "Mixed_5b.branch_pool.bn", "Mixed_7c.branch3x3dbl_3b.conv", "fc")),
        ("dla34", ("base_layer.0", "level3.tree1.root.conv", "level3.tree2.tree1.conv1", "level5.project.0", "fc")),
        ("mixnet_s", ("conv_stem", "blocks.1.conv_pw.1", "blocks.3.conv_dw.2", "blocks.3.se.fc1", "classifier")),
        ("rexnet", ("stem.conv", "features.1.conv_exp.conv", "features.3.se.bn", "features.16.conv", "head.fc")),
        ("pphgnet_tiny", ("stages.1.downsample.conv", "stages.2.blocks.1.aggregation.1.conv", "head.last_conv.0")),
        ("pphgnetv2_b0", ("stem.stem2b.conv", "stages.2.blocks.1.layers.2.conv1.conv", "head.fc")),
        ("inception_v4", ("features.3.conv.conv", "features.17.branch2.4.conv", "features.21.branch2_3b.conv")),
    ],
)
def test_layers_are_named_as_in_timm(reference, names):
    assert set(names) <= {node.name for node in zoo.load(reference).nodes}


@pytest.mark.parametrize("depth", [50, 101, 152, 200])
def test_vd_pools_the_three_shortcuts_that_halve_the_size(depth):
    graph = zoo.load(f"resnet{depth}_vd")
    pools = [node.name for node in graph.nodes if node.op_type == "AveragePool"]
    assert pools == [f"layer{stage}.0.downsample.0" for stage in (2, 3, 4)]
    # and a shortcut and its block are of one size at odd sizes, too
    assert zoo.load(f"resnet{depth}_vd,resolution=97x131,classes=7").cost.mult_adds > 0


def test_a_projecting_first_shortcut_is_one_convolution_more():
    plain, projecting = zoo.load("resnet34_vd"), zoo.load("resnet34_vd,project_first=true")
    assert projecting.cost.mult_adds - plain.cost.mult_adds == 64 * 64 * 56 * 56
    assert projecting.cost.params - plain.cost.params == 64 * 64 + 2 * 64


def test_squeeze_excite_widens_a_resnet_by_its_dense_layers_only():
    """By block: c -> c / 16 -> c on pooled data, c = 256, 512, 1024, 2048 in 3, 4, 6 and 3 blocks."""
    plain, gated = zoo.load("resnet50_vd").cost, zoo.load("se_resnet50_vd").cost
    plan = ((3, 256), (4, 512), (6, 1024), (3, 2048))
    weights = sum(blocks * 2 * c * (c // 16) for blocks, c in plan)
    biases = sum(blocks * (c + c // 16) for blocks, c in plan)
    assert gated.mult_adds - plain.mult_adds == weights
    assert gated.params - plain.params == weights + biases


def test_squeezenet_poolings_round_down_in_paddleclas():
    ceiled, floored = zoo.load("squeezenet1_0"), zoo.load("squeezenet1_0,ceil_mode=false")
    assert [size_of(ceiled, f"features.{index}") for index in (2, 6, 11)] == [(54, 54), (27, 27), (13, 13)]
    assert [size_of(floored, f"features.{index}") for index in (2, 6, 11)] == [(54, 54), (26, 26), (12, 12)]
    assert ceiled.cost.params == floored.cost.params


def test_squeezenet_1_1_with_a_padded_stem():
    """112x112 instead of 111x111 there, and the same sizes from the first pooling on."""
    plain, padded = zoo.load("squeezenet1_1"), zoo.load("squeezenet1_1,stem_padding=1")
    assert padded.cost.mult_adds - plain.cost.mult_adds == 64 * 3 * 9 * (112 * 112 - 111 * 111)
    for index, size in ((2, 55), (5, 27), (8, 13)):
        assert size_of(plain, f"features.{index}") == size_of(padded, f"features.{index}") == (size, size)


def test_res2net_chains_its_slices_except_where_a_stage_starts():
    """A block adds its shortcut, and each of its middle slices to the next: 2 of 4, 6 of 8."""
    assert op_counts("res2net50_26w_4s")["Add"] == 16 + (16 - 4) * 2
    assert op_counts("res2net50_14w_8s")["Add"] == 16 + (16 - 4) * 6
    chained = op_counts("res2net50_26w_4s,chain_first=true")
    assert chained["Add"] == 16 + (16 - 3) * 2
    assert chained["AveragePool"] == op_counts("res2net50_26w_4s")["AveragePool"] - 1 == 3


def test_resnest_attends_to_its_splits():
    """Of each of the 16 blocks: a softmax and two weighted splits, or with one split a sigmoid and one."""
    two, one = op_counts("resnest50"), op_counts("resnest50_fast_1s1x64d")
    assert (two["Softmax"], two["Sigmoid"], two["Mul"]) == (16, 0, 32)
    assert (one["Softmax"], one["Sigmoid"], one["Mul"]) == (0, 16, 16)


def test_darknet_is_53_layers_with_the_activation_that_is_asked_for():
    leaky, plain = op_counts("darknet53"), op_counts("darknet53,act=relu")
    assert leaky["Conv"] + leaky["Gemm"] == 53
    assert (leaky["LeakyRelu"], leaky["Relu"]) == (52, 0)
    assert (plain["LeakyRelu"], plain["Relu"]) == (0, 52)


def test_hrnet_keeps_its_resolutions_side_by_side():
    graph = zoo.load("hrnet_w32")
    sizes = [size_of(graph, f"stage4.2.branches.{branch}.3.conv2") for branch in range(4)]
    assert sizes == [(56, 56), (28, 28), (14, 14), (7, 7)]
    # up-samplings by module: 1 of two resolutions, 3 of three, 6 of four
    assert op_counts("hrnet_w32")["Resize"] == 1 * 1 + 4 * 3 + 3 * 6


def test_hrnet_with_squeeze_excite():
    """c -> c / 16 -> c at the end of each block. PaddleClas prints 128.97 M parameters for it; we have 128.99."""
    blocks = [256] * 4 + [128, 256, 512, 1024]  # first stage and head
    for modules, branches in ((1, 2), (4, 3), (3, 4)):
        blocks += [64 << branch for branch in range(branches)] * 4 * modules
    plain, gated = zoo.load("hrnet_w64").cost, zoo.load("hrnet_w64,se=true").cost
    assert gated.mult_adds - plain.mult_adds == sum(2 * c * (c // 16) for c in blocks)
    assert gated.params - plain.params == sum(2 * c * (c // 16) + c + c // 16 for c in blocks)
    assert round(gated.params / 1e6, 2) == 128.99


def test_repvgg_b1g2():
    """Paper, Table 4: 8.8 G and 41.36 M."""
    mult_adds, params = counted("repvgg_b1g2")
    assert (round(mult_adds / 1e9, 1), round(params / 1e6, 2)) == (8.8, 41.36)


def test_a_repvgg_is_one_chain():
    counts = op_counts("repvgg_b1g2")
    assert set(counts) == {"Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"}
    assert counts["Conv"] == counts["Relu"] == 1 + 4 + 6 + 16 + 1
    groups = [node.attributes["group"] for node in zoo.load("repvgg_b1g2").nodes if node.op_type == "Conv"]
    assert groups == [1, 1] + [2, 1] * 13
