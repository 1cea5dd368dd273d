#include <algorithm>

#include "tensor/convert.h"
#include "tensor/expr_lanes.h"

namespace tenon {
namespace {

struct alignas(64) Slot {
  std::byte lanes[kLanes * 8];
};

/// Strides in elements, 0 where the input broadcasts, one per dim of the output.
struct InputView {
  const Tensor* tensor = nullptr;
  Dims strides;
  // The row that the next lane lies in: rows run along the last of the collapsed dims.
  Dims at;
  int64_t row = 0, column = 0;
};

class Evaluation {
 public:
  Evaluation(const Expr& expr, std::span<const Tensor> in, std::span<Tensor> out) : expr_(expr), in_(in), out_(out) {}

  /// Stores the results whose outputs have the dims of output `first`.
  Result<void> run(size_t first) {
    dims_ = out_[first].dims;
    mark_needed();
    TENON_OK(view_inputs());
    collapse();
    assign_slots();
    fill_constants();
    const int64_t elems = out_[first].elems();
    for (int64_t done = 0; done < elems; done += kLanes) block(done, std::min(kLanes, elems - done));
    return {};
  }

 private:
  size_t count() const { return expr_.nodes.size(); }
  bool is_result(size_t k) const { return out_[k].dims == dims_; }

  void mark_needed() {
    needed_.assign(count(), false);
    for (size_t k = 0; k < out_.size(); ++k)
      if (is_result(k)) needed_[static_cast<size_t>(expr_.results[k])] = true;
    for (size_t i = count(); i-- > 0;) {
      if (!needed_[i]) continue;
      for (int k = 0; k < arity_of(expr_.nodes[i].fn); ++k) needed_[static_cast<size_t>(expr_.nodes[i].args[k])] = true;
    }
  }

  Result<void> view_inputs() {
    views_.resize(count());
    for (size_t i = 0; i < count(); ++i) {
      const ExprNode& node = expr_.nodes[i];
      if (!needed_[i] || node.fn != Fn::input) continue;
      const Tensor& tensor = in_[static_cast<size_t>(node.input)];
      // An anchor's result comes widened: its node has the type that it will be rounded to.
      if (tensor.dtype != node.type && tensor.dtype != widened(node.type))
        return fail("input {} of the expression is {}, wanted {}", node.input, to_string(tensor.dtype), to_string(node.type));
      if (tensor.dims.size() > dims_.size())
        return fail("input {} of shape {} does not broadcast to {}", node.input, to_string(tensor.dims), to_string(dims_));
      const size_t missing = dims_.size() - tensor.dims.size();
      const Dims strides = strides_of(tensor.dims);
      InputView view{&tensor, Dims(dims_.size(), 0)};
      for (size_t d = missing; d < dims_.size(); ++d) {
        const int64_t dim = tensor.dims[d - missing];
        if (dim != dims_[d] && dim != 1)
          return fail("input {} of shape {} does not broadcast to {}", node.input, to_string(tensor.dims), to_string(dims_));
        if (dim != 1) view.strides[d] = strides[d - missing];
      }
      views_[i] = std::move(view);
    }
    return {};
  }

  /// Drops dims of size 1 and joins neighbours that every input runs through evenly.
  void collapse() {
    Dims dims;
    std::vector<size_t> last;  // of the joined dims
    for (size_t d = 0; d < dims_.size(); ++d) {
      if (dims_[d] == 1) continue;
      const bool joins = !dims.empty() && std::all_of(views_.begin(), views_.end(), [&](const InputView& view) {
        return !view.tensor || view.strides[last.back()] == view.strides[d] * dims_[d];
      });
      if (joins) {
        dims.back() *= dims_[d];
        last.back() = d;
      } else {
        dims.push_back(dims_[d]);
        last.push_back(d);
      }
    }
    if (dims.empty()) dims.push_back(1);
    for (InputView& view : views_) {
      if (!view.tensor) continue;
      Dims strides;
      for (const size_t d : last) strides.push_back(view.strides[d]);
      if (strides.empty()) strides.push_back(0);
      view.strides = std::move(strides);
      view.at.assign(dims.size(), 0);
    }
    rows_ = std::move(dims);
  }

  bool is_scalar(size_t i) const {
    return std::all_of(views_[i].strides.begin(), views_[i].strides.end(), [](int64_t stride) { return stride == 0; });
  }
  bool is_fixed(size_t i) const { return expr_.nodes[i].fn == Fn::constant || (expr_.nodes[i].fn == Fn::input && is_scalar(i)); }

  void assign_slots() {
    std::vector<size_t> last_use(count(), 0);
    for (size_t i = 0; i < count(); ++i)
      for (int k = 0; needed_[i] && k < arity_of(expr_.nodes[i].fn); ++k) last_use[static_cast<size_t>(expr_.nodes[i].args[k])] = i;
    slot_.assign(count(), 0);
    std::vector<size_t> free;
    size_t slots = 0;
    for (size_t i = 0; i < count(); ++i) {
      if (!needed_[i]) continue;
      if (free.empty() || is_fixed(i)) free.push_back(slots++);  // what is filled once shares with nothing
      slot_[i] = free.back();
      free.pop_back();
      const ExprNode& node = expr_.nodes[i];
      for (int k = 0; k < arity_of(node.fn); ++k) {
        const auto arg = static_cast<size_t>(node.args[k]);
        const bool repeated = std::find(node.args, node.args + k, node.args[k]) != node.args + k;
        if (last_use[arg] == i && !is_fixed(arg) && !repeated) free.push_back(slot_[arg]);
      }
      if (last_use[i] == 0 && !is_fixed(i)) free.push_back(slot_[i]);  // a result that no node reads: stored at once
    }
    slots_.assign(slots, Slot{});
    lanes_.assign(count(), nullptr);
    for (size_t i = 0; i < count(); ++i)
      if (needed_[i]) lanes_[i] = slots_[slot_[i]].lanes;
  }

