// com.microsoft's operators that are loops over whole models, words, or the layouts of one kernel: refused, with what to do instead.
#include <algorithm>
#include <array>

#include "onnx/node_import.h"

namespace tenon::onnx {
namespace {

struct Refusal {
  std::string_view op, advice;
};
constexpr std::string_view kSearch =
    "the search runs a model many times; build engines from its encoder and decoder graphs and search in the "
    "application";
constexpr std::string_view kPadding = "export the model without packing of padded batches";
constexpr std::string_view kWords = "prepare the words outside of the model";
constexpr std::string_view kBlockFloats =
    "block floating point of one accelerator; export the model with QuantizeLinear and DequantizeLinear";
constexpr std::array kRefusals{
    Refusal{"BeamSearch", kSearch},
    Refusal{"GreedySearch", kSearch},
    Refusal{"Sampling", kSearch},
    Refusal{"WhisperBeamSearch", kSearch},
    Refusal{"RemovePadding", kPadding},
    Refusal{"RestorePadding", kPadding},
    Refusal{"PackedAttention", kPadding},
    Refusal{"PackedMultiHeadAttention", kPadding},
    Refusal{"Tokenizer", kWords},
    Refusal{"WordConvEmbedding", kWords},
    Refusal{"QuantizeBFP", kBlockFloats},
    Refusal{"DequantizeBFP", kBlockFloats},
    Refusal{"MaxpoolWithMask", "export the model with Where and MaxPool"},
    Refusal{"SparseToDenseMatMul", "store the sparse operand as a dense initializer"},
    Refusal{"EPContext", "the node holds the compiled graph of another runtime; take the model it was compiled from"},
    Refusal{"PagedAttention", "export the model with GroupQueryAttention"},
    Refusal{"SparseAttention", "export the model with GroupQueryAttention"},
    Refusal{"LongformerAttention", "export the model without onnxruntime's fusion of Longformer"},
    Refusal{"DecoderAttention", "export the model with MultiHeadAttention"},
};

}  // namespace

Result<Values> import_refused(NodeImport& n) {
  const auto row = std::ranges::find(kRefusals, n.op_type(), &Refusal::op);
  n.unsupported("not supported: {}", row == kRefusals.end() ? std::string_view("no advice") : row->advice);
  return Values{};
}
/// Blocks of channels whose size is the vector width of the processor that the file was written on; the file does not say it.
Result<Values> import_nchwc_refused(NodeImport& n) {
  n.unsupported("a layout of onnxruntime for one processor; save the optimised model with ORT_ENABLE_EXTENDED instead of ORT_ENABLE_ALL");
  return Values{};
}

}  // namespace tenon::onnx
