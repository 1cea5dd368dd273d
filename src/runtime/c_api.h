// What the C interface's files share: the handles, and the guard that turns results and exceptions into a status and a message.
#pragma once
#include <new>

#include "runtime/context.h"
#include "tenon/c.h"

/// An io or a weight as C sees it: pointers into this struct.
struct TenonPort {
  std::string name, type_text;
  tenon::ValueType type;
  std::vector<int64_t> dims;
  std::vector<std::string> texts;
  std::vector<const char*> text_pointers;
};

struct tenon_engine {
  std::shared_ptr<tenon::runtime::Engine> engine;
  std::vector<TenonPort> inputs, outputs, weights;
  mutable std::mutex mutex;                                  // guards pool
  mutable std::shared_ptr<tenon::runtime::DevicePool> pool;  // of values that are copied to the device; made when it is first needed
  const std::vector<TenonPort>& ports(tenon_io io) const { return io == TENON_IO_INPUT ? inputs : outputs; }
};

struct tenon_value {
  tenon::HostValue value;
};

struct tenon_context {
  std::shared_ptr<tenon::runtime::Engine> engine;
  std::unique_ptr<tenon::runtime::Context> context;
  std::vector<bool> callers_memory;           // of each output: what the next run writes to
  std::optional<std::vector<bool>> last_run;  // the same of the last run; none where there are no results
};

namespace tenon::c_api {

tenon_status remember(const Error& error) noexcept;
tenon_status remember(tenon_status status, const char* message) noexcept;

/// Runs f, which returns Result<void>; no exception leaves.
template <class F>
tenon_status guarded(F&& f) noexcept {
  try {
    if (auto done = f(); !done.ok()) return remember(done.error());
    return TENON_STATUS_OK;
  } catch (const std::bad_alloc&) {
    return remember(TENON_STATUS_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return remember(TENON_STATUS_INTERNAL, e.what());
  }
}

/// Errors: a pointer that must not be null is.
inline Result<void> need(const void* pointer, std::string_view name) {
  if (!pointer) return fail("argument '{}' is null", name);
  return {};
}

/// A view of the caller's elements. Errors: no such type, strings, negative dims, a null or misaligned pointer.
Result<Tensor> wrap(tenon_dtype dtype, int64_t rank, const int64_t* dims, const void* data);
Result<Tensor> copy_of(const Tensor& tensor);
/// A copy of the members that the caller's version of the struct has.
template <class T>
Result<void> give(T* to, T from) {
  const size_t size = to->size;
  if (size < sizeof(size_t)) return fail("the struct's size field is {}, set it to sizeof the struct", size);
  std::memcpy(static_cast<void*>(to), &from, std::min(size, sizeof(T)));
  to->size = size;
  return {};
}
/// `device`: of tensors that lie in the memory of one.
void describe(const Tensor& tensor, const runtime::DeviceChoice& device, tenon_tensor& out);
Result<size_t> input_index(const tenon_context* context, int64_t index);
Result<size_t> output_index(const tenon_context* context, int64_t index);
/// The caller's memory for an output; null: the context's own again.
Result<void> set_output(tenon_context* context, size_t index, void* data, size_t bytes, bool on_device);

}  // namespace tenon::c_api
