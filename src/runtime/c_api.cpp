// The C interface: errors, engines. Values are in c_api_value.cpp, contexts in c_api_context.cpp.
#include "runtime/c_api.h"

#include "base/file.h"

namespace tenon::c_api {
namespace {

thread_local std::string last_error;

TenonPort port_of(const std::string& name, const ValueType& type) {
  TenonPort out{.name = name, .type_text = to_string(type), .type = type};
  if (type.is_tensor() && type.shape.has_rank())
    for (const Dim& dim : type.shape.dims()) {
      out.dims.push_back(dim.constant().value_or(-1));
      out.texts.push_back(to_string(dim));
    }
  return out;
}

/// Once the ports lie where they stay.
void point_at_texts(std::vector<TenonPort>& ports) {
  for (TenonPort& port : ports)
    for (const std::string& text : port.texts) port.text_pointers.push_back(text.c_str());
}

Log log_of(const tenon_load_options& options) {
  if (!options.log) return Log();
  const auto least = options.least_severity == 0 ? Severity::warning : static_cast<Severity>(options.least_severity);
  return Log(
      [function = options.log, user = options.log_user, least](Severity severity, std::string_view text) {
        if (severity <= least) function(user, static_cast<tenon_severity>(severity), std::string(text).c_str());
      },
      least);
}

tenon_load_options options_of(const tenon_load_options* given) {
  tenon_load_options out = {};
  if (given) std::memcpy(&out, given, std::min(given->size, sizeof(out)));
  return out;
}

runtime::LoadOptions load_options_of(const tenon_load_options& options) {
  return {.target = options.target ? options.target : "",
          .device = options.device ? options.device : "",
          .verify_weights = options.verify_weights != 0,
          .log = log_of(options)};
}

Result<void> hand_out(Result<std::shared_ptr<runtime::Engine>> loaded, tenon_engine** out) {
  TENON_TRY(engine, std::move(loaded));
  auto handle = std::make_unique<tenon_engine>();
  for (const engine::Port& port : engine->plan().main.inputs) handle->inputs.push_back(port_of(port.name, port.type));
  for (const engine::Port& port : engine->plan().main.outputs) handle->outputs.push_back(port_of(port.name, port.type));
  for (const engine::Blob& blob : engine->image().blobs)
    if (blob.root) handle->weights.push_back(port_of(blob.name, ValueType::tensor(blob.data.dtype, Shape::of(blob.data.dims))));
  for (auto* ports : {&handle->inputs, &handle->outputs, &handle->weights}) point_at_texts(*ports);
  handle->engine = std::move(engine);
  *out = handle.release();
  return {};
}

Result<void> give_info(const std::vector<TenonPort>& ports, int64_t index, tenon_io_info* out) {
  TENON_OK(need(out, "out"));
  if (index < 0 || index >= static_cast<int64_t>(ports.size())) return fail("index {} of {}", index, ports.size());
  const TenonPort& port = ports[static_cast<size_t>(index)];
  const bool ranked = port.type.is_tensor() && port.type.shape.has_rank();
  return give(out, tenon_io_info{.size = sizeof(tenon_io_info),
                                 .name = port.name.c_str(),
                                 .kind = static_cast<tenon_kind>(port.type.kind),
                                 .dtype = port.type.is_tensor() ? static_cast<tenon_dtype>(port.type.dtype) : TENON_DTYPE_NONE,
                                 .rank = ranked ? port.type.shape.rank() : -1,
                                 .dims = port.dims.data(),
                                 .dim_texts = port.text_pointers.data(),
                                 .type_text = port.type_text.c_str()});
}

}  // namespace

tenon_status remember(tenon_status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (const std::bad_alloc&) {
    last_error.clear();
  }
  return status;
}
tenon_status remember(const Error& error) noexcept {
  return remember(static_cast<tenon_status>(static_cast<int>(error.kind()) + 1), error.message().c_str());
}

Result<Tensor> wrap(tenon_dtype dtype, int64_t rank, const int64_t* dims, const void* data) {
  const auto type = dtype_of_onnx(dtype);
  if (!type || *type == DType::none) return fail("{} is no element type", static_cast<int>(dtype));
  if (*type == DType::str) return fail("strings are given as a value (tenon_value_strings)");
  if (rank < 0 || rank > 1024) return fail("a tensor of rank {}", rank);
  if (rank > 0) TENON_OK(need(dims, "dims"));
  Dims sizes(dims, dims + rank);
  TENON_TRY(elems, checked_elems(sizes));
  if (elems == 0) return Tensor::allocate(*type, std::move(sizes));
  TENON_OK(need(data, "data"));
  const auto align = static_cast<uintptr_t>(std::max(1, bits_of(*type) / (is_complex(*type) ? 16 : 8)));
  if (reinterpret_cast<uintptr_t>(data) % align != 0)
    return fail("the elements of type {} must be aligned to {} bytes", to_string(*type), align);
  return Tensor::wrap(*type, std::move(sizes), static_cast<std::byte*>(const_cast<void*>(data)));
}

Result<Tensor> copy_of(const Tensor& tensor) {
  TENON_TRY(out, Tensor::allocate(tensor.dtype, tensor.dims));
  if (tensor.dtype == DType::str)
    std::copy_n(reinterpret_cast<const std::string*>(tensor.data), tensor.elems(), reinterpret_cast<std::string*>(out.data));
  else if (tensor.bytes() > 0)
    std::memcpy(out.data, tensor.data, static_cast<size_t>(tensor.bytes()));
  return std::move(out);
}

void describe(const Tensor& tensor, const runtime::DeviceChoice& device, tenon_tensor& out) {
  const bool text = tensor.dtype == DType::str;
  out = {.size = sizeof(tenon_tensor),
         .dtype = static_cast<tenon_dtype>(tensor.dtype),
         .rank = tensor.rank(),
         .dims = tensor.dims.data(),
         .data = text ? nullptr : tensor.data,
         .bytes = text ? 0 : static_cast<size_t>(tensor.bytes()),
         .device_kind = tensor.on_device ? static_cast<tenon_device_kind>(device.kind) : TENON_DEVICE_CPU,
         .device_index = tensor.on_device ? static_cast<int32_t>(device.index) : 0};
}

}  // namespace tenon::c_api

