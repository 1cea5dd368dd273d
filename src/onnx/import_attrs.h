// What importers of several families share.
#pragma once
#include "onnx/node_import.h"
#include "ops/conv.h"
#include "ops/pool.h"

namespace tenon::onnx {

ops::AutoPad auto_pad_attr(NodeImport& n);
/// The attributes that the windows of convolutions and of pools have everywhere.
ops::Conv conv_of(NodeImport& n);
ops::Pool pool_of(NodeImport& n, engine::PoolKind kind);
/// A reduction over all spatial dims, which stay as dims of 1; x is [N, C, spatial...] or, channels_last, [N, spatial..., C].
ValueId over_spatial(NodeImport& n, engine::ReduceKind kind, ValueId x, bool channels_last);
/// Weights [M, C, kernel...] as [M, kernel..., C].
ValueId channels_behind(NodeImport& n, ValueId w);
/// x[first, last) along an axis, as a Slice.
ValueId cut(NodeImport& n, ValueId x, int64_t axis, int64_t first, int64_t last);
/// The size of one dim as a rank-1 tensor.
ValueId dim_of(NodeImport& n, ValueId x, int64_t axis);
/// A tensor of one number.
Tensor filled(NodeImport& n, DType dtype, Dims dims, double value);

}  // namespace tenon::onnx
