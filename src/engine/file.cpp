#include "engine/file.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace tenon::engine {
namespace {

constexpr std::string_view kMagic = "TENON\r\n\x1a";  // line ends that a text transfer would change
constexpr size_t kAlign = 64;                         // of every section and every blob
constexpr size_t kHeaderBytes = 24, kRowBytes = 56, kNameBytes = 32;
constexpr uint64_t kMaxSections = 1024;

/// A row of the "blobs" section; offsets count from the start of the "data" section.
struct BlobRow {
  std::string name;
  bool root = false;
  DType dtype = DType::none;
  std::vector<int64_t> dims;
  int64_t offset = 0, bytes = 0;
  std::string checksum;
  static constexpr std::string_view kName = "Blob";
  static constexpr auto kFields =
      Fields{Field{1, "name", &BlobRow::name},        Field{2, "root", &BlobRow::root},     Field{3, "dtype", &BlobRow::dtype},
             Field{4, "dims", &BlobRow::dims},        Field{5, "offset", &BlobRow::offset}, Field{6, "bytes", &BlobRow::bytes},
             Field{7, "checksum", &BlobRow::checksum}};
};

struct Section {
  std::string name;
  Bytes bytes;
};

uint64_t aligned(uint64_t offset) { return (offset + kAlign - 1) / kAlign * kAlign; }

std::string checksum_text(ByteView bytes) { return strf("{:016x}", hash_bytes(bytes)); }

Bytes encode_strings(const Tensor& tensor) {
  ByteWriter out;
  for (const std::string& s : tensor.as<std::string>()) out.text(s);
  return std::move(out.bytes());
}

Result<Tensor> decode_strings(Dims dims, ByteView bytes) {
  TENON_TRY(elems, checked_elems(dims));
  if (elems > static_cast<int64_t>(bytes.size())) return fail(ErrorKind::bad_engine, "{} strings in {} bytes", elems, bytes.size());
  TENON_TRY(out, Tensor::allocate(DType::str, std::move(dims)));
  ByteReader in(bytes);
  for (std::string& s : out.as<std::string>()) {
    TENON_TRY(text, in.text());
    s = std::string(text);
  }
  return out;
}

}  // namespace

const Blob* Image::find_blob(std::string_view name) const {
  for (const Blob& blob : blobs)
    if (blob.name == name) return &blob;
  return nullptr;
}

const Plan* Image::find_plan(std::string_view target) const {
  for (const Plan& plan : plans)
    if (plan.target == target) return &plan;
  return nullptr;
}

Result<Bytes> write_engine(const Image& image) {
  // Blobs are copied once, into the file: they may be most of the memory that there is.
  std::vector<Bytes> strings;
  std::vector<BlobRow> rows;
  const auto content = [&](size_t i) {
    return image.blobs[i].data.dtype == DType::str ? ByteView(strings[i]) : image.blobs[i].data.view();
  };
  uint64_t data_bytes = 0;
  for (const Blob& blob : image.blobs) {
    strings.push_back(blob.data.dtype == DType::str ? encode_strings(blob.data) : Bytes());
    const ByteView bytes = content(rows.size());
    data_bytes = aligned(data_bytes);
    rows.push_back({blob.name, blob.root, blob.data.dtype, blob.data.dims, static_cast<int64_t>(data_bytes),
                    static_cast<int64_t>(bytes.size()), checksum_text(bytes)});
    data_bytes += bytes.size();
  }
  std::vector<Section> sections;
  const ByteView graph = view_of(image.graph), report = view_of(image.report);
  sections.push_back({"graph", Bytes(graph.begin(), graph.end())});
  sections.push_back({"blobs", to_bytes(rows)});
  for (const Plan& plan : image.plans) sections.push_back({"plan:" + plan.target, to_bytes(plan)});
  sections.push_back({"report", Bytes(report.begin(), report.end())});
  sections.push_back({"data", {}});

  ByteWriter out;
  out.raw(view_of(kMagic));
  out.fixed64(kFormatVersion);
  out.fixed64(sections.size());
  uint64_t end = kHeaderBytes + sections.size() * kRowBytes + 8;
  for (const Section& section : sections) {
    if (section.name.size() > kNameBytes) return fail("the target name '{}' has more than {} characters", section.name, kNameBytes - 5);
    const bool is_data = section.name == "data";
    const uint64_t offset = aligned(end), bytes = is_data ? data_bytes : section.bytes.size();
    Bytes name(kNameBytes);
    std::memcpy(name.data(), section.name.data(), section.name.size());
    out.raw(name);
    out.fixed64(offset);
    out.fixed64(bytes);
    out.fixed64(is_data ? 0 : hash_bytes(section.bytes));  // each blob has a checksum of its own
    end = offset + bytes;
  }
  out.fixed64(hash_bytes(out.bytes()));
  out.bytes().reserve(end);
  for (const Section& section : sections) {
    out.align(kAlign);
    out.raw(section.bytes);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    out.align(kAlign);
    out.raw(content(i));
  }
  return std::move(out.bytes());
}

