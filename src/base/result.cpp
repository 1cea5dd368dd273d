#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace tenon {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument: return "invalid argument";
    case ErrorKind::invalid_model: return "invalid model";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::bad_engine: return "bad engine";
    case ErrorKind::not_found: return "not found";
    case ErrorKind::io: return "i/o error";
    case ErrorKind::out_of_memory: return "out of memory";
    case ErrorKind::cancelled: return "cancelled";
  }
  return "error";
}

void check_failed(const char* file, int line, const char* condition, const std::string& values) {
  std::fprintf(stderr, "tenon: a check of ours failed, please report it: %s:%d: %s  %s\n", file, line, condition, values.c_str());
  std::abort();
}

}  // namespace tenon
