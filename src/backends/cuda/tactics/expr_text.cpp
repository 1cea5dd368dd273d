#include "backends/cuda/tactics/expr_text.h"

#include <algorithm>
#include <cmath>

#include "tensor/convert.h"

namespace tenon::cuda {
namespace {

bool is_real_lane(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::f64; }
bool is_short_float(DType type) { return type == DType::f16 || type == DType::bf16; }

/// A lane of 64 bits wrapped to what the type holds.
std::string wrapped(DType type, const std::string& value) {
  switch (type) {
    case DType::boolean: return strf("i64(({}) != 0)", value);
    case DType::i64:
    case DType::u64: return value;
    default: return strf("i64({}({}))", storage_type(type), value);
  }
}

std::string whole_text(int64_t value) { return value == INT64_MIN ? "i64(1ull << 63)" : strf("i64({}ll)", value); }

std::string real_text(bool wide, double value) {
  if (std::isnan(value)) return wide ? "__longlong_as_double(0x7ff8000000000000ll)" : "__uint_as_float(0x7fc00000u)";
  if (std::isinf(value)) {
    if (wide) return value > 0 ? "__longlong_as_double(0x7ff0000000000000ll)" : "(-__longlong_as_double(0x7ff0000000000000ll))";
    return value > 0 ? "__uint_as_float(0x7f800000u)" : "__uint_as_float(0xff800000u)";
  }
  return strf("({:a}{})", value, wide ? "" : "f");
}

/// A constant is a value of its type: it goes through the type's form in memory.
std::string constant_text(const ExprNode& node) {
  alignas(8) std::byte memory[8] = {};
  const bool real = is_real_lane(node.type);
  const auto* value = real ? reinterpret_cast<const std::byte*>(&node.real) : reinterpret_cast<const std::byte*>(&node.integer);
  convert_elems(real ? DType::f64 : DType::i64, value, 0, node.type, memory, 0, 1);
  if (real) {
    double out = 0;
    convert_elems(node.type, memory, 0, DType::f64, reinterpret_cast<std::byte*>(&out), 0, 1);
    return real_text(node.type == DType::f64, out);
  }
  int64_t out = 0;
  convert_elems(node.type, memory, 0, DType::i64, reinterpret_cast<std::byte*>(&out), 0, 1);
  return whole_text(out);
}

std::string saturated(DType to, const std::string& lane) {
  const int bits = bits_of(to);
  if (to == DType::boolean || bits == 64) return lane;
  if (is_signed_int(to)) return strf("fn::clamp({}, {}, {})", lane, -(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1);
  return strf("fn::clamp({}, 0, {})", lane, (int64_t{1} << bits) - 1);
}

std::string cast_text(DType from, DType to, bool saturate, const std::string& x) {
  if (from == to && to != DType::boolean && !is_short_float(to)) return x;
  const std::string wide = from == DType::u64 ? strf("u64({})", x) : x;
  if (to == DType::f32) return strf("float({})", wide);
  if (to == DType::f64) return strf("double({})", wide);
  if (is_short_float(to)) {
    const bool exact = compute_type(from) == "float" || bits_of(from) <= 16;
    return exact ? strf("float({}(float({})))", storage_type(to), x) : strf("float({}(fn::odd(double({}))))", storage_type(to), wide);
  }
  if (to == DType::boolean) return strf("i64({} != 0)", x);
  if (is_real_lane(from)) {
    if (to == DType::u64) return strf("fn::{}({})", saturate ? "to_u64" : "to_u64_wrapped", x);
    const std::string whole = strf("fn::to_i64({})", x);
    return saturate ? saturated(to, whole) : wrapped(to, whole);
  }
  if (!saturate) return wrapped(to, x);
  if (from == DType::u64) {
    if (to == DType::u64) return x;
    return strf("fn::uclamp({}, i64({}ull))", x, (~uint64_t{0} >> (64 - bits_of(to))) >> (is_signed_int(to) ? 1 : 0));
  }
  if (to == DType::u64) return strf("fn::relu({})", x);
  return saturated(to, x);
}

std::string_view comparison(Fn fn) {
  switch (fn) {
    case Fn::equal: return "==";
    case Fn::less: return "<";
    case Fn::less_equal: return "<=";
    case Fn::greater: return ">";
    default: return ">=";
  }
}

/// Functions of CUDA's library, by the name of the double; the float's has an f behind it. Empty: another text.
std::string_view library_name(Fn fn) {
  switch (fn) {
    case Fn::abs: return "fabs";
    case Fn::floor: return "floor";
    case Fn::ceil: return "ceil";
    case Fn::round: return "rint";
    case Fn::trunc: return "trunc";
    case Fn::sqrt: return "sqrt";
    case Fn::exp: return "exp";
    case Fn::log: return "log";
    case Fn::sin: return "sin";
    case Fn::cos: return "cos";
    case Fn::tan: return "tan";
    case Fn::asin: return "asin";
    case Fn::acos: return "acos";
    case Fn::atan: return "atan";
    case Fn::sinh: return "sinh";
    case Fn::cosh: return "cosh";
    case Fn::tanh: return "tanh";
    case Fn::asinh: return "asinh";
    case Fn::acosh: return "acosh";
    case Fn::atanh: return "atanh";
    case Fn::erf: return "erf";
    case Fn::fmod: return "fmod";
    default: return {};
  }
}

std::string real_node(Fn fn, bool wide, const std::string& x, const std::string& y) {
  const std::string_view type = wide ? "double" : "float";
  if (const std::string_view name = library_name(fn); !name.empty())
    return strf("{}{}({}{})", name, wide ? "" : "f", x, fn == Fn::fmod ? ", " + y : "");
  switch (fn) {
    case Fn::neg: return strf("-{}", x);
    case Fn::sign: return strf("fn::sign({})", x);
    case Fn::reciprocal: return strf("{}(1) / {}", type, x);
    case Fn::sigmoid: return strf("fn::sigmoid({})", x);
    case Fn::softplus: return strf("fn::softplus({})", x);
    case Fn::relu: return strf("fn::relu({})", x);
    case Fn::is_nan: return strf("i64({} != {})", x, x);
    case Fn::is_inf: return strf("fn::is_inf({})", x);
    case Fn::add: return strf("{} + {}", x, y);
    case Fn::sub: return strf("{} - {}", x, y);
    case Fn::mul: return strf("{} * {}", x, y);
    case Fn::div: return strf("{} / {}", x, y);
    case Fn::mod: return strf("fn::floor_mod({}, {})", x, y);
    case Fn::pow: return strf("fn::power({}, {})", x, y);
    case Fn::min: return strf("fn::least({}, {})", x, y);
    case Fn::max: return strf("fn::most({}, {})", x, y);
    default: return strf("i64({} {} {})", x, comparison(fn), y);
  }
}

/// Of 64-bit lanes, before they are wrapped.
std::string whole_node(Fn fn, DType type, const std::string& x, const std::string& y) {
  const bool u = type == DType::u64;
  const std::string_view lane = u ? "u64" : "i64";
  const bool narrow = bits_of(type) < 32 || type == DType::i32;  // values fit a signed 32-bit integer
  const auto compared = [&](std::string_view sign) { return strf("{}({}) {} {}({})", lane, x, sign, lane, y); };
  switch (fn) {
    case Fn::abs: return u ? x : strf("({} < 0 ? fn::sub(0, {}) : {})", x, x, x);
    case Fn::neg: return strf("fn::sub(0, {})", x);
    case Fn::sign: return u ? strf("i64({} != 0)", x) : strf("(i64({} > 0) - i64({} < 0))", x, x);
    case Fn::relu: return u ? x : strf("fn::relu({})", x);
    case Fn::logical_not: return strf("i64({} == 0)", x);
    case Fn::bit_not: return strf("~{}", x);
    case Fn::add: return strf("fn::add({}, {})", x, y);
    case Fn::sub: return strf("fn::sub({}, {})", x, y);
    case Fn::mul: return strf("fn::mul({}, {})", x, y);
    case Fn::div: return strf("fn::{}({}, {})", u ? "udiv" : narrow ? "div32" : "div", x, y);
    case Fn::mod: return strf("fn::{}({}, {})", u ? "urem" : narrow ? "floor_mod32" : "floor_mod", x, y);
    case Fn::fmod: return strf("fn::{}({}, {})", u ? "urem" : narrow ? "rem32" : "rem", x, y);
    case Fn::pow: return strf("fn::power({}, {})", x, y);
    case Fn::min: return strf("({} ? {} : {})", compared("<"), x, y);
    case Fn::max: return strf("({} ? {} : {})", compared(">"), x, y);
    case Fn::logical_and:
    case Fn::bit_and: return strf("({} & {})", x, y);
    case Fn::logical_or:
    case Fn::bit_or: return strf("({} | {})", x, y);
    case Fn::logical_xor:
    case Fn::bit_xor: return strf("({} ^ {})", x, y);
    case Fn::shift_left: return strf("fn::shift_left({}, {})", x, y);
    case Fn::shift_right: return strf("fn::{}shift_right({}, {})", u ? "u" : "", x, y);
    default: return strf("i64({})", compared(comparison(fn)));
  }
}

}  // namespace

std::string_view storage_type(DType type) {
  switch (type) {
    case DType::f32: return "float";
    case DType::f64: return "double";
    case DType::f16: return "f16";
    case DType::bf16: return "bf16";
    case DType::i64: return "i64";
    case DType::i32: return "i32";
    case DType::i16: return "i16";
    case DType::i8: return "i8";
    case DType::u64: return "u64";
    case DType::u32: return "u32";
    case DType::u16: return "u16";
    case DType::boolean:
    case DType::u8: return "u8";
    default: return {};
  }
}

std::string_view compute_type(DType type) {
  if (storage_type(type).empty()) return {};
  if (type == DType::f64) return "double";
  return is_real_lane(type) ? "float" : "i64";
}

std::string stored(DType type, std::string_view value) {
  if (type == DType::boolean) return strf("u8(({}) != 0)", value);
  return strf("{}({})", storage_type(type), value);
}

std::string loaded(DType type, std::string_view value) {
  if (type == DType::boolean) return strf("i64(({}) != 0)", value);
  return strf("{}({})", compute_type(type), value);
}

ExprText expr_text(const Expr& expr, const std::vector<std::string>& inputs, std::string_view prefix) {
  ExprText out;
  std::vector<std::string> names;
  for (const ExprNode& node : expr.nodes) {
    if (node.fn == Fn::input || node.fn == Fn::constant) {
      names.push_back(node.fn == Fn::input ? inputs[static_cast<size_t>(node.input)] : constant_text(node));
      continue;
    }
    const auto arg = [&](int i) { return node.args[i] < 0 ? std::string() : names[static_cast<size_t>(node.args[i])]; };
    const DType type = expr.type_of(node.args[arity_of(node.fn) - 1]);
    std::string value;
    if (node.fn == Fn::cast || node.fn == Fn::cast_saturate) {
      value = cast_text(type, node.type, node.fn == Fn::cast_saturate, arg(0));
    } else if (node.fn == Fn::where) {
      value = strf("{} ? {} : {}", arg(0), arg(1), arg(2));
    } else if (is_real_lane(type)) {
      value = real_node(node.fn, type == DType::f64, arg(0), arg(1));
    } else {
      value = wrapped(node.type, whole_node(node.fn, type, arg(0), arg(1)));
    }
    names.push_back(strf("{}{}", prefix, names.size()));
    out.statements += strf("  const {} {} = {};\n", compute_type(node.type), names.back(), value);
  }
  for (const int result : expr.results) out.results.push_back(names[static_cast<size_t>(result)]);
  return out;
}

bool has_text(const Expr& expr) {
  return std::all_of(expr.nodes.begin(), expr.nodes.end(), [](const ExprNode& node) { return !storage_type(node.type).empty(); });
}

}  // namespace tenon::cuda
