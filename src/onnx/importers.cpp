#include <algorithm>
#include <vector>

#include "onnx/importer.h"

namespace tenon::onnx {

#define TENON_IMPORT(domain, op, since, function) Result<Values> function(NodeImport& n);
#include "onnx/importers.def"
#undef TENON_IMPORT

namespace {

struct Row {
  std::string_view domain, op;
  int64_t since = 1;
  ImportFunction function = nullptr;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> sorted = [] {
    std::vector<Row> rows = {
#define TENON_IMPORT(domain, op, since, function) {domain, #op, since, function},
#include "onnx/importers.def"
#undef TENON_IMPORT
    };
    std::ranges::sort(rows, {}, [](const Row& row) { return std::tuple(row.op, row.domain, row.since); });
    return rows;
  }();
  return sorted;
}

}  // namespace

ImportFunction find_importer(std::string_view domain, std::string_view op_type, int64_t opset) {
  const auto after = std::ranges::upper_bound(rows(), std::tuple(op_type, domain, opset), {},
                                              [](const Row& row) { return std::tuple(row.op, row.domain, row.since); });
  if (after == rows().begin()) return nullptr;
  const Row& row = *std::prev(after);
  return row.op == op_type && row.domain == domain ? row.function : nullptr;
}

}  // namespace tenon::onnx