bool is_engine(ByteView bytes) { return bytes.size() >= kMagic.size() && text_of(bytes.first(kMagic.size())) == kMagic; }

Result<std::vector<SectionInfo>> list_sections(ByteView bytes) {
  ByteReader in(bytes);
  if (!is_engine(bytes)) return fail(ErrorKind::bad_engine, "this is no Tenon engine: it does not begin with the engine mark");
  TENON_OK(in.take(kMagic.size()));
  TENON_TRY(version, in.fixed64());
  if (version != kFormatVersion)
    return fail(ErrorKind::bad_engine, "the file has format version {}, this Tenon reads version {}: build the engine again", version,
                kFormatVersion);
  TENON_TRY(count, in.fixed64());
  if (count > kMaxSections) return in.error(strf("{} sections", count));
  std::vector<SectionInfo> out;
  for (uint64_t i = 0; i < count; ++i) {
    TENON_TRY(name, in.take(kNameBytes));
    TENON_TRY(offset, in.fixed64());
    TENON_TRY(size, in.fixed64());
    TENON_TRY(checksum, in.fixed64());
    const std::string_view text = text_of(name);
    out.push_back({std::string(text.substr(0, text.find('\0'))), offset, size, checksum});
    if (offset % kAlign || offset > bytes.size() || size > bytes.size() - offset)
      return in.error(strf("section '{}' lies outside the file: it is truncated or damaged", out.back().name));
  }
  const uint64_t table = in.offset();
  TENON_TRY(checksum, in.fixed64());
  if (checksum != hash_bytes(bytes.first(table))) return in.error("the checksum of the section table is wrong: the file is damaged");
  return out;
}

namespace {

Result<Blob> read_blob(const BlobRow& row, ByteView data, const std::shared_ptr<const void>& keep_alive, bool verify) {
  const auto bad = [&](std::string_view what) { return fail(ErrorKind::bad_engine, "blob '{}': {}", row.name, what); };
  if (row.dtype == DType::none) return bad("no element type");
  if (row.offset < 0 || row.bytes < 0 || row.offset % static_cast<int64_t>(kAlign) || row.offset > static_cast<int64_t>(data.size()) ||
      row.bytes > static_cast<int64_t>(data.size()) - row.offset)
    return bad("lies outside the data section");
  const ByteView bytes = data.subspan(static_cast<size_t>(row.offset), static_cast<size_t>(row.bytes));
  if (verify && checksum_text(bytes) != row.checksum) return bad("wrong checksum: the file is damaged");
  TENON_TRY(elems, checked_elems(row.dims));
  if (row.dtype == DType::str) {
    TENON_TRY(strings, decode_strings(row.dims, bytes));
    return Blob{row.name, row.root, strings};
  }
  if (bytes_of(row.dtype, elems) != row.bytes) return bad("its size does not fit its shape");
  // The mapping is read-only: plans never write to weights (validate), so constness is only lost in the type.
  auto* at = const_cast<std::byte*>(bytes.data());
  return Blob{row.name, row.root, Tensor::wrap(row.dtype, row.dims, at, keep_alive)};
}

}  // namespace

Result<Image> read_engine(ByteView bytes, std::shared_ptr<const void> keep_alive, const ReadOptions& options,
                          std::vector<StalePlan>* stale) {
  TENON_TRY(sections, list_sections(bytes));
  Image out;
  std::vector<BlobRow> rows;
  ByteView data;
  for (const SectionInfo& section : sections) {
    const ByteView body = bytes.subspan(section.offset, section.bytes);
    if (section.name == "data") {
      data = body;
      continue;
    }
    if (hash_bytes(body) != section.checksum)
      return fail(ErrorKind::bad_engine, "section '{}' has a wrong checksum: the file is damaged", section.name);
    if (section.name == "graph") out.graph = std::string(text_of(body));
    if (section.name == "report") out.report = std::string(text_of(body));
    if (section.name == "blobs") {
      TENON_TRY(list, from_bytes<std::vector<BlobRow>>(body, section.offset));
      rows = std::move(list);
    }
    if (!section.name.starts_with("plan:")) continue;
    const std::string target = section.name.substr(5);
    auto plan = from_bytes<Plan>(body, section.offset);
    Result<void> valid = plan.ok() ? validate(*plan) : Result<void>(plan.error());
    if (valid.ok() && plan->target != target) valid = fail(ErrorKind::bad_engine, "it says it is for '{}'", plan->target);
    if (valid.ok()) {
      out.plans.push_back(std::move(*plan));
    } else if (target == "portable") {
      return std::move(valid.error()).within("the portable plan");
    } else if (stale) {
      stale->push_back({target, valid.error().message()});
    }
  }
  if (!out.find_plan("portable")) return fail(ErrorKind::bad_engine, "the file has no portable plan");
  for (const BlobRow& row : rows) {
    TENON_TRY(blob, read_blob(row, data, keep_alive, options.verify_weights));
    out.blobs.push_back(std::move(blob));
  }
  return out;
}

}  // namespace tenon::engine