  std::byte* own_lanes(size_t i) { return slots_[slot_[i]].lanes; }

  void repeat_first(size_t i, int64_t from, int64_t n) {
    std::byte* lanes = own_lanes(i);
    if (widened(expr_.nodes[i].type) == DType::f32) {
      auto* x = reinterpret_cast<float*>(lanes);
      std::fill(x + from + 1, x + from + n, x[from]);
    } else {
      auto* x = reinterpret_cast<int64_t*>(lanes);
      std::fill(x + from + 1, x + from + n, x[from]);
    }
  }

  void fill_constants() {
    for (size_t i = 0; i < count(); ++i) {
      const ExprNode& node = expr_.nodes[i];
      if (!needed_[i] || !is_fixed(i)) continue;
      if (node.fn == Fn::input) {
        if (views_[i].tensor->elems() > 0) load(i, 0, 0, 1);
        if (views_[i].tensor->dtype != node.type) wrap_lanes(node.type, own_lanes(i), 1);
      } else {
        // Through the type's own memory form: a constant is a value of its type.
        alignas(8) std::byte stored[8] = {};
        const auto* value =
            is_float(node.type) ? reinterpret_cast<const std::byte*>(&node.real) : reinterpret_cast<const std::byte*>(&node.integer);
        convert_elems(is_float(node.type) ? DType::f64 : DType::i64, value, 0, node.type, stored, 0, 1);
        convert_elems(node.type, stored, 0, lane_type(node.type), own_lanes(i), 0, 1);
      }
      repeat_first(i, 0, kLanes);
    }
  }

  void load(size_t i, int64_t lane, int64_t offset, int64_t n) {
    const Tensor& tensor = *views_[i].tensor;
    const DType type = expr_.nodes[i].type;
    convert_elems(tensor.dtype, tensor.data, offset, tensor.dtype == type ? lane_type(type) : tensor.dtype, own_lanes(i), lane, n);
  }

  void load_input(size_t i, int64_t first, int64_t n) {
    InputView& view = views_[i];
    const DType type = expr_.nodes[i].type;
    const Tensor& tensor = *view.tensor;
    if (rows_.size() == 1) {  // dense: whole blocks are read in place
      const int size = bits_of(lane_type(type)) / 8;
      const bool in_place = tensor.dtype == lane_type(type) && n == kLanes && (tensor.dtype == type || is_float(type));
      lanes_[i] = in_place ? tensor.data + first * size : own_lanes(i);
      if (in_place) return;
      load(i, 0, first, n);
    } else {
      for (int64_t done = 0; done < n;) {
        const int64_t count = std::min(n - done, rows_.back() - view.column);
        if (view.strides.back() == 0) {
          load(i, done, view.row, 1);
          repeat_first(i, done, count);
        } else {
          load(i, done, view.row + view.column, count);
        }
        done += count;
        view.column += count;
        if (view.column == rows_.back()) next_row(view);
      }
    }
    if (tensor.dtype != type) wrap_lanes(type, own_lanes(i), n);
  }

  void next_row(InputView& view) const {
    view.column = 0;
    for (size_t d = rows_.size() - 1; d-- > 0;) {
      view.row += view.strides[d];
      if (++view.at[d] < rows_[d]) return;
      view.row -= view.strides[d] * rows_[d];
      view.at[d] = 0;
    }
  }

  void block(int64_t first, int64_t n) {
    for (size_t i = 0; i < count(); ++i) {
      if (!needed_[i]) continue;
      const ExprNode& node = expr_.nodes[i];
      if (node.fn == Fn::input && !is_fixed(i)) load_input(i, first, n);
      if (arity_of(node.fn) > 0) {
        const std::byte* args[3] = {};
        for (int k = 0; k < arity_of(node.fn); ++k) args[k] = lanes_[static_cast<size_t>(node.args[k])];
        compute_lanes(expr_, node, args, own_lanes(i), n);
      }
      for (size_t k = 0; k < out_.size(); ++k) {
        if (!is_result(k) || expr_.results[k] != static_cast<int>(i)) continue;
        convert_elems(lane_type(node.type), lanes_[i], 0, out_[k].dtype, out_[k].data, first, n);
      }
    }
  }

  const Expr& expr_;
  std::span<const Tensor> in_;
  std::span<Tensor> out_;
  Dims dims_, rows_;
  std::vector<bool> needed_;
  std::vector<InputView> views_;
  std::vector<size_t> slot_;
  std::vector<Slot> slots_;
  std::vector<const std::byte*> lanes_;
};

}  // namespace

Result<void> evaluate(const Expr& expr, std::span<const Tensor> in, std::span<Tensor> out) {
  TENON_OK(verify(expr));
  if (out.size() != expr.results.size()) return fail("an expression has {} results, got {} outputs", expr.results.size(), out.size());
  if (in.size() < static_cast<size_t>(expr.input_count()))
    return fail("an expression wants {} inputs, got {}", expr.input_count(), in.size());
  for (const Tensor& tensor : out)
    if (!is_real(tensor.dtype)) return fail("an expression cannot fill elements of type {}", to_string(tensor.dtype));
  for (size_t k = 0; k < out.size(); ++k) {
    const bool done = std::any_of(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(k),
                                  [&](const Tensor& earlier) { return earlier.dims == out[k].dims; });
    if (!done) TENON_OK(Evaluation(expr, in, out).run(k));
  }
  return {};
}

}  // namespace tenon
