// Result<T>: a value, or an Error that says where, what was found, what was wanted and what to do.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/format.h"

namespace tenon {

enum class ErrorKind : uint8_t {
  invalid_argument,  // the caller's values are wrong
  invalid_model,     // the ONNX file breaks the specification
  unsupported,       // the model is fine, Tenon lacks something
  bad_engine,        // the engine file is damaged or of another version
  not_found,         // a file, a tensor, a device
  io,                // reading or writing failed
  out_of_memory,
  cancelled,
};
std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::invalid_argument;
  std::string message;

  /// Adds who was at work, while unwinding: "importing node 'conv1' (Conv): <message>".
  Error within(std::string_view who) && { return {kind, std::string(who) + ": " + message}; }
};

template <class... Args>
Error fail(ErrorKind kind, fmt::format_string<Args...> text, Args&&... args) {
  return {kind, strf(text, std::forward<Args>(args)...)};
}
template <class... Args>
Error fail(fmt::format_string<Args...> text, Args&&... args) {
  return {ErrorKind::invalid_argument, strf(text, std::forward<Args>(args)...)};
}

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& values);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() { return value(); }
  const T& operator*() const { return const_cast<Result*>(this)->value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &const_cast<Result*>(this)->value(); }
  Error& error() { return *std::get_if<1>(&state_); }
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  T& value() {
    if (!ok()) check_failed(__FILE__, __LINE__, "Result::ok()", error().message);
    return *std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}
  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  Error& error() { return error_; }
  const Error& error() const { return error_; }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace tenon

/// TENON_TRY(x, f()): returns f()'s error from the enclosing function, else names its value x.
#define TENON_TRY(name, ...)                                        \
  auto name##_result = (__VA_ARGS__);                               \
  if (!name##_result.ok()) return std::move(name##_result).error(); \
  auto& name = *name##_result
/// TENON_OK(f()): returns f()'s error from the enclosing function.
#define TENON_OK(...)                                                     \
  do {                                                                    \
    auto tenon_ok_result = (__VA_ARGS__);                                 \
    if (!tenon_ok_result.ok()) return std::move(tenon_ok_result).error(); \
  } while (false)
/// TENON_CHECK(i < n, "i={} n={}", i, n): an invariant of ours; prints the values and aborts. No input may reach one.
#define TENON_CHECK(condition, ...)                                                         \
  do {                                                                                      \
    if (!(condition)) [[unlikely]]                                                          \
      ::tenon::check_failed(__FILE__, __LINE__, #condition, ::tenon::strf("" __VA_ARGS__)); \
  } while (false)
