// The end of a product's kernel as text: bias, epilogue, store, for a run of neighbouring results.
#pragma once
#include "backends/cuda/tactics/kernel_writer.h"

namespace tenon::cuda {

/// A kernel calls `Finish::store(p, batch, row, column, v)` with `each` sums of one row.
struct FinishSpec {
  std::vector<Dim> row_dims, column_dims;  // dims of the output that a row and a column of it count
  std::string row, column, columns;        // texts over batch, row, column (int): place in the output; end of the valid columns (int)
  DType out = DType::none;                 // where there is no epilogue
  const engine::Epilogue* epilogue = nullptr;
  size_t inputs = 2;  // of the step before the epilogue's operands
  bool has_bias = false;
  DType bias = DType::none;  // input 2: one for each column, or for each row modulo `bias_rows`
  Dim bias_rows = 0;
  engine::RowNorm row_norm =
      engine::RowNorm::none;  // store() also gets {mean, 1 / deviation} of the row; layer: input 2 has the sums of b's columns
  int64_t each = 8;
  bool whole = false;  // calls begin at multiples of `each` and all their results are valid
};

/// Whether the epilogue's types have a text and its operands' shapes are understood.
engine::Verdict takes_finish(const FinishSpec& spec);
size_t outputs_of(const FinishSpec& spec);
/// `struct Finish`, for top().
std::string finish_text(KernelWriter& w, const FinishSpec& spec);

}  // namespace tenon::cuda
