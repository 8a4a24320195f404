"""What kind of kernel each operator runs as, where it is no contraction (those are in loops.py)."""

from __future__ import annotations

from costmodel.kernels.kernel import Kind

_NAMES: dict[Kind, str] = {
    Kind.POOL: "MaxPool AveragePool LpPool MaxRoiPool RoiAlign",
    Kind.REDUCTION: (
        "GlobalAveragePool GlobalMaxPool GlobalLpPool ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 "
        "ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp ArgMax ArgMin Hardmax CumSum CumProd"
    ),
    Kind.ELEMENTWISE: (
        "Relu Clip LeakyRelu PRelu ThresholdedRelu Shrink Add Sub Mul Div Sum Max Min Mean Abs Neg Where "
        "BatchNormalization HardSigmoid HardSwish Sqrt Reciprocal Equal Greater Less And Or Not Xor Floor Ceil Round "
        "Sign Mod GreaterOrEqual LessOrEqual IsInf IsNaN BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast "
        "CastLike BitCast QuantizeLinear DequantizeLinear DynamicQuantizeLinear Dropout RotaryEmbedding"
    ),
    Kind.TRANSCENDENTAL: (
        "Sigmoid Swish SwiGLU Mish Gelu Softmax LogSoftmax Exp Log Pow Erf Tanh Elu Selu Celu Softplus Softsign Sin "
        "Cos Tan Sinh Cosh Asin Acos Atan Asinh Acosh Atanh"
    ),
    Kind.NORMALIZATION: (
        "LRN LayerNormalization InstanceNormalization GroupNormalization LpNormalization MeanVarianceNormalization "
        "RMSNormalization SimplifiedLayerNormalization"
    ),
    Kind.MOVEMENT: (
        "Concat Split Slice Transpose Shuffle Pad Resize Upsample Gather GatherElements GatherND Scatter ScatterND "
        "ScatterElements TensorScatter Expand Tile DepthToSpace SpaceToDepth Unsqueeze Squeeze Reshape Flatten "
        "Identity CenterCropPad Col2Im Compress OneHot ReverseSequence Trilu GridSample MaxUnpool Constant "
        "ConstantOfShape EyeLike Range"
    ),
}
_FOREIGN: dict[str, dict[Kind, str]] = {
    "com.microsoft": {
        Kind.POOL: "NhwcMaxPool QLinearAveragePool",
        Kind.REDUCTION: "QLinearGlobalAveragePool QLinearReduceMean ReduceSumInteger",
        Kind.ELEMENTWISE: (
            "BiasAdd BiasDropout GatedAdd QLinearAdd QLinearMul QLinearLeakyRelu QLinearWhere QuantizeLinear "
            "DequantizeLinear ComplexMul ComplexMulConj RotaryEmbedding"
        ),
        Kind.TRANSCENDENTAL: (
            "BiasGelu BiasSoftmax BiasSplitGelu FastGelu Gelu QuickGelu QLinearSigmoid QLinearSoftmax ScaledSiLU"
        ),
        Kind.NORMALIZATION: (
            "GroupNorm SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization "
            "SimplifiedLayerNormalization EmbedLayerNormalization QEmbedLayerNormalization GatedRMSNorm"
        ),
        Kind.MOVEMENT: (
            "QLinearConcat CropAndResize ExpandDims GatherND GatherBlockQuantized GridSample Pad Range RemovePadding "
            "RestorePadding TorchEmbedding Trilu UnfoldTensor"
        ),
    },
    "com.microsoft.nchwc": {
        Kind.POOL: "AveragePool MaxPool",
        Kind.REDUCTION: "GlobalAveragePool GlobalMaxPool",
        Kind.MOVEMENT: "ReorderInput ReorderOutput Upsample",
    },
    "com.ms.internal.nhwc": {
        Kind.POOL: "AveragePool MaxPool QLinearAveragePool",
        Kind.REDUCTION: "GlobalAveragePool GlobalMaxPool",
    },
    "ai.onnx.ml": {
        Kind.ELEMENTWISE: "Binarizer Imputer Scaler",
        Kind.REDUCTION: "Normalizer",
        Kind.MOVEMENT: "ArrayFeatureExtractor FeatureVectorizer OneHotEncoder",
    },
}

# By qualified type. What is missing is of kind OTHER.
KINDS: dict[str, Kind] = {op: kind for kind, names in _NAMES.items() for op in names.split()} | {
    f"{domain}:{op}": kind
    for domain, kinds in _FOREIGN.items()
    for kind, names in kinds.items()
    for op in names.split()
}
