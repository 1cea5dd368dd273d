#include "expect_list.h"

#include <algorithm>
#include <sstream>

#include "base/file.h"

namespace tenon::cli {

Result<ExpectList> read_expect_list(const std::string& path) {
  TENON_TRY(text, read_text(path));
  ExpectList out;
  std::istringstream lines(text);
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line.substr(0, line.find('#')));
    std::string name;
    if (!(words >> name)) continue;
    ExpectRow row;
    for (std::string word; words >> word;) {
      const size_t colon = word.find(':');
      Scanner value(colon == std::string::npos ? std::string_view() : std::string_view(word).substr(colon + 1));
      const auto rtol = value.real();
      if (!rtol.ok() || !value.at_end() || *rtol < 0) return fail("{}:{}: wanted backend:tolerance, got '{}'", path, number, word);
      row.rtol[word.substr(0, colon)] = *rtol;
      row.words += " " + word;
    }
    if (!out.emplace(name, std::move(row)).second) return fail("{}:{}: '{}' is listed twice", path, number, name);
  }
  return out;
}

Tolerance tolerance_of(const ExpectList& list, std::string_view name, std::string_view target, Tolerance otherwise) {
  const auto row = list.find(name);
  if (row == list.end()) return otherwise;
  auto rtol = row->second.rtol.find(target);
  if (rtol == row->second.rtol.end()) rtol = row->second.rtol.find("*");
  if (rtol != row->second.rtol.end()) otherwise.rtol = rtol->second;
  return otherwise;
}

Result<void> write_expect_list(const std::string& path, std::vector<std::string> names, const ExpectList& old) {
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) {
    const auto row = old.find(name);
    text += name + (row == old.end() ? "" : row->second.words) + "\n";
  }
  return write_file(path, view_of(text));
}

}  // namespace tenon::cli
