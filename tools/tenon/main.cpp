// tenon: builds, runs, measures, tests and shows engines. One file per verb.
#include <cstdio>
#include <new>

#include "verb.h"

namespace {

using namespace tenon;
using namespace tenon::cli;

/// Detail first, what went wrong in the last line.
void print_error(std::string_view message) {
  const size_t end = message.find('\n');
  if (end != std::string_view::npos) std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size() - end - 1), message.data() + end + 1);
  const std::string_view first = message.substr(0, end);
  std::fprintf(stderr, "tenon: error: %.*s\n", static_cast<int>(first.size()), first.data());
}

int run(int argc, char** argv) {
  Outcome outcome;
  std::string usage_error;
  if (const auto code = parse(argc, argv, outcome, usage_error)) {
    if (!usage_error.empty()) print_error(usage_error + " (see tenon --help)");
    return *code;
  }
  if (outcome.status.ok()) return *outcome.status;
  const Error& error = outcome.status.error();
  std::fflush(stdout);
  if (outcome.json) print_json({{"error", {{"kind", to_string(error.kind())}, {"message", error.message()}}}});
  print_error(error.message());
  return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
  } catch (const std::exception& error) {  // of the libraries that the tools use; Tenon's own functions throw nothing
    print_error(error.what());
  }
  return kFailed;
}
