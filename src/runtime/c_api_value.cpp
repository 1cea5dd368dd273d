// The C interface: values.
#include "runtime/c_api.h"

using tenon::fail;
using tenon::HostValue;
using tenon::Result;
using tenon::c_api::copy_of;
using tenon::c_api::describe;
using tenon::c_api::give;
using tenon::c_api::guarded;
using tenon::c_api::need;
using tenon::c_api::wrap;

namespace {

Result<void> hand_out(HostValue value, tenon_value** out) {
  *out = new tenon_value{std::move(value)};
  return {};
}

Result<const tenon::Tensor*> tensor_of(const tenon_value* value) {
  TENON_OK(need(value, "value"));
  if (value->value.kind != HostValue::Kind::tensor) return fail("the value is no tensor");
  return &value->value.tensor;
}

/// A map shows two items, its keys and a sequence of its values; an absent value is an empty optional.
int64_t item_count(const HostValue& value) {
  switch (value.kind) {
    case HostValue::Kind::map: return 2;
    case HostValue::Kind::sequence:
    case HostValue::Kind::optional: return static_cast<int64_t>(value.items.size());
    case HostValue::Kind::absent:
    case HostValue::Kind::tensor: break;
  }
  return 0;
}

}  // namespace

tenon_status tenon_value_tensor(tenon_dtype dtype, int64_t rank, const int64_t* dims, const void* data, tenon_value** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(out, "out"));
    TENON_TRY(view, wrap(dtype, rank, dims, data));
    TENON_TRY(copy, copy_of(view));
    return hand_out(std::move(copy), out);
  });
}

tenon_status tenon_value_strings(int64_t rank, const int64_t* dims, const char* const* texts, const size_t* lengths, tenon_value** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(out, "out"));
    if (rank < 0 || rank > 1024) return fail("a tensor of rank {}", rank);
    if (rank > 0) TENON_OK(need(dims, "dims"));
    TENON_TRY(tensor, tenon::Tensor::allocate(tenon::DType::str, tenon::Dims(dims, dims + rank)));
    const auto strings = tensor.as<std::string>();
    if (!strings.empty()) {
      TENON_OK(need(texts, "texts"));
      TENON_OK(need(lengths, "lengths"));
    }
    for (size_t i = 0; i < strings.size(); ++i) {
      TENON_OK(need(texts[i], "texts[i]"));
      strings[i].assign(texts[i], lengths[i]);
    }
    return hand_out(std::move(tensor), out);
  });
}

tenon_status tenon_value_compound(tenon_kind kind, int64_t count, const tenon_value* const* items, tenon_value** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(out, "out"));
    if (count < 0) return fail("{} items", count);
    if (count > 0) TENON_OK(need(items, "items"));
    for (int64_t i = 0; i < count; ++i) {
      TENON_OK(need(items[i], "items[i]"));
      if (items[i]->value.tensor.on_device) return fail("item {} lies in a device's memory, a compound value in the host's", i);
    }
    HostValue value;
    switch (kind) {
      case TENON_KIND_SEQUENCE: value.kind = HostValue::Kind::sequence; break;
      case TENON_KIND_OPTIONAL:
        value.kind = HostValue::Kind::optional;
        if (count > 1) return fail("an optional holds none or one item, not {}", count);
        break;
      case TENON_KIND_MAP: {
        value.kind = HostValue::Kind::map;
        if (count != 2 || items[0]->value.kind != HostValue::Kind::tensor || items[1]->value.kind != HostValue::Kind::sequence)
          return fail("a map is made of a tensor of keys and a sequence of values");
        value.tensor = items[0]->value.tensor;
        value.items = items[1]->value.items;
        if (value.tensor.rank() != 1 || value.tensor.elems() != static_cast<int64_t>(value.items.size()))
          return fail("a map of {} values has keys of shape {}", value.items.size(), tenon::to_string(value.tensor.dims));
        return hand_out(std::move(value), out);
      }
      default: return fail("kind {} is made of no items", static_cast<int>(kind));
    }
    for (int64_t i = 0; i < count; ++i) value.items.push_back(items[i]->value);
    return hand_out(std::move(value), out);
  });
}

tenon_status tenon_value_share(const tenon_value* value, tenon_value** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(value, "value"));
    TENON_OK(need(out, "out"));
    return hand_out(value->value, out);
  });
}

void tenon_value_free(tenon_value* value) { delete value; }

tenon_status tenon_value_kind(const tenon_value* value, tenon_kind* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(value, "value"));
    TENON_OK(need(out, "out"));
    switch (value->value.kind) {
      case HostValue::Kind::tensor: *out = TENON_KIND_TENSOR; break;
      case HostValue::Kind::sequence: *out = TENON_KIND_SEQUENCE; break;
      case HostValue::Kind::map: *out = TENON_KIND_MAP; break;
      case HostValue::Kind::absent:
      case HostValue::Kind::optional: *out = TENON_KIND_OPTIONAL; break;
    }
    return {};
  });
}

tenon_status tenon_value_as_tensor(const tenon_value* value, tenon_tensor* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(out, "out"));
    TENON_TRY(tensor, tensor_of(value));
    tenon_tensor view;
    describe(*tensor, tenon::runtime::DevicePool::device_of(*tensor), view);
    return give(out, view);
  });
}

tenon_status tenon_value_string(const tenon_value* value, int64_t index, const char** text, size_t* bytes) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(text, "text"));
    TENON_OK(need(bytes, "bytes"));
    TENON_TRY(tensor, tensor_of(value));
    if (tensor->dtype != tenon::DType::str) return fail("the value's elements are {}, no strings", tenon::to_string(tensor->dtype));
    if (index < 0 || index >= tensor->elems()) return fail("element {} of {}", index, tensor->elems());
    const std::string& element = reinterpret_cast<const std::string*>(tensor->data)[index];
    *text = element.data();
    *bytes = element.size();
    return {};
  });
}

tenon_status tenon_value_count(const tenon_value* value, int64_t* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(value, "value"));
    TENON_OK(need(out, "out"));
    *out = item_count(value->value);
    return {};
  });
}

tenon_status tenon_value_item(const tenon_value* value, int64_t index, tenon_value** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(value, "value"));
    TENON_OK(need(out, "out"));
    const HostValue& whole = value->value;
    if (index < 0 || index >= item_count(whole)) return fail("item {} of {}", index, item_count(whole));
    if (whole.kind != HostValue::Kind::map) return hand_out(whole.items[static_cast<size_t>(index)], out);
    if (index == 0) return hand_out(whole.tensor, out);
    HostValue values;
    values.kind = HostValue::Kind::sequence;
    values.items = whole.items;
    return hand_out(std::move(values), out);
  });
}
