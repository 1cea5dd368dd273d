#include "onnx/model.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "onnx/external.h"
#include "onnx/read.h"

namespace tenon::onnx {

std::string_view to_string(AttributeType type) {
  static constexpr std::array<std::string_view, 15> names = {"undefined",      "f",          "i",          "s",
                                                             "tensor",         "graph",      "floats",     "ints",
                                                             "strings",        "tensors",    "graphs",     "sparse_tensor",
                                                             "sparse_tensors", "type_proto", "type_protos"};
  return names[static_cast<size_t>(type)];
}

const GraphView* AttributeView::graph() const { return graphs.empty() ? nullptr : graphs.data(); }

const AttributeView* NodeView::find(std::string_view attribute) const {
  const auto found = std::ranges::find(attributes, attribute, &AttributeView::name);
  return found == attributes.end() ? nullptr : &*found;
}

Result<int64_t> TensorView::elems() const {
  if (std::ranges::find(dims, 0) != dims.end()) return int64_t{0};  // first: the product of the others may be too large
  int64_t count = 1;
  for (const int64_t dim : dims)
    if (__builtin_mul_overflow(count, dim, &count))
      return fail(ErrorKind::invalid_model, "tensor '{}': the product of its dims exceeds 64 bits", name);
  return count;
}

Result<Model> read_model(ByteView bytes, std::shared_ptr<const void> keep_alive, std::string folder) {
  TENON_TRY(model, read_whole<Model>(bytes, read));
  model.files = std::make_shared<ExternalFiles>(folder);
  model.folder = std::move(folder);
  model.keep_alive = std::move(keep_alive);
  return std::move(model);
}

Result<Model> read_model_file(const std::string& path) {
  TENON_TRY(file, MappedFile::open(path));
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  auto model = read_model(file->bytes(), file, folder);
  if (!model.ok()) return std::move(model.error()).within(strf("reading '{}'", path));
  return model;
}

}  // namespace tenon::onnx
