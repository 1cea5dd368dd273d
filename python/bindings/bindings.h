// What the files of the extension share. The extension knows the public headers only; everything that NumPy's dtypes need beyond
// DLPack's is decided in Python (tenon/dtypes.py), which passes element types as ONNX numbers.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <tenon/build.h>

#include <stdexcept>

namespace bindings {

namespace nb = nanobind;

/// An error of the core on its way to Python, where it becomes a subclass of tenon.Error.
struct Failure : std::runtime_error {
  tenon::ErrorKind kind;
  explicit Failure(const tenon::Error& error) : std::runtime_error(error.message), kind(error.kind) {}
};

inline void expect(const tenon::Status& status) {
  if (!status) throw Failure(status.error());
}
inline void expect(tenon_status status) {
  if (status != TENON_STATUS_OK) throw Failure({static_cast<tenon::ErrorKind>(status), tenon_last_error()});
}
template <class T>
T take(tenon::Result<T> result) {
  if (!result) throw Failure(result.error());
  return *std::move(result);
}

/// Any array on the CPU: NumPy, or what has __dlpack__.
using Array = nb::ndarray<nb::ro, nb::device::cpu, nb::c_contig>;

/// Any array, wherever it lies.
using DeviceArray = nb::ndarray<nb::ro>;

/// A logger that calls `log(severity number, text)` if it is not None. An exception that it raises is printed and dropped.
tenon::Logger logger_of(nb::object log);

void bind_value(nb::module_& m);
void bind_engine(nb::module_& m);
void bind_builder(nb::module_& m);

}  // namespace bindings
