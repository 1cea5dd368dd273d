// Texts that are embedded at build time (cmake/embed_texts.cmake): the .cuh files of this folder, and devices/*.txt.
#pragma once
#include <string_view>

namespace tenon::cuda {

extern const std::string_view kPrelude;  // prelude.cuh: before every text
extern const std::string_view kScalar;   // scalar.cuh: where a text says fn::
extern const std::string_view kFold;     // fold.cuh: where a text says fold::
extern const std::string_view kResize;   // resize.cuh: where a text says resize::
extern const std::string_view kH100, kA100, kCompute80;
extern const std::string_view kStress;         // stress.cuh: of stress builds
extern const std::string_view kPtx;            // ptx.cuh
extern const std::string_view kVectors;        // vectors.cuh
extern const std::string_view kGridSample;     // grid_sample.cuh
extern const std::string_view kTopK;           // top_k.cuh; says fold::
extern const std::string_view kRecurrent;      // recurrent.cuh; needs kPtx before it
extern const std::string_view kMoments;        // moments.cuh; needs kPtx before it
extern const std::string_view kTensorCores;    // tensor_cores.cuh; needs kPtx before it
extern const std::string_view kProduct;        // product.cuh; needs kPtx, kVectors, kMoments and kTensorCores before it
extern const std::string_view kAttention;      // attention.cuh; needs kPtx and kVectors before it
extern const std::string_view kSqueezeExcite;  // squeeze_excite.cuh; needs kPtx and kVectors before it

}  // namespace tenon::cuda
