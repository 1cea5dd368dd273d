// The positive list of a test suite: names of the cases that are expected to pass, one a line, '#' begins a remark. Words after the
// name: "backend:rtol" or "backend:rtol:atol" replace the tolerances on a target ("*": on all), as in "test_mish cpu:1e-2".
#pragma once
#include <map>
#include <string>
#include <vector>

#include "values.h"

namespace tenon::cli {

struct ExpectRow {
  struct Words {
    double rtol = 0;
    std::optional<double> atol;
  };
  std::map<std::string, Words, std::less<>> tolerances;
};
using ExpectList = std::map<std::string, ExpectRow, std::less<>>;

Result<ExpectList> read_expect_list(const std::string& path);
/// The tolerance of a case on a target.
Tolerance tolerance_of(const ExpectList& list, std::string_view name, std::string_view target, Tolerance otherwise);
/// Sorted names. Of a file that is there already, the remarks at its beginning and what follows a name that stays are kept.
Result<void> write_expect_list(const std::string& path, std::vector<std::string> names);

}  // namespace tenon::cli
