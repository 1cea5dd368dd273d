// A value of the C interface in Python's hands.
#pragma once
#include "bindings.h"

namespace bindings {

class Value {
 public:
  explicit Value(tenon_value* owned) : handle_(owned) {}
  tenon_value* get() const { return handle_.get(); }
  tenon_tensor tensor() const;

 private:
  struct Free {
    void operator()(tenon_value* value) const { tenon_value_free(value); }
  };
  std::unique_ptr<tenon_value, Free> handle_;
};

/// The element type under which DLPack knows a type; sub-byte types: bytes.
nb::dlpack::dtype dlpack_type(tenon_dtype dtype);
/// The type with as many bits that NumPy has too.
nb::dlpack::dtype carrier(tenon_dtype dtype);
nb::tuple to_tuple(std::span<const int64_t> dims);

}  // namespace bindings
