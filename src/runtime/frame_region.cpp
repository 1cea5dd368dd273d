// If, Loop and Scan: bodies run in frames of their own; carried values move from one iteration's outputs to the next one's inputs.
#include <algorithm>
#include <cstring>

#include "runtime/frame.h"
#include "runtime/frame_parts.h"

namespace tenon::runtime {
namespace {

Result<int64_t> scalar_of(const HostValue& value, std::string_view what) {
  if (value.kind != HostValue::Kind::tensor || value.tensor.elems() != 1 || value.tensor.dtype == DType::str)
    return fail("the {} must be one number", what);
  return element_as_int(value.tensor, 0);
}

HostValue scalar_value(DType dtype, int64_t value) { return HostValue(scalar_tensor(dtype, static_cast<double>(value))); }

/// Element `at` of `axis`, as a tensor of its own.
Result<Tensor> take(const Tensor& in, int64_t axis, int64_t at) {
  Dims dims = in.dims;
  dims.erase(dims.begin() + axis);
  TENON_TRY(out, Tensor::allocate(in.dtype, dims));
  const int64_t outer = elems_of(std::span(in.dims).first(static_cast<size_t>(axis)));
  const int64_t inner = elems_of(std::span(in.dims).subspan(static_cast<size_t>(axis) + 1)), length = in.dims[static_cast<size_t>(axis)];
  if (in.dtype == DType::str) {
    const auto from = in.as<std::string>();
    for (int64_t o = 0; o < outer; ++o)
      std::copy_n(from.begin() + (o * length + at) * inner, inner, out.as<std::string>().begin() + o * inner);
    return out;
  }
  const int64_t row = bytes_of(in.dtype, inner);
  for (int64_t o = 0; o < outer && row; ++o) std::memcpy(out.data + o * row, in.data + (o * length + at) * row, static_cast<size_t>(row));
  return out;
}

/// Equal tensors stacked along a new axis.
Result<HostValue> stack(const std::vector<HostValue>& parts, const ValueType& type, int64_t axis, bool reversed) {
  Dims dims;
  if (!parts.empty()) {
    dims = parts[0].tensor.dims;
  } else if (type.shape.has_rank()) {  // no iteration: the other dims are what the plan knows of them, else 0
    for (int64_t d = 0; d < type.shape.rank(); ++d)
      if (d != axis) dims.push_back(type.shape[d].constant().value_or(0));
  }
  const auto rank = static_cast<int64_t>(dims.size()) + 1;
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return fail("the scan axis {} is outside a rank of {}", axis, rank);
  for (const HostValue& part : parts)
    if (part.kind != HostValue::Kind::tensor || part.tensor.dims != dims || part.tensor.dtype != parts[0].tensor.dtype)
      return fail("the shape of a scan output changes from {} to {}", to_string(dims), to_string(part.tensor.dims));
  const int64_t outer = elems_of(std::span(dims).first(static_cast<size_t>(axis)));
  const int64_t inner = elems_of(std::span(dims).subspan(static_cast<size_t>(axis)));
  const auto count = static_cast<int64_t>(parts.size());
  dims.insert(dims.begin() + axis, count);
  TENON_TRY(out, Tensor::allocate(parts.empty() ? type.dtype : parts[0].tensor.dtype, dims));
  const int64_t row = bytes_of(out.dtype, inner);
  for (int64_t i = 0; i < count; ++i) {
    const Tensor& part = parts[static_cast<size_t>(reversed ? count - 1 - i : i)].tensor;
    for (int64_t o = 0; o < outer; ++o) {
      if (out.dtype == DType::str) {
        std::copy_n(part.as<std::string>().begin() + o * inner, inner, out.as<std::string>().begin() + (o * count + i) * inner);
      } else if (row) {
        std::memcpy(out.data + (o * count + i) * row, part.data + o * row, static_cast<size_t>(row));
      }
    }
  }
  return HostValue(std::move(out));
}

}  // namespace

Result<void> Frame::run_region(const engine::Region& region) {
  TENON_OK(queues_.synchronize());
  std::vector<HostValue> in, out;
  for (const engine::Operand& operand : region.in) {
    TENON_TRY(value, load(operand));
    if (value.tensor.on_device) {  // bodies begin on the host
      TENON_TRY(copy, downloaded(value.tensor));
      value.tensor = std::move(copy);
    }
    in.push_back(std::move(value));
  }
  switch (region.kind) {
    case engine::RegionKind::branch: TENON_OK(run_branch(region, std::move(in), out)); break;
    case engine::RegionKind::loop: TENON_OK(run_loop(region, std::move(in), out)); break;
    case engine::RegionKind::scan: TENON_OK(run_scan(region, std::move(in), out)); break;
  }
  if (out.size() != region.out.size())
    return fail(ErrorKind::bad_engine, "the region gives {} values, {} are wanted", out.size(), region.out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    if (region.out[i].buffer < 0) continue;
    if (body_.buffers[static_cast<size_t>(region.out[i].buffer)].kind != engine::BufferKind::slot)
      return fail(ErrorKind::bad_engine, "a region's output has no slot");
    if (out[i].kind == HostValue::Kind::tensor && !out[i].tensor.owner) {  // a capture in an arena, shown through: it may be overwritten
      TENON_TRY(copy, clone(out[i].tensor));
      out[i].tensor = std::move(copy);
    }
    stored_[static_cast<size_t>(region.out[i].buffer)] = out[i];
  }
  return bind_defines(region.defines, region.out, out);
}

Result<void> Frame::run_body(const engine::Body& body, std::span<const HostValue> in, std::vector<HostValue>& out) {
  std::unique_ptr<Frame>& child = children_[&body];
  if (!child) child = std::make_unique<Frame>(engine_, body, queues_);
  out.clear();
  return child->run(*weights_, in, values_, out);
}

Result<void> Frame::run_branch(const engine::Region& region, std::vector<HostValue> in, std::vector<HostValue>& out) {
  TENON_TRY(condition, scalar_of(in[0], "condition of If"));
  return run_body(region.bodies[condition ? 0 : 1], std::span(in).subspan(1), out);
}

Result<void> Frame::run_loop(const engine::Region& region, std::vector<HostValue> in, std::vector<HostValue>& out) {
  int64_t trips = INT64_MAX;
  bool more = true;
  if (in[0].kind != HostValue::Kind::absent) {
    TENON_TRY(count, scalar_of(in[0], "trip count of Loop"));
    trips = count;
  }
  if (in[1].kind != HostValue::Kind::absent) {
    TENON_TRY(condition, scalar_of(in[1], "condition of Loop"));
    more = condition != 0;
  }
  const size_t carried = in.size() - 2 - static_cast<size_t>(region.captures);
  const size_t scans = region.out.size() - carried;
  std::vector<std::vector<HostValue>> collected(scans);
  std::vector<HostValue> results;
  for (int64_t i = 0; i < trips && more; ++i) {
    in[0] = scalar_value(DType::i64, i);
    in[1] = scalar_value(DType::boolean, 1);
    TENON_OK(run_body(region.bodies[0], in, results));
    TENON_TRY(condition, scalar_of(results[0], "condition that a Loop's body computes"));
    more = condition != 0;
    for (size_t k = 0; k < carried; ++k) in[2 + k] = results[1 + k];
    for (size_t k = 0; k < scans; ++k) collected[k].push_back(results[1 + carried + k]);
  }
  out.assign(in.begin() + 2, in.begin() + 2 + static_cast<std::ptrdiff_t>(carried));
  for (size_t k = 0; k < scans; ++k) {
    TENON_TRY(stacked, stack(collected[k], region.out[carried + k].type, 0, false));
    out.push_back(std::move(stacked));
  }
  return {};
}

Result<void> Frame::run_scan(const engine::Region& region, std::vector<HostValue> in, std::vector<HostValue>& out) {
  const auto scanned = static_cast<size_t>(region.scan_inputs);
  const size_t carried = in.size() - scanned - static_cast<size_t>(region.captures);
  const size_t scans = region.out.size() - carried;
  int64_t trips = -1;
  std::vector<int64_t> axes;
  for (size_t k = 0; k < scanned; ++k) {
    if (in[carried + k].kind != HostValue::Kind::tensor) return fail("scanned input {} is no tensor", k);
    const Tensor& tensor = in[carried + k].tensor;
    TENON_TRY(axis, normalize_axis(region.in_axes[k], tensor.rank()));
    const int64_t length = tensor.dims[static_cast<size_t>(axis)];
    if (trips >= 0 && trips != length) return fail("scanned inputs have {} and {} elements", trips, length);
    trips = length;
    axes.push_back(axis);
  }
  const std::vector<HostValue> whole(in.begin() + static_cast<std::ptrdiff_t>(carried),
                                     in.begin() + static_cast<std::ptrdiff_t>(carried + scanned));
  std::vector<std::vector<HostValue>> collected(scans);
  std::vector<HostValue> results;
  for (int64_t i = 0; i < trips; ++i) {
    for (size_t k = 0; k < scanned; ++k) {
      TENON_TRY(slice, take(whole[k].tensor, axes[k], region.in_reversed[k] ? trips - 1 - i : i));
      in[carried + k] = HostValue(std::move(slice));
    }
    TENON_OK(run_body(region.bodies[0], in, results));
    for (size_t k = 0; k < carried; ++k) in[k] = results[k];
    for (size_t k = 0; k < scans; ++k) collected[k].push_back(results[carried + k]);
  }
  out.assign(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(carried));
  for (size_t k = 0; k < scans; ++k) {
    TENON_TRY(stacked, stack(collected[k], region.out[carried + k].type, region.out_axes[k], region.out_reversed[k] != 0));
    out.push_back(std::move(stacked));
  }
  return {};
}

}  // namespace tenon::runtime