using tenon::fail;
using tenon::Result;
using tenon::c_api::copy_of;
using tenon::c_api::give_info;
using tenon::c_api::guarded;
using tenon::c_api::hand_out;
using tenon::c_api::last_error;
using tenon::c_api::load_options_of;
using tenon::c_api::need;
using tenon::c_api::options_of;
using tenon::c_api::wrap;

const char* tenon_version(void) { return TENON_VERSION; }
const char* tenon_last_error(void) { return last_error.c_str(); }
const char* tenon_status_name(tenon_status status) {
  if (status == TENON_STATUS_OK) return "ok";
  if (status == TENON_STATUS_INTERNAL) return "internal";
  if (status < 0 || status > TENON_STATUS_CANCELLED) return "unknown";
  return tenon::to_string(static_cast<tenon::ErrorKind>(status - 1)).data();
}
const char* tenon_dtype_name(tenon_dtype dtype) {
  return tenon::to_string(tenon::dtype_of_onnx(dtype).value_or(tenon::DType::none)).data();
}
int32_t tenon_dtype_bits(tenon_dtype dtype) { return tenon::bits_of(tenon::dtype_of_onnx(dtype).value_or(tenon::DType::none)); }

tenon_status tenon_engine_load_file(const char* path, const tenon_load_options* options, tenon_engine** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(path, "path"));
    TENON_OK(need(out, "out"));
    return hand_out(tenon::runtime::Engine::load_file(path, load_options_of(options_of(options))), out);
  });
}

