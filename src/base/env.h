// The one door to the environment: typed access to the rows of env.def.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

struct Knob {
  std::string_view name;      // "log"
  std::string_view variable;  // "TENON_LOG"
  std::string value;          // as set, or the default
  std::string_view fallback;
  std::string_view help;
  bool set = false;
};

/// All knobs in the order of env.def, read from the environment at first use.
const std::vector<Knob>& knobs();
/// The value of a row of env.def.
const std::string& knob(std::string_view name);
int64_t knob_int(std::string_view name);
/// Where compiled kernels and timings are kept between builds: TENON_CACHE, else the user's cache folder; empty: nowhere.
const std::string& cache_folder();

}  // namespace tenon
