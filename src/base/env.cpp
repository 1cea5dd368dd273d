#include "base/env.h"

#include <cstdlib>

#include "base/result.h"

namespace tenon {
namespace {

struct Row {
  std::string_view name, fallback, help;
};
constexpr Row kRows[] = {
#define TENON_ENV(name, fallback, help) {#name, fallback, help},
#include "base/env.def"
#undef TENON_ENV
};

std::string variable_name(std::string_view name) {
  std::string out = "TENON_";
  for (const char c : name) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

/// The one door: nothing else reads the environment.
const char* variable(const char* name) { return std::getenv(name); }

std::vector<Knob> read_knobs() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Row& row : kRows) out.push_back(variable_name(row.name));
    return out;
  }();
  std::vector<Knob> out;
  for (size_t i = 0; i < names.size(); ++i) {
    const char* value = variable(names[i].c_str());
    out.push_back(
        {kRows[i].name, names[i], std::string(value ? value : kRows[i].fallback), kRows[i].fallback, kRows[i].help, value != nullptr});
  }
  return out;
}

}  // namespace

const std::vector<Knob>& knobs() {
  static const std::vector<Knob> all = read_knobs();
  return all;
}

const std::string& knob(std::string_view name) {
  for (const Knob& row : knobs())
    if (row.name == name) return row.value;
  check_failed(__FILE__, __LINE__, "a row of env.def", std::string(name));
}

const std::string& cache_folder() {
  static const std::string folder = [] {
    for (const Knob& row : knobs())
      if (row.name == "cache" && row.set) return row.value;
    if (const char* cache = variable("XDG_CACHE_HOME"); cache && *cache) return std::string(cache) + "/tenon";
    const char* home = variable("HOME");
    return home && *home ? std::string(home) + "/.cache/tenon" : std::string();
  }();
  return folder;
}

int64_t knob_int(std::string_view name) { return std::strtoll(knob(name).c_str(), nullptr, 10); }

}  // namespace tenon