tenon_status tenon_engine_load_memory(const void* data, size_t bytes, const tenon_load_options* options, tenon_engine** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(data, "data"));
    TENON_OK(need(out, "out"));
    const tenon_load_options o = options_of(options);
    tenon::ByteView view(static_cast<const std::byte*>(data), bytes);
    std::shared_ptr<const void> owner;
    if (!o.borrow_memory) {
      if (bytes > static_cast<size_t>(INT64_MAX)) return fail("{} bytes", bytes);
      TENON_TRY(copy, copy_of(tenon::Tensor::wrap(tenon::DType::u8, {static_cast<int64_t>(bytes)},
                                                  static_cast<std::byte*>(const_cast<void*>(data)))));
      view = copy.view();
      owner = copy.owner;
    } else if (reinterpret_cast<uintptr_t>(data) % 64 != 0) {
      return fail("borrowed memory of an engine must be aligned to 64 bytes");
    }
    return hand_out(tenon::runtime::Engine::load(view, std::move(owner), load_options_of(o)), out);
  });
}

void tenon_engine_free(tenon_engine* engine) { delete engine; }

tenon_status tenon_engine_io_count(const tenon_engine* engine, tenon_io io, int64_t* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    *out = static_cast<int64_t>(engine->ports(io).size());
    return {};
  });
}
tenon_status tenon_engine_io_info(const tenon_engine* engine, tenon_io io, int64_t index, tenon_io_info* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    return give_info(engine->ports(io), index, out);
  });
}
tenon_status tenon_engine_io_index(const tenon_engine* engine, tenon_io io, const char* name, int64_t* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(name, "name"));
    TENON_OK(need(out, "out"));
    const std::vector<TenonPort>& ports = engine->ports(io);
    std::vector<std::string> names;
    for (size_t i = 0; i < ports.size(); ++i) {
      if (ports[i].name == name) {
        *out = static_cast<int64_t>(i);
        return {};
      }
      names.push_back("'" + ports[i].name + "'");
    }
    return fail(tenon::ErrorKind::not_found, "the engine has no {} '{}', it has: {}", io == TENON_IO_INPUT ? "input" : "output", name,
                tenon::join(names, ", "));
  });
}

tenon_status tenon_engine_target_count(const tenon_engine* engine, int64_t* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    *out = static_cast<int64_t>(engine->engine->image().plans.size());
    return {};
  });
}
tenon_status tenon_engine_target_name(const tenon_engine* engine, int64_t index, const char** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    const auto& plans = engine->engine->image().plans;
    if (index < 0 || index >= static_cast<int64_t>(plans.size())) return fail("target {} of {}", index, plans.size());
    *out = plans[static_cast<size_t>(index)].target.c_str();
    return {};
  });
}
tenon_status tenon_engine_target(const tenon_engine* engine, const char** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    *out = engine->engine->plan().target.c_str();
    return {};
  });
}

tenon_status tenon_engine_weight_count(const tenon_engine* engine, int64_t* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    *out = static_cast<int64_t>(engine->weights.size());
    return {};
  });
}
tenon_status tenon_engine_weight_info(const tenon_engine* engine, int64_t index, tenon_io_info* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    return give_info(engine->weights, index, out);
  });
}
tenon_status tenon_engine_refit(tenon_engine* engine, const char* name, tenon_dtype dtype, int64_t rank, const int64_t* dims,
                                const void* data) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(name, "name"));
    TENON_TRY(tensor, wrap(dtype, rank, dims, data));
    return engine->engine->refit(name, tensor);
  });
}
tenon_status tenon_engine_serialize(const tenon_engine* engine, void** data, size_t* bytes) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(data, "data"));
    TENON_OK(need(bytes, "bytes"));
    TENON_TRY(file, engine->engine->serialize());
    void* copy = std::malloc(file.size());
    if (!copy) return fail(tenon::ErrorKind::out_of_memory, "no memory for the {} bytes of the engine", file.size());
    std::memcpy(copy, file.data(), file.size());
    *data = copy;
    *bytes = file.size();
    return {};
  });
}
void tenon_free(void* data) { std::free(data); }
