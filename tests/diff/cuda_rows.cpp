#include "tests/diff/cuda_cases.h"

namespace tenon {

const std::vector<CudaRow>& cuda_rows() {
  static const std::vector<CudaRow> list = {
      // pointwise: symbols that vectors may or may not divide, broadcasts, several results, sizes of one
      {"pointwise{expr={add(x0:f32, x1:f32)} in=[[n, 8], [8]] out=[n, 8]}", {{"n", 3}}},
      {"pointwise{expr={add(x0:f32, x1:f32)} in=[[n, m], [n, m]] out=[n, m]}", {{"n", 3}, {"m", 7}}},
      {"pointwise{expr={mul(x0:f16, x1:f16)} in=[[n, m, 3], [m, 1]] out=[n, m, 3]}", {{"n", 3}, {"m", 5}}},
      {"pointwise{expr={add(x0:f32, x1:f32)} in=[[n], [m]] out=[max(m, n)]}", {{"n", 5}, {"m", 1}}},
      {"pointwise{expr={add(x0:f32, x1:f32)} in=[[n, 4], [m, 4]] out=[max(m, n), 4]}", {{"n", 1}, {"m", 6}}},
      {"pointwise{expr={t0 = sigmoid(x0:f32); mul(x0:f32, t0), t0} in=[[2, 3, 17]] out=[2, 3, 17]}", {}},
      {"pointwise{expr={relu(x0:f16)} in=[[1037]] out=[1037]}", {}},
      {"pointwise{expr={add(x0:bf16, x1:bf16)} in=[[4, 24], [4, 1]] out=[4, 24]}", {}},
      {"pointwise{expr={add(x0:f64, x1:f64)} in=[[], [1, 1]] out=[1, 1]}", {}},
      {"pointwise{expr={cast(x0:u8):f32} in=[[3, 77]] out=[3, 77]}", {}},
      {"pointwise{expr={relu(x0:f32)} in=[[0, 4]] out=[0, 4]}", {}},
      {"pointwise{expr={relu(x0:f32)} in=[[n, 4]] out=[n, 4]}", {{"n", 0}}},
      {"pointwise{expr={add(x0:f16, x1:f16)} in=[[600, 1025], [1025]] out=[600, 1025]}", {}},
      {"pointwise{expr={mul(x0:f32, 2:f32)} in=[[]] out=[]}", {}},
      // gemm: remainders of tiles, whole and broken lines on both sides, batches that broadcast, symbols, many blocks along k
      {"gemm{m=17 n=33 k=65}", {}},
      {"gemm{m=16 n=64 k=128 b_static=true}", {}},
      {"gemm{m=s n=24 k=40 b_static=true}", {{"s", 19}}},
      {"gemm{m=9 n=16 k=32 trans_a=true}", {}},
      {"gemm{m=16 n=40 k=48 trans_a=true trans_b=true}", {}},
      {"gemm{m=30 n=9 k=56 trans_b=true b_static=true}", {}},
      {"gemm{m=5 n=8 k=1032 b_static=true}", {}},
      {"gemm{m=1 n=50 k=520 trans_b=true b_static=true}", {}},
      {"gemm{m=20 n=24 k=16 batch=[2, 3] a_batch=[2, 3] b_batch=[1, 3]}", {}},
      {"gemm{m=6 n=8 k=24 batch=[b, 2] a_batch=[b, 2] b_batch=[1, 1]}", {{"b", 3}}},
      {"gemm{m=17 n=33 k=65 math={operand_rounding=tf32}}", {}},
      {"gemm{m=40 n=48 k=136 trans_b=true b_static=true math={operand_rounding=tf32}}", {}},
      {"gemm{m=24 n=40 k=48 trans_a=true math={operand_rounding=tf32}}", {}},
      {"gemm{a=f16 b=f16 out=f16 m=30 n=48 k=320 b_static=true row_norm=layer epsilon=1e-5}", {}},
      {"gemm{a=bf16 b=bf16 out=bf16 m=70 n=33 k=96 trans_b=true b_static=true row_norm=layer epsilon=1e-3}", {}},
      {"gemm{a=f16 b=f16 out=f16 m=s n=40 k=1040 trans_b=true row_norm=rms epsilon=1e-6}", {{"s", 9}}},
      {"gemm{a=f16 b=f16 out=f16 m=6 n=16 k=72 batch=[2] a_batch=[2] b_batch=[1] row_norm=layer epsilon=0.1 "
       "epilogue={expr={cast(relu(add(x0:f32, x1:f32))):f16} operands=[[16]]}}",
       {}},
      {"gemm{a=f16 b=f16 out=f16 m=40 n=72 k=96 b_static=true epilogue={expr={cast(relu(add(x0:f32, cast(x1:f16):f32))):f16} "
       "operands=[[40, "
       "72]]}}",
       {}},
      {"gemm{m=12 n=20 k=8 epilogue={expr={t0 = add(x0:f32, x1:f32); t0, sigmoid(t0)} operands=[[20]]}}", {}},
      // conv: taps in one word of bits, in two, and more than those; channels that fill chunks and that do not; groups, dilations, 1 to 3
      // dims
      {"conv{n=2 c=8 m=12 in_spatial=[9, 7] kernel=[3, 3] out_spatial=[5, 4] pads=[1, 1] strides=[2, 2] dilations=[1, 1] has_bias=true "
       "channels_last=true w_static=true}",
       {}},
      {"conv{n=1 c=24 m=32 in_spatial=[6, 7] kernel=[1, 1] out_spatial=[6, 7] pads=[0, 0] strides=[1, 1] dilations=[1, 1] "
       "channels_last=true w_static=true}",
       {}},
      {"conv{n=1 c=3 m=16 in_spatial=[15, 15] kernel=[7, 7] out_spatial=[8, 8] pads=[3, 3] strides=[2, 2] dilations=[1, 1] "
       "channels_last=true w_static=true}",
       {}},
      {"conv{n=1 c=2 m=8 in_spatial=[12, 12] kernel=[8, 8] out_spatial=[5, 5] pads=[0, 0] strides=[1, 1] dilations=[1, 1] "
       "channels_last=true}",
       {}},
      {"conv{n=1 c=16 m=24 in_spatial=[8, 8] kernel=[3, 3] out_spatial=[8, 8] pads=[2, 2] strides=[1, 1] dilations=[2, 2] groups=2 "
       "channels_last=true}",
       {}},
      {"conv{n=1 c=40 m=16 in_spatial=[h, w] kernel=[3, 1] out_spatial=[h, w] pads=[1, 0] strides=[1, 1] dilations=[1, 1] "
       "channels_last=true w_static=true}",
       {{"h", 5}, {"w", 6}}},
      {"conv{n=2 c=8 m=20 in_spatial=[9, 7] kernel=[3, 3] out_spatial=[5, 4] pads=[1, 1] strides=[2, 2] dilations=[1, 1] "
       "channels_last=true math={operand_rounding=tf32}}",
       {}},
      {"conv{n=1 c=3 m=16 in_spatial=[9, 9] kernel=[3, 3] out_spatial=[9, 9] pads=[1, 1] strides=[1, 1] dilations=[1, 1] "
       "math={operand_rounding=tf32}}",
       {}},
      {"conv{n=2 c=6 m=5 in_spatial=[40] kernel=[5] out_spatial=[20] pads=[2] strides=[2] dilations=[1]}", {}},
      {"conv{n=1 c=8 m=8 in_spatial=[4, 4] kernel=[1, 1] out_spatial=[4, 4] pads=[0, 0] strides=[1, 1] dilations=[1, 1]}", {}},
      {"conv{n=1 c=16 m=8 in_spatial=[3, 5, 4] kernel=[2, 3, 2] out_spatial=[2, 5, 4] pads=[0, 1, 1] strides=[1, 1, 1] dilations=[1, 1, 1] "
       "channels_last=true}",
       {}},
      {"conv{n=1 c=8 m=8 in_spatial=[9, 9] kernel=[5, 5] out_spatial=[9, 9] pads=[2, 2] strides=[1, 1] dilations=[1, 1] groups=8 "
       "channels_last=true w_static=true has_bias=true}",
       {}},
      {"conv{n=2 c=16 m=16 in_spatial=[9, 10] kernel=[3, 3] out_spatial=[5, 5] pads=[1, 1] strides=[2, 2] dilations=[1, 1] groups=16 "
       "channels_last=true}",
       {}},
      {"conv{n=1 c=4 m=8 in_spatial=[9, 10] kernel=[3, 3] out_spatial=[9, 10] pads=[2, 2] strides=[1, 1] dilations=[2, 2] groups=4}", {}},
      {"conv{n=2 c=6 m=4 in_spatial=[5, 4] kernel=[3, 3] out_spatial=[9, 7] pads=[1, 1] strides=[2, 2] dilations=[1, 1] transposed=true}",
       {}},
      // copy: widths, transposes with remainders, symbols, batches in front and between
      {"copy{type=u8 shape=[7, 33] strides=[1, 7]}", {}},
      {"copy{type=f16 shape=[3, 40, 70] strides=[2800, 1, 40]}", {}},
      {"copy{type=f32 shape=[2, 65, 3, 33] strides=[6435, 1, 2145, 65]}", {}},
      {"copy{type=f64 shape=[n, m] strides=[1, n]}", {{"n", 37}, {"m", 19}}},
      {"copy{type=i64 shape=[33, 65] strides=[1, 33]}", {}},
      {"copy{type=bool shape=[5, 1, 9] offset=3 strides=[18, 4, 2]}", {}},
      {"copy{type=f32 shape=[n, 3, m] strides=[3*m, m, 1]}", {{"n", 2}, {"m", 5}}},
      {"copy{type=f16 shape=[2, 48] offset=8 strides=[64, 1]}", {}},
      {"copy{type=f16 shape=[2, 48] offset=4 strides=[64, 1]}", {}},
      {"copy{type=i8 shape=[1001] strides=[1]}", {}},
      {"copy{type=c64 shape=[4, 5] strides=[1, 4]}", {}},
      {"copy{type=f32 shape=[n, 4] strides=[0, 1]}", {{"n", 3}}},
      {"copy{type=f32 shape=[] strides=[]}", {}},
      // series: sizes, ranges, types
      {"series{shape=[3] values=[n, 7, n*m]}", {{"n", 3}, {"m", 4}}},
      {"series{type=i32 shape=[n] values=[m] step=-2}", {{"n", 300}, {"m", 4}}},
      {"series{type=bool shape=[2] values=[0, n]}", {{"n", 3}}},
      {"series{type=u8 shape=[2, 200] values=[5] step=3}", {}},
      // index: rows by index (an embedding), single elements, coordinates, batches, 32-bit indices
      {"index{shape=[1, n, 768] pieces=[{strides=[23040, 0, 1] terms=[{steps=[0, 1, 0] indices=1 size=30 stride=768}]}]}", {{"n", 9}}},
      {"index{index_type=i32 shape=[3, 7, m] pieces=[{strides=[5*m, 0, 1] terms=[{steps=[0, 1, 0] indices=1 size=5 stride=m}]}]}",
       {{"m", 5}}},
      {"index{type=u8 shape=[4, 9] pieces=[{strides=[20, 0] terms=[{steps=[9, 1] indices=1 size=20 stride=1}]}]}", {}},
      {"index{shape=[2, 6, 10] pieces=[{strides=[120, 0, 1] terms=[{steps=[12, 2, 0] indices=1 size=4 stride=30}, {start=1 steps=[12, 2, "
       "0] "
       "indices=1 size=3 stride=10}]}]}",
       {}},
      {"index{type=f16 shape=[1, 4099, 24] pieces=[{strides=[24000, 0, 1] terms=[{steps=[0, 1, 0] indices=1 size=1000 stride=24}]}]}", {}},
      // concatenations: rows that vectors divide and rows that they do not, many pieces, empty ones, symbols
      {"index{shape=[6, 96] axis=1 pieces=[{strides=[32, 1]}, {source=1 first=32 strides=[64, 1]}]}", {}},
      {"index{type=bool shape=[6, 13] axis=1 pieces=[{strides=[3, 1]}, {source=1 first=3 strides=[10, 1]}]}", {}},
      {"index{shape=[n, 5*m] axis=1 pieces=[{strides=[2*m, 1]}, {source=1 first=2*m strides=[0, 1]}, {source=2 first=2*m strides=[3*m, "
       "1]}]}",
       {{"n", 3}, {"m", 4}}},
      {"index{type=c64 shape=[7] pieces=[{strides=[1]}, {source=1 first=2 strides=[1]}, {source=0 first=5 strides=[1]}]}", {}},
      // padding and repetition
      {"index{shape=[3, 10, 11] pieces=[{strides=[48, 0, 0] terms=[{start=-1 steps=[0, 0, 1] outside=fill size=8 stride=1}, {start=-2 "
       "steps=[0, 1, 0] outside=fill size=6 stride=8}]}] fill=1}",
       {}},
      {"index{type=i8 shape=[3, n+2, 8] pieces=[{strides=[8*n, 0, 1] terms=[{start=-1 steps=[0, 1, 0] outside=fill size=n stride=8}]}]}",
       {{"n", 5}}},
      {"index{shape=[2, 17] pieces=[{strides=[5, 0] terms=[{start=-6 steps=[0, 1] outside=reflect size=5 stride=1}]}]}", {}},
      {"index{shape=[2, 17] pieces=[{strides=[n, 0] terms=[{start=-6 steps=[0, 1] outside=reflect size=n stride=1}]}]}", {{"n", 1}}},
      {"index{shape=[2, 17] pieces=[{strides=[n, 0] terms=[{start=-6 steps=[0, 1] outside=edge size=n stride=1}]}]}", {{"n", 4}}},
      {"index{shape=[12, 6, 3] pieces=[{strides=[0, 0, 1] terms=[{steps=[1, 0, 0] outside=wrap size=4 stride=9}, {steps=[0, 1, 0] "
       "outside=wrap size=n stride=3}]}]}",
       {{"n", 3}}},
      // an image of three channels as a strided convolution reads it, rounded
      {"index{shape=[2, 9, 7, 2, 4] pieces=[{strides=[351, 13, 0, 0, 0] terms=[{start=-1 steps=[0, 0, 2, 1, 0] outside=fill size=13 "
       "stride=1}, {steps=[0, 0, 0, 0, 1] outside=fill size=3 stride=117}]}] to=f16}",
       {}},
      {"index{type=f16 shape=[n, 4, 3, 5, 8] pieces=[{strides=[60, 5, 0, 0, 0] terms=[{start=-2 steps=[0, 0, 5, 1, 0] outside=fill size=5 "
       "stride=1}, {steps=[0, 0, 0, 0, 1] outside=fill size=3 stride=20}]}] to=bf16}",
       {{"n", 3}}},
      {"index{type=f64 shape=[37] pieces=[{strides=[0]}]}", {}},
      {"index{shape=[0, 4] pieces=[{strides=[4, 1]}]}", {}},
      {"index{shape=[] pieces=[{offset=2}]}", {}},
      // resize: layouts, every mode and transform, symbols
      {"resize{in=[2, 3, 8, 9] out=[2, 3, 16, 18] scales=[1, 1, 2, 2] coordinate_transform=asymmetric nearest_mode=floor}", {}},
      {"resize{in=[2, 8, 9, 24] out=[2, 16, 18, 24] scales=[1, 2, 2, 1] coordinate_transform=asymmetric nearest_mode=floor}", {}},
      {"resize{type=u8 in=[n, 5, 7] out=[n, 9, 3] scales=[1, 0, 0] by_sizes=true nearest_mode=round_prefer_ceil}", {{"n", 2}}},
      {"resize{in=[n, h, w, 6] out=[n, 2*h, 3*w, 6] scales=[1, 0, 0, 1] by_sizes=true mode=linear}", {{"n", 2}, {"h", 3}, {"w", 4}}},
      {"resize{in=[1, 3, 8, 9] out=[1, 3, 12, 13] scales=[1, 1, 0, 0] by_sizes=true mode=linear coordinate_transform=align_corners}", {}},
      {"resize{in=[1, 3, 8, 9] out=[1, 3, 12, 7] scales=[1, 1, 1.5, 0.8] mode=cubic coordinate_transform=half_pixel_symmetric}", {}},
      {"resize{in=[1, 8, 9, 8] out=[1, 12, 7, 8] scales=[1, 1.5, 0.8, 1] mode=cubic cubic_coeff_a=-0.5 exclude_outside=true}", {}},
      {"resize{in=[2, 5, 6] out=[2, 9, 1] scales=[1, 0, 0] by_sizes=true mode=linear coordinate_transform=pytorch_half_pixel}", {}},
      {"resize{in=[2, 5, 6] out=[2, 9, 4] scales=[1, 0, 0] by_sizes=true mode=linear exclude_outside=true coordinate_transform=asymmetric}",
       {}},
      {"resize{in=[2, 5, 6] out=[2, 9, 4] scales=[1, 0, 0] by_sizes=true coordinate_transform=tf_half_pixel_for_nn nearest_mode=ceil}", {}},
      {"resize{in=[4, 5, 6] out=[4, 9, 4] scales=[1, 0, 0] by_sizes=true mode=linear coordinate_transform=tf_crop_and_resize "
       "extrapolation_value=3.5 roi=[0, 0.4, 0.6, 1, 0.6, 1.2]}",
       {}},
      {"resize{in=[4, 5, 6] out=[4, 9, 4] scales=[1, 0, 0] by_sizes=true coordinate_transform=tf_crop_and_resize extrapolation_value=3.5 "
       "roi=[0, 0.4, 0.6, 1, 0.6, 1.2]}",
       {}},
      {"resize{in=[2, 4, 5, 6] out=[2, 8, 3, 9] scales=[1, 0, 0, 0] by_sizes=true mode=linear}", {}},
      {"resize{in=[4, 6] out=[4, 6] scales=[1, 1] mode=linear}", {}},
      // reduce
      {"reduce{kind=sum shape=[n, 4096] axes=[1]}", {{"n", 2}}},
      {"reduce{kind=mean shape=[3, n] axes=[1]}", {{"n", 77}}},
      {"reduce{kind=sum shape=[n, m, 5] axes=[0, 2] keepdims=false}", {{"n", 3}, {"m", 4}}},
      {"reduce{kind=mean shape=[2, 70, n] axes=[1]}", {{"n", 9}}},
      {"reduce{kind=sum shape=[5, 700, 3] axes=[1]}", {}},
      {"reduce{kind=prod shape=[9, 8] axes=[1]}", {}},
      {"reduce{kind=min shape=[9, 300] axes=[1]}", {}},
      {"reduce{kind=l1 shape=[64, 129] axes=[0]}", {}},
      {"reduce{kind=l2 shape=[4, 129, 3] axes=[0, 1]}", {}},
      {"reduce{kind=sum_square shape=[2, 3, 4, 5] axes=[0, 1, 2, 3] keepdims=false}", {}},
      {"reduce{kind=log_sum_exp shape=[3, 5000] axes=[1]}", {}},
      {"reduce{kind=arg_max out=i64 shape=[3, 5000] axes=[1] keepdims=false}", {}},
      {"reduce{kind=arg_min out=i64 shape=[3, 50, 40] axes=[1] last_index=true}", {}},
      {"reduce{kind=arg_max in=i32 out=i64 shape=[40, 7] axes=[1] last_index=true}", {}},
      {"reduce{kind=arg_min in=u8 out=i64 shape=[40, 70] axes=[1]}", {}},
      {"reduce{kind=sum in=i32 out=i32 shape=[3, 50, 4] axes=[1]}", {}},
      {"reduce{kind=mean in=i64 out=i64 shape=[3, 50] axes=[1]}", {}},
      {"reduce{kind=max in=u64 out=u64 shape=[3, 50] axes=[1]}", {}},
      {"reduce{kind=min in=i8 out=i8 shape=[50, 3] axes=[0]}", {}},
      {"reduce{kind=l1 in=i16 out=i16 shape=[5, 30] axes=[1]}", {}},
      {"reduce{kind=l2 in=i32 out=i32 shape=[5, 30] axes=[1]}", {}},
      {"reduce{kind=sum_square in=u32 out=u32 shape=[5, 30] axes=[1]}", {}},
      {"reduce{kind=max in=bool out=bool shape=[5, 30] axes=[1]}", {}},
      {"reduce{kind=sum shape=[3, 0] axes=[1]}", {}},
      {"reduce{kind=max shape=[3, n] axes=[1]}", {{"n", 0}}},
      {"reduce{kind=sum shape=[6, 5] axes=[]}", {}},
      {"reduce{kind=mean shape=[4, 64, 6, 6] axes=[2, 3] keepdims=false epilogue={expr={relu(sub(x0:f32, x1:f32))} operands=[[64]]}}", {}},
      {"reduce{kind=sum shape=[4, 64, 6] axes=[1] epilogue={expr={t0 = mul(x0:f32, x1:f32); t0, cast(t0):f16} operands=[[4, 1, 1]]}}", {}},
      {"reduce{kind=mean in=f16 out=f16 shape=[n, 6, 8] axes=[2] epilogue={expr={add(x0:f16, x1:f16)} operands=[[n, 6, 1]]}}", {{"n", 3}}},
      // scatter: every reduction along any axis, indices that cover less than the data, slices in one piece, many updates of few elements,
      // none at all, symbols, types that only move
      {"scatter{out=[2, 50, 7] shape=[2, 9, 7] strides=[350, 0, 1] terms=[{steps=[63, 7, 1] indices=1 size=50 stride=7}] apart=true}", {}},
      {"scatter{index_type=i32 reduction=add out=[40, 300] shape=[40, 77] strides=[300, 0] terms=[{steps=[77, 1] indices=1 size=300 "
       "stride=1}] apart=true}",
       {}},
      {"scatter{reduction=mul out=[5000, 3] shape=[700, 3] strides=[0, 1] terms=[{steps=[3, 1] indices=1 size=5000 stride=3}]}", {}},
      {"scatter{reduction=max out=[6, 5, 9] shape=[4, 2, 8] strides=[45, 0, 1] terms=[{steps=[16, 8, 1] indices=1 size=5 stride=9}] "
       "apart=true}",
       {}},
      {"scatter{reduction=min out=[n, m] shape=[n, 60] strides=[m, 0] terms=[{steps=[60, 1] indices=1 size=m stride=1}] apart=true}",
       {{"n", 9}, {"m", 700}}},
      {"scatter{reduction=add out=[n, m] shape=[k, m] strides=[0, 1] terms=[{steps=[m, 1] indices=1 size=n stride=m}] agree=[m, m] "
       "at_most=[m, m]}",
       {{"n", 900}, {"m", 9}, {"k", 300}}},
      {"scatter{out=[30, 768] shape=[9, 768] strides=[0, 1] terms=[{steps=[1, 0] indices=1 size=30 stride=768}]}", {}},
      {"scatter{reduction=add out=[n, 96] shape=[k, 96] strides=[0, 1] terms=[{steps=[1, 0] indices=1 size=n stride=96}]}",
       {{"n", 50}, {"k", 300}}},
      {"scatter{reduction=max out=[6, 7, 40] shape=[50, 40] strides=[0, 1] terms=[{steps=[2, 0] indices=1 size=6 stride=280}, {start=1 "
       "steps=[2, 0] indices=1 size=7 stride=40}]}",
       {}},
      {"scatter{out=[20, 30] shape=[500, 1] strides=[0, 1] terms=[{steps=[2, 0] indices=1 size=20 stride=30}, {start=1 steps=[2, 0] "
       "indices=1 size=30 stride=1}]}",
       {}},
      {"scatter{reduction=add out=[3] shape=[3000] strides=[0] terms=[{steps=[1] indices=1 size=3 stride=1}]}", {}},
      {"scatter{out=[3, 40000] shape=[3, 5000] strides=[40000, 0] terms=[{steps=[5000, 1] indices=1 size=40000 stride=1}] apart=true}", {}},
      {"scatter{reduction=add out=[3500, 20] shape=[700, 20] strides=[0, 1] terms=[{steps=[20, 1] indices=1 size=3500 stride=20}]}", {}},
      {"scatter{out=[9000, 32] shape=[8200, 32] strides=[0, 1] terms=[{steps=[1, 0] indices=1 size=9000 stride=32}]}", {}},
      {"scatter{type=u64 reduction=max out=[70] shape=[300] strides=[0] terms=[{steps=[1] indices=1 size=70 stride=1}]}", {}},
      {"scatter{type=i64 reduction=mul out=[5, 64] shape=[70, 64] strides=[0, 1] terms=[{steps=[1, 0] indices=1 size=5 stride=64}]}", {}},
      {"scatter{type=i8 reduction=add out=[70] shape=[300] strides=[0] terms=[{steps=[1] indices=1 size=70 stride=1}]}", {}},
      {"scatter{type=u8 reduction=min out=[70] shape=[300] strides=[0] terms=[{steps=[1] indices=1 size=70 stride=1}]}", {}},
      {"scatter{type=bool reduction=add out=[70] shape=[30] strides=[0] terms=[{steps=[1] indices=1 size=70 stride=1}]}", {}},
      {"scatter{type=bool out=[700] shape=[300] strides=[0] terms=[{steps=[1] indices=1 size=700 stride=1}]}", {}},
      {"scatter{type=i8 out=[30, 640] shape=[9, 640] strides=[0, 1] terms=[{steps=[1, 0] indices=1 size=30 stride=640}]}", {}},
      {"scatter{type=c64 out=[30, 3] shape=[9, 3] strides=[0, 1] terms=[{steps=[1, 0] indices=1 size=30 stride=3}]}", {}},
      {"scatter{type=c128 out=[4, 33] shape=[2, 33] strides=[0, 1] terms=[{steps=[1, 0] indices=1 size=4 stride=33}]}", {}},
      {"scatter{out=[4, 5] shape=[0, 5] strides=[0, 1] terms=[{steps=[5, 1] indices=1 size=4 stride=5}]}", {}},
      {"scatter{out=[0, 5] shape=[0, 5] strides=[0, 1] terms=[{steps=[5, 1] indices=1 size=0 stride=5}]}", {}},
      {"scatter{out=[n, m] shape=[n, k] strides=[m, 0] terms=[{steps=[k, 1] indices=1 size=m stride=1}] apart=true}",
       {{"n", 0}, {"m", 0}, {"k", 0}}},
      // top_k: sorted whole, searched for, counted; strides, ties, symbols, no element at all
      {"top_k{shape=[7, 33] axis=1 k=5}", {}},
      {"top_k{shape=[7, 33] axis=1 k=33 largest=false}", {}},
      {"top_k{shape=[5, 70, 3] axis=1 k=9}", {}},
      {"top_k{shape=[2, 4096] axis=1 k=1000 largest=false}", {}},
      {"top_k{shape=[3, 1] axis=1 k=1}", {}},
      {"top_k{shape=[3, 9] axis=1 k=0}", {}},
      {"top_k{shape=[0, 9] axis=1 k=2}", {}},
      {"top_k{shape=[n, 50] axis=1 k=min(7, n)}", {{"n", 3}}},
      {"top_k{shape=[2, n] axis=1 k=min(12, n)}", {{"n", 700}}},
      {"top_k{shape=[2, n, 2] axis=1 k=min(12, n) largest=false}", {{"n", 5}}},
      {"top_k{shape=[2, n] axis=1 k=min(12, n)}", {{"n", 0}}},
      {"top_k{shape=[n, m] axis=1 k=k}", {{"n", 3}, {"m", 300}, {"k", 41}}},
      {"top_k{shape=[n, m, 2] axis=1 k=m largest=false}", {{"n", 2}, {"m", 513}}},
      {"top_k{shape=[n, m] axis=1 k=k}", {{"n", 2}, {"m", 0}, {"k", 0}}},
      {"top_k{shape=[9000, 2] axis=0 k=40}", {}},
      {"top_k{shape=[1, 9000] axis=1 k=3000 largest=false}", {}},
      {"top_k{shape=[1, 4200] axis=1 k=4200}", {}},
      {"top_k{type=i64 shape=[3, 2500] axis=1 k=9}", {}},
      {"top_k{type=u64 shape=[3, 2500] axis=1 k=9 largest=false}", {}},
      {"top_k{type=i32 shape=[2, 5000] axis=1 k=900}", {}},
      {"top_k{type=u32 shape=[2, 50] axis=1 k=9}", {}},
      {"top_k{type=i8 shape=[2, 5000] axis=1 k=900 largest=false}", {}},
      {"top_k{type=u8 shape=[40, 50] axis=1 k=9}", {}},
      {"top_k{type=bool shape=[4, 50] axis=1 k=30}", {}},
      // cumulative: rows of every length, columns, symbols, integers that wrap
      {"cumulative{shape=[40, 7] axis=1}", {}},
      {"cumulative{shape=[3, 5000] axis=1 exclusive=true}", {}},
      {"cumulative{shape=[700, 130] axis=1 reverse=true}", {}},
      {"cumulative{shape=[1, 20003] axis=1 exclusive=true reverse=true}", {}},
      {"cumulative{shape=[n, m] axis=1}", {{"n", 3}, {"m", 700}}},
      {"cumulative{shape=[5, 64, 3] axis=1 reverse=true}", {}},
      {"cumulative{shape=[2, 700, n] axis=1 exclusive=true}", {{"n", 9}}},
      {"cumulative{shape=[20, 300] axis=0 product=true}", {}},
      {"cumulative{shape=[4, 30] axis=1 product=true exclusive=true}", {}},
      {"cumulative{type=i64 shape=[4, 300] axis=1 product=true}", {}},
      {"cumulative{type=u64 shape=[4, 300] axis=1}", {}},
      {"cumulative{type=i32 shape=[300, 4] axis=0 reverse=true}", {}},
      {"cumulative{type=u8 shape=[3, 300] axis=1}", {}},
      {"cumulative{shape=[3, 0] axis=1}", {}},
      {"cumulative{shape=[3, 4, 0] axis=1}", {}},
      {"cumulative{shape=[7] axis=0}", {}},
      // grid_sample: one to three dims, every mode and border, symbols, 16-bit grids, nothing to read
      {"grid_sample{n=2 c=3 in_spatial=[5, 7] out_spatial=[4, 9]}", {}},
      {"grid_sample{n=2 c=3 in_spatial=[5, 7] out_spatial=[4, 9] padding=border align_corners=true}", {}},
      {"grid_sample{n=1 c=9 in_spatial=[5, 7] out_spatial=[4, 9] padding=reflection}", {}},
      {"grid_sample{n=1 c=17 in_spatial=[5, 7] out_spatial=[4, 9] mode=nearest}", {}},
      {"grid_sample{n=1 c=3 in_spatial=[5, 7] out_spatial=[4, 9] mode=nearest padding=reflection align_corners=true}", {}},
      {"grid_sample{n=1 c=3 in_spatial=[5, 7] out_spatial=[4, 9] mode=nearest padding=border}", {}},
      {"grid_sample{n=2 c=3 in_spatial=[5, 7] out_spatial=[20, 30] mode=cubic}", {}},
      {"grid_sample{n=1 c=2 in_spatial=[5, 7] out_spatial=[20, 30] mode=cubic padding=border}", {}},
      {"grid_sample{n=1 c=2 in_spatial=[1, 7] out_spatial=[20, 30] mode=cubic padding=reflection align_corners=true}", {}},
      {"grid_sample{n=2 c=3 in_spatial=[3, 5, 7] out_spatial=[2, 4, 9]}", {}},
      {"grid_sample{n=2 c=3 in_spatial=[3, 5, 7] out_spatial=[2, 4, 9] mode=cubic padding=border}", {}},
      {"grid_sample{n=2 c=3 in_spatial=[11] out_spatial=[40] padding=reflection}", {}},
      {"grid_sample{grid_type=f16 n=n c=c in_spatial=[h, w] out_spatial=[k, 2]}", {{"n", 2}, {"c", 5}, {"h", 6}, {"w", 3}, {"k", 50}}},
      {"grid_sample{n=n c=4 in_spatial=[h, w] out_spatial=[k, 2] mode=nearest padding=border}", {{"n", 2}, {"h", 6}, {"w", 3}, {"k", 0}}},
      // squeeze_excite: ranks without channels or rows, symbols, a batch of whole blocks, epilogues with operands and two results
      {"squeeze_excite{n=2 area=3 c=24 m=1}", {}},
      {"squeeze_excite{n=n area=a c=56 m=10 w_static=true spatial=1}", {{"n", 2}, {"a", 11}}},
      {"squeeze_excite{n=n area=9 c=16 m=3}", {{"n", 0}}},
      {"squeeze_excite{type=bf16 n=300 area=2 c=8 m=4 w_static=true spatial=3}", {}},
      {"squeeze_excite{n=1 area=2 c=4104 m=2}", {}},
      {"squeeze_excite{type=f16 n=2 area=5 c=72 m=12 w_static=true inner={relu(x0:f16)} epilogue={expr={t0 = relu(cast(x0:f16):f32); "
       "cast(mul(t0, cast(x1:f16):f32)):f16, cast(t0):f16} operands=[[72]]}}",
       {}},
      // attention: odd lengths, masks of every shape, shared heads, widths with and without whole chunks, packed operands, orders
      {"attention{batch=1 heads=2 kv_heads=2 tq=1 tk=1 d=8 dv=8 scale=0.3}", {}},
      {"attention{batch=1 heads=1 kv_heads=1 tq=37 tk=197 d=64 dv=64 scale=0.125}", {}},
      {"attention{batch=2 heads=4 kv_heads=2 tq=t tk=s d=40 dv=72 scale=-0.2}", {{"t", 19}, {"s", 45}}},
      {"attention{batch=b heads=4 kv_heads=1 tq=t tk=t d=96 dv=96 scale=0.1 causal=true}", {{"b", 1}, {"t", 33}}},
      {"attention{batch=1 heads=1 kv_heads=1 tq=37 tk=150 d=128 dv=128 scale=0.09 causal=true}", {}},
      {"attention{batch=1 heads=2 kv_heads=2 tq=50 tk=20 d=32 dv=32 scale=0.2 causal=true}", {}},
      {"attention{batch=1 heads=1 kv_heads=1 tq=5 tk=7 d=13 dv=5 scale=0.3}", {}},
      {"attention{batch=2 heads=3 kv_heads=3 tq=20 tk=35 d=16 dv=16 scale=0.25 has_mask=true mask=[2, 3, 20, 35]}", {}},
      {"attention{batch=2 heads=3 kv_heads=3 tq=20 tk=35 d=16 dv=16 scale=0.25 has_mask=true mask=[20, 1]}", {}},
      {"attention{batch=b heads=2 kv_heads=2 tq=t tk=t d=64 dv=64 scale=0.125 has_mask=true mask=[b, 1, t, t]}", {{"b", 2}, {"t", 50}}},
      {"attention{batch=b heads=2 kv_heads=2 tq=t tk=s d=64 dv=64 scale=0.125 has_mask=true mask=[m, 1, 1, s]}",
       {{"b", 2}, {"t", 7}, {"s", 129}, {"m", 1}}},
      {"attention{type=f16 batch=1 heads=2 kv_heads=2 tq=17 tk=66 d=64 dv=64 scale=0.125 has_mask=true mask_type=f16 mask=[1, 1, 1, 66] "
       "causal=true}",
       {}},
      {"attention{batch=1 heads=2 kv_heads=2 tq=6 tk=0 d=16 dv=16}", {}},
      {"attention{batch=0 heads=2 kv_heads=2 tq=6 tk=4 d=16 dv=16}", {}},
      {"attention{batch=b heads=3 kv_heads=3 tq=t tk=t d=32 dv=32 scale=0.2 q={strides=[288*t, 32, 288]} k={offset=96 strides=[288*t, 32, "
       "288]} v={offset=192 strides=[288*t, 32, 288]} perm=[0, 2, 1, 3]}",
       {{"b", 2}, {"t", 41}}},
      {"attention{batch=2 heads=2 kv_heads=2 tq=18 tk=18 d=16 dv=16 scale=0.2 q={strides=[96, 16, 192]} k={offset=33 strides=[96, 16, "
       "192]} "
       "v={offset=64 strides=[97, 16, 192]} perm=[2, 0, 1, 3]}",
       {}},
      {"attention{batch=1 heads=2 kv_heads=2 tq=40 tk=24 d=24 dv=24 scale=0.2 perm=[0, 2, 1, 3] epilogue={expr={add(x0:f32, x1:f32)} "
       "operands=[[2, 24]]}}",
       {}},
      {"attention{type=f16 batch=2 heads=24 kv_heads=24 tq=33 tk=17 d=16 dv=16 scale=0.2 epilogue={expr={cast(mul(cast(x0:f16):f32, "
       "2:f32)):f16}}}",
       {}},
      {"attention{type=bf16 batch=4 heads=9 kv_heads=3 tq=35 tk=15 d=80 dv=32 scale=0.1}", {}},
      {"attention{type=f16 batch=2 heads=24 kv_heads=24 tq=65 tk=35 d=16 dv=16 scale=0.125 causal=true}", {}},
      // norm
      {"norm{shape=[n, 12, m, m] axis=3}", {{"n", 2}, {"m", 9}}},
      {"norm{kind=log_softmax shape=[5, 3000] axis=1}", {}},
      {"norm{shape=[3, 20000] axis=1}", {}},
      {"norm{shape=[2, 64, 7, 9] axis=1}", {}},
      {"norm{kind=log_softmax shape=[n, 64, m] axis=1}", {{"n", 2}, {"m", 5}}},
      {"norm{kind=layer shape=[3, 5, 7] axis=1 axes=2 epsilon=0.001 has_scale=true has_bias=true}", {}},
      {"norm{kind=layer shape=[n, 33] axis=1 epsilon=0.001 has_scale=true}", {{"n", 3}}},
      {"norm{kind=layer shape=[3, n] axis=1 epsilon=0.001 has_bias=true}", {{"n", 40}}},
      {"norm{kind=rms shape=[3, 20001] axis=1 epsilon=0.001}", {}},
      {"norm{kind=layer shape=[2, 6, 5] axis=1 epsilon=0.001 has_scale=true}", {}},
      {"norm{kind=layer shape=[4, 2, 96] axis=2 epsilon=0.001 has_scale=true has_bias=true epilogue={expr={cast(add(x0:f32, x1:f32)):f16} "
       "operands=[[2, 96]]}}",
       {}},
      {"norm{shape=[2, 6, 40] axis=2 epilogue={expr={mul(x0:f32, x1:f32)} operands=[[6, 1]]}}", {}},
      {"norm{type=f16 shape=[2, 6, 40] axis=1 epilogue={expr={mul(x0:f16, x1:f16)} operands=[[40]]}}", {}},
      {"norm{shape=[3, 0] axis=1}", {}},
      {"norm{shape=[] axis=0 axes=0}", {}},
      // pool
      {"pool{n=n c=3 in_spatial=[9, 11] out_spatial=[5, 6] pads=[1, 1] pads_end=[1, 1] kernel=[3, 3] strides=[2, 2] dilations=[1, 1]}",
       {{"n", 2}}},
      {"pool{kind=average n=1 c=3 in_spatial=[h, 11] out_spatial=[h, 11] pads=[1, 1] pads_end=[1, 1] kernel=[3, 3] strides=[1, 1] "
       "dilations=[1, "
       "1]}",
       {{"h", 6}}},
      {"pool{kind=lp n=2 c=3 in_spatial=[9, 8] out_spatial=[4, 4] pads=[0, 0] pads_end=[0, 0] kernel=[2, 2] strides=[2, 2] dilations=[1, "
       "1]}",
       {}},
      {"pool{kind=lp n=2 c=3 in_spatial=[9] out_spatial=[4] pads=[0] pads_end=[0] kernel=[3] strides=[2] dilations=[1] p=3}", {}},
      {"pool{n=1 c=2 in_spatial=[4, 5, 6] out_spatial=[3, 3, 3] pads=[1, 0, 1] pads_end=[1, 0, 0] kernel=[2, 3, 3] strides=[2, 1, 2] "
       "dilations=[1, 1, 1]}",
       {}},
      {"pool{n=1 c=2 in_spatial=[12, 12] out_spatial=[8, 8] pads=[0, 0] pads_end=[0, 0] kernel=[3, 3] strides=[1, 1] dilations=[2, 2]}",
       {}},
      {"pool{type=i8 n=1 c=2 in_spatial=[6, 6] out_spatial=[3, 3] pads=[0, 0] pads_end=[0, 0] kernel=[2, 2] strides=[2, 2] dilations=[1, "
       "1]}",
       {}},
      {"pool{type=u8 n=1 c=2 in_spatial=[6, 6] out_spatial=[3, 3] pads=[0, 0] pads_end=[0, 0] kernel=[2, 2] strides=[2, 2] dilations=[1, "
       "1]}",
       {}},
      {"pool{kind=average n=2 c=8 in_spatial=[7, 7] out_spatial=[1, 1] pads=[0, 0] pads_end=[0, 0] kernel=[7, 7] strides=[1, 1] "
       "dilations=[1, 1] "
       "epilogue={expr={add(x0:f32, x1:f32)} operands=[[8, 1, 1]]}}",
       {}},
      // recurrent: sizes that nothing divides, every option, states that come and go, no step at all
      {"recurrent{seq=3 batch=1 hidden=6 activations=[{kind=sigmoid}, {}, {}]}", {}},
      {"recurrent{seq=s batch=b hidden=5 has_h=true has_c=true activations=[{kind=sigmoid}, {}, {}]}", {{"s", 4}, {"b", 1}}},
      {"recurrent{seq=s batch=b hidden=5 has_h=true has_c=true activations=[{kind=sigmoid}, {}, {}]}", {{"s", 2}, {"b", 11}}},
      {"recurrent{seq=s batch=b hidden=5 has_h=true has_c=true activations=[{kind=sigmoid}, {}, {}]}", {{"s", 0}, {"b", 2}}},
      {"recurrent{seq=4 batch=3 hidden=7 directions=2 has_lengths=true has_h=true has_c=true has_peepholes=true clip=[0.5] "
       "activations=[{kind=sigmoid}, {}, {}, {kind=hard_sigmoid alpha=0.2 beta=0.5}, {kind=softsign}, {kind=scaled_tanh alpha=0.9 "
       "beta=1.1}]}",
       {}},
      {"recurrent{seq=3 batch=2 hidden=9 reverse=true batch_first=true input_forget=true has_lengths=true activations=[{kind=sigmoid}, "
       "{kind=relu}, {kind=softplus}]}",
       {}},
      {"recurrent{seq=2 batch=9 hidden=40 batch_first=true directions=2 has_c=true activations=[{kind=sigmoid}, {}, {}, {kind=sigmoid}, "
       "{}, {}]}",
       {}},
      {"recurrent{seq=2 batch=1 hidden=130 activations=[{kind=sigmoid}, {}, {}]}", {}},
      {"recurrent{kind=gru seq=3 batch=b hidden=12 has_h=true activations=[{kind=sigmoid}, {}]}", {{"b", 9}}},
      {"recurrent{kind=gru seq=3 batch=2 hidden=5 directions=2 linear_before_reset=true has_bias=true has_h=true clip=[1] "
       "activations=[{kind=sigmoid}, {}, {kind=affine alpha=0.3 beta=0.5}, {kind=leaky_relu alpha=0.1}]}",
       {}},
      {"recurrent{kind=gru seq=4 batch=1 hidden=8 reverse=true has_lengths=true activations=[{kind=sigmoid}, {kind=elu alpha=0.7}]}", {}},
      {"recurrent{seq=2 batch=8 hidden=1500 activations=[{kind=sigmoid}, {}, {}]}", {}},
      {"recurrent{seq=2 batch=1 hidden=1023 directions=2 activations=[{kind=sigmoid}, {}, {}, {kind=sigmoid}, {}, {}]}", {}},
      {"recurrent{kind=gru seq=2 batch=b hidden=2000 directions=2 activations=[{kind=sigmoid}, {}, {kind=sigmoid}, {}]}", {{"b", 9}}},
      {"recurrent{kind=rnn seq=5 batch=2 hidden=6 activations=[{}]}", {}},
      {"recurrent{kind=rnn seq=3 batch=b hidden=150 reverse=true activations=[{kind=thresholded_relu alpha=0.1}]}", {{"b", 1}}},
  };
  return list;
}

}  // namespace tenon
