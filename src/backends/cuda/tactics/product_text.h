// Kernels of kernels/product.cuh as text: the tile, and what the tactics for matrices and convolutions share.
#pragma once
#include "backends/cuda/tactics/finish_text.h"

namespace tenon::cuda {

/// One block's part of a product.
struct Tile {
  int64_t m = 64, n = 64, k = 64, stages = 4;
  int64_t parts_m = 2, parts_n = 2;  // warps, or threads without tensor cores, along m and n
  int64_t slices = 1;                // groups of threads along k
  int64_t split = 1;                 // blocks of a cluster along k
};

/// How an operand's lines lie: along k or along the rows; whole: in aligned chunks of 16 bytes that are all inside or all outside.
struct Lines {
  bool k_inner = true, whole = false;
};

struct ProductSpec {
  DType type = DType::f32;    // of a and b
  bool tensor_cores = false;  // 16-bit types, and f32 as TF32
  Dim m, n, k, batch;         // batch: products side by side
  Lines a, b;
  bool b_static = false;  // b is a constant: fetched before the wait
  double epsilon = 0;     // where finish.row_norm says that a's rows are normalised
  DimValues sizes;        // that symbols are expected to have
  std::string sources;    // text of struct SourceA and SourceB
  size_t inputs = 2;      // all operands of the step
  FinishSpec finish;
};

/// The size as a number, for choices between kernels: symbols have the sizes that are expected, else tune::kGuess.
double guess(const Dim& dim, const DimValues& sizes);
/// Why the sizes are beyond these kernels; ok where they are not.
engine::Verdict takes_sizes(const ProductSpec& spec);
/// All tiles that fit the device, the one that a simple model of it finds fastest first.
std::vector<Tile> product_tiles(const ProductSpec& spec, const engine::DeviceFacts& device);
/// "64x32x64 stages 4 parts 2x1x2 split 1": a tile as a tactic's configuration.
std::string config_text(const Tile& tile);
/// The configurations of those worth measuring.
std::vector<std::string> product_configs(const ProductSpec& spec, const engine::DeviceFacts& device);
/// `w`: the writer that the texts of the spec came from.
Result<engine::Kernel> write_product(KernelWriter& w, const ProductSpec& spec, const tune::BuildCtx& ctx);

/// What makes a Source LINEAR: elements `step` apart before column `columns`.
std::string linear_text(std::string_view columns, std::string_view step);
/// Members of a Source whose rows and columns lie evenly, `row_step` and `column_step` elements apart.
std::string lines_text(std::string_view type, std::string_view rows, std::string_view columns, std::string_view row_step,
                       std::string_view column_step);

/// The size as text of type int.
inline std::string int_size(KernelWriter& w, const Dim& dim) { return dim.is_constant() ? w.size(dim) : strf("int({})", w.size(dim)); }
/// Whether the size is a number that `by` divides.
inline bool divides(int64_t by, const Dim& dim) { return dim.constant() && *dim.constant() % by == 0; }

}  // namespace tenon::cuda
