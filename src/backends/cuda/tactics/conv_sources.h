// Where a convolution as a product takes its operands from, as text of the Sources of kernels/product.cuh.
#pragma once
#include "backends/cuda/tactics/product_text.h"

namespace tenon::cuda {

Dim product_of(const std::vector<Dim>& dims);
/// x: a row is an output pixel, of `pixels`, a column a tap and a channel.
std::string pixels_text(KernelWriter& w, const engine::ConvProblem& p, const Dim& pixels, std::string_view name);
/// w: a row is a channel of the output.
std::string weights_text(const engine::ConvProblem& p, std::string_view name);

}  // namespace tenon::cuda
