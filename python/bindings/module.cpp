// The module tenon._core: errors and loggers.
#include "bindings.h"

namespace bindings {

tenon::Logger logger_of(nb::object log) {
  if (log.is_none()) return {};
  // The core copies and drops the callback on threads that may not hold the interpreter's lock.
  auto shared = std::shared_ptr<nb::object>(new nb::object(std::move(log)), [](nb::object* function) {
    const nb::gil_scoped_acquire lock;
    delete function;
  });
  return {.callback =
              [shared](tenon::Severity severity, std::string_view text) {
                const nb::gil_scoped_acquire lock;
                try {
                  (*shared)(static_cast<int>(severity), nb::str(text.data(), text.size()));
                } catch (nb::python_error& error) {
                  error.discard_as_unraisable(*shared);
                }
              },
          .least = tenon::Severity::verbose};
}

}  // namespace bindings

NB_MODULE(_core, m) {
  namespace nb = nanobind;
  nb::register_exception_translator(
      [](const std::exception_ptr& pointer, void*) {
        try {
          std::rethrow_exception(pointer);
        } catch (const bindings::Failure& failure) {
          const nb::object type = nb::module_::import_("tenon.errors").attr("error_type")(static_cast<int>(failure.kind));
          PyErr_SetString(type.ptr(), failure.what());
        }
      },
      nullptr);
  m.def("version", [] { return tenon_version(); });
  bindings::bind_value(m);
  bindings::bind_engine(m);
  bindings::bind_builder(m);
}
