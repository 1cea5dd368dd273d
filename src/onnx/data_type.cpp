#include "onnx/data_type.h"

#include <array>

namespace tenon::onnx {
namespace {

struct DataTypeRow {
  std::string_view name;
  int64_t bits = 0;
};

constexpr std::array<DataTypeRow, 29> kRows = {{
    {"undefined", 0},      {"float", 32},     {"uint8", 8},          {"int8", 8},         {"uint16", 16},    {"int16", 16},
    {"int32", 32},         {"int64", 64},     {"string", 0},         {"bool", 8},         {"float16", 16},   {"double", 64},
    {"uint32", 32},        {"uint64", 64},    {"complex64", 64},     {"complex128", 128}, {"bfloat16", 16},  {"float8e4m3fn", 8},
    {"float8e4m3fnuz", 8}, {"float8e5m2", 8}, {"float8e5m2fnuz", 8}, {"uint4", 4},        {"int4", 4},       {"float4e2m1", 4},
    {"float8e8m0", 8},     {"uint2", 2},      {"int2", 2},           {"float6e2m3", 6},   {"float6e3m2", 6},
}};
static_assert(kRows[kFloat6E3M2].name == "float6e3m2" && kRows[kFloat8E8M0].name == "float8e8m0", "one row per number, in order");

bool known(int32_t data_type) { return data_type >= 0 && data_type < static_cast<int32_t>(kRows.size()); }

}  // namespace

std::string_view data_type_name(int32_t data_type) { return known(data_type) ? kRows[static_cast<size_t>(data_type)].name : "unknown"; }
int64_t data_type_bits(int32_t data_type) { return known(data_type) ? kRows[static_cast<size_t>(data_type)].bits : 0; }

}  // namespace tenon::onnx
