#include "onnx/model.h"

#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>
#include <vector>

namespace tenon::onnx {
namespace {

using protozero::pbf_writer;

template <class Fill>
std::string message(Fill fill) {
  std::string out;
  pbf_writer writer(out);
  fill(writer);
  return out;
}

Result<Model> read(const std::string& bytes) { return read_model(view_of(bytes), nullptr, "."); }
std::string error_of(const std::string& bytes) {
  const Result<Model> model = read(bytes);
  if (model.ok()) return "read";
  EXPECT_EQ(model.error().kind(), ErrorKind::invalid_model) << model.error().message();
  return model.error().message();
}

std::string model_of(const std::string& graph) {
  return message([&](pbf_writer& model) { model.add_message(7, graph); });
}
std::string model_with_node(const std::string& node) {
  return model_of(message([&](pbf_writer& graph) { graph.add_message(1, node); }));
}
std::string model_with_attribute(const std::string& attribute) {
  return model_with_node(message([&](pbf_writer& node) {
    node.add_string(4, "Op");
    node.add_message(5, attribute);
  }));
}

std::string tensor_type(int64_t dim, const std::string& param) {
  const std::string shape = message([&](pbf_writer& shape) {
    shape.add_message(1, message([&](pbf_writer& d) { d.add_int64(1, dim); }));
    shape.add_message(1, message([&](pbf_writer& d) { d.add_string(2, param); }));
    shape.add_bytes(1, "");
  });
  return message([&](pbf_writer& type) {
    type.add_message(1, message([&](pbf_writer& tensor) {
                       tensor.add_int32(1, kFloat);
                       tensor.add_message(2, shape);
                     }));
  });
}

/// One of everything that the reader knows.
std::string small_model() {
  const std::vector<int64_t> ints = {-1, 300};
  const std::vector<float> floats = {0.5F, -2};
  const std::string tensor = message([&](pbf_writer& t) {
    t.add_int64(1, 2);
    t.add_int32(2, kFloat);
    t.add_string(8, "w");
    t.add_packed_float(4, floats.begin(), floats.end());
  });
  const std::string sparse = message([&](pbf_writer& s) {
    s.add_message(1, tensor);
    s.add_message(2, tensor);
    s.add_int64(3, 7);
  });
  const auto attribute = [](const std::string& name, int type, auto fill) {
    return message([&](pbf_writer& a) {
      a.add_string(1, name);
      a.add_enum(20, type);
      fill(a);
    });
  };
  const std::string sequence_type = message(
      [&](pbf_writer& type) { type.add_message(4, message([&](pbf_writer& sequence) { sequence.add_message(1, tensor_type(3, "n")); })); });
  const std::string node = message([&](pbf_writer& n) {
    n.add_string(1, "x");
    n.add_string(1, "");
    n.add_string(2, "y");
    n.add_string(3, "node");
    n.add_string(4, "Op");
    n.add_message(5, attribute("f", 1, [&](pbf_writer& a) { a.add_float(2, 1.5F); }));
    n.add_message(5, attribute("i", 2, [&](pbf_writer& a) { a.add_int64(3, -4); }));
    n.add_message(5, attribute("s", 3, [&](pbf_writer& a) { a.add_string(4, "text"); }));
    n.add_message(5, attribute("t", 4, [&](pbf_writer& a) { a.add_message(5, tensor); }));
    n.add_message(5, attribute("g", 5, [&](pbf_writer& a) { a.add_bytes(6, ""); }));
    n.add_message(5, attribute("floats", 6, [&](pbf_writer& a) { a.add_packed_float(7, floats.begin(), floats.end()); }));
    n.add_message(5, attribute("ints", 7, [&](pbf_writer& a) { a.add_packed_int64(8, ints.begin(), ints.end()); }));
    n.add_message(5, attribute("strings", 8, [&](pbf_writer& a) { a.add_string(9, "one"); }));
    n.add_message(5, attribute("sparse", 11, [&](pbf_writer& a) { a.add_message(22, sparse); }));
    n.add_message(5, attribute("type", 13, [&](pbf_writer& a) { a.add_message(14, sequence_type); }));
    n.add_string(7, "my.domain");
    n.add_fixed64(99, 1);  // unknown fields are skipped
  });
  const auto value = [](const std::string& name) {
    return message([&](pbf_writer& v) {
      v.add_string(1, name);
      v.add_message(2, tensor_type(2, "batch"));
    });
  };
  const std::string graph = message([&](pbf_writer& g) {
    g.add_message(1, node);
    g.add_string(2, "main");
    g.add_message(5, tensor);
    g.add_message(15, sparse);
    g.add_message(11, value("x"));
    g.add_message(12, value("y"));
    g.add_message(13, value("z"));
  });
  const std::string opset = message([](pbf_writer& o) { o.add_int64(2, 21); });
  return message([&](pbf_writer& m) {
    m.add_int64(1, 10);
    m.add_string(2, "producer");
    m.add_message(7, graph);
    m.add_message(8, opset);
    m.add_message(14, message([](pbf_writer& p) {
                    p.add_string(1, "key");
                    p.add_string(2, "value");
                  }));
    m.add_message(25, message([&](pbf_writer& f) {
                    f.add_string(1, "fn");
                    f.add_string(4, "a");
                    f.add_string(5, "b");
                    f.add_string(6, "alpha");
                    f.add_message(7, node);
                    f.add_message(9, opset);
                    f.add_string(10, "my.domain");
                    f.add_message(11, attribute("beta", 2, [](pbf_writer& a) { a.add_int64(3, 1); }));
                  }));
  });
}

TEST(OnnxModel, ReadsOneOfEverything) {
  const std::string bytes = small_model();
  const Result<Model> model = read(bytes);
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_EQ(model->ir_version, 10);
  EXPECT_EQ(model->producer_name, "producer");
  ASSERT_EQ(model->opsets.size(), 1U);
  EXPECT_EQ(model->opsets[0].version, 21);
  ASSERT_EQ(model->metadata_props.size(), 1U);
  EXPECT_EQ(model->metadata_props[0].second, "value");
  const GraphView& graph = model->graph;
  EXPECT_EQ(graph.name, "main");
  ASSERT_EQ(graph.inputs.size(), 1U);
  const TypeView& type = graph.inputs[0].type;
  EXPECT_EQ(type.kind, TypeView::Kind::tensor);
  EXPECT_TRUE(type.has_shape);
  ASSERT_EQ(type.dims.size(), 3U);
  EXPECT_EQ(type.dims[0].value, 2);
  EXPECT_EQ(type.dims[1].param, "batch");
  EXPECT_TRUE(!type.dims[2].value && type.dims[2].param.empty());
  EXPECT_EQ(graph.outputs.size() + graph.value_infos.size() + graph.initializers.size() + graph.sparse_initializers.size(), 4U);

  ASSERT_EQ(graph.nodes.size(), 1U);
  const NodeView& node = graph.nodes[0];
  EXPECT_EQ(node.inputs, (std::vector<std::string_view>{"x", ""}));
  EXPECT_EQ(node.domain, "my.domain");
  EXPECT_EQ(bytes.substr(node.offset, 3), std::string("\x0a\x01x"));
  EXPECT_EQ(node.find("f")->f, 1.5F);
  EXPECT_EQ(node.find("i")->i, -4);
  EXPECT_EQ(node.find("s")->s, "text");
  EXPECT_EQ(node.find("floats")->floats, (std::vector<float>{0.5F, -2}));
  EXPECT_EQ(node.find("ints")->ints, (std::vector<int64_t>{-1, 300}));
  EXPECT_EQ(node.find("strings")->strings.at(0), "one");
  EXPECT_EQ(node.find("sparse")->sparse_tensor()->dims.at(0), 7);
  EXPECT_EQ(node.find("type")->type_proto()->element->dims.at(0).value, 3);
  EXPECT_NE(node.find("g")->graph(), nullptr);
  EXPECT_EQ(node.find("t")->tensor()->name, "w");
  EXPECT_EQ(node.find("absent"), nullptr);

  ASSERT_EQ(model->functions.size(), 1U);
  EXPECT_EQ(model->functions[0].attributes.at(0), "alpha");
  EXPECT_EQ(model->functions[0].attribute_protos.at(0).name, "beta");
  EXPECT_EQ(model->functions[0].nodes.at(0).op_type, "Op");
}

TEST(OnnxModel, DamageIsAnErrorOrAnotherModel) {
  const std::string whole = small_model();
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));  // for sanitizers to see an overrun
    const Result<Model> model = read_model(view_of({exact.data(), exact.size()}), nullptr, ".");
    if (model.ok()) continue;
    EXPECT_NE(model.error().message().find("at byte "), std::string::npos) << model.error().message();
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {0x01, 0x02, 0x08, 0x80, 0xff}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const Result<Model> model = read(bytes);
      if (!model.ok()) continue;
      for (const TensorView& tensor : model->graph.initializers) (void)model->payload(tensor).ok();
    }
  }
}

TEST(OnnxModel, SaysWhereAndWhat) {
  EXPECT_EQ(error_of(""), "at byte 0: no graph: not an ONNX model");
  EXPECT_EQ(error_of("version https://git-lfs"), "at byte 0: not a protobuf field (unknown wire type)");
  EXPECT_EQ(error_of({"\x3a\x7f"
                      "abc",
                      5}),
            "at byte 0: field 7 wants 127 bytes, the message has 3 left");
  EXPECT_EQ(error_of("\x08\x80"), "at byte 0: the message ends inside a field");
  EXPECT_EQ(error_of("\x08\x01\x38\x01"), "at byte 2: field 7 holds a varint, wanted bytes");
  EXPECT_EQ(error_of(model_with_node("")), "at byte 4: node '' has no op_type");
}

TEST(OnnxModel, LengthsAre64Bit) {
  // 2^32 + 1: read as 32 bits it would be a graph of one byte.
  EXPECT_EQ(error_of({"\x3a\x81\x80\x80\x80\x10"
                      "abc",
                      9}),
            "at byte 0: field 7 wants 4294967297 bytes, the message has 3 left");
}

TEST(OnnxModel, InfersTheTypeOfOldAttributes) {
  const auto type_of = [](auto fill) {
    const std::string bytes = model_with_attribute(message([&](pbf_writer& a) {
      a.add_string(1, "a");
      fill(a);
    }));
    const Result<Model> model = read(bytes);
    return model.ok() ? std::string(to_string(model->graph.nodes.at(0).attributes.at(0).type)) : model.error().message();
  };
  EXPECT_EQ(type_of([](pbf_writer& a) { a.add_float(2, 0); }), "f");
  EXPECT_EQ(type_of([](pbf_writer& a) { a.add_int64(8, 5); }), "ints");
  EXPECT_EQ(type_of([](pbf_writer& a) { a.add_bytes(5, "\x10\x01"); }), "tensor");
  EXPECT_EQ(type_of([](pbf_writer&) {}), "undefined");
  EXPECT_NE(type_of([](pbf_writer& a) { a.add_int64(3, 5), a.add_float(2, 0); }).find("has no type and values of several"),
            std::string::npos);
  EXPECT_NE(type_of([](pbf_writer& a) { a.add_enum(20, 99); }).find("unknown type 99"), std::string::npos);
  EXPECT_NE(type_of([](pbf_writer& a) { a.add_enum(20, 4); }).find("of type tensor has 0 values"), std::string::npos);
  EXPECT_EQ(type_of([](pbf_writer& a) { a.add_enum(20, 4), a.add_string(21, "outer"); }), "tensor");
}

TEST(OnnxModel, NestingEnds) {
  const auto nested = [](int levels) {  // graph, node, attribute: three messages a level
    std::string graph;
    for (int i = 0; i < levels; ++i) {
      graph = message([&](pbf_writer& outer) {
        outer.add_message(1, message([&](pbf_writer& node) {
                            node.add_string(4, "If");
                            node.add_message(5, message([&](pbf_writer& a) {
                                               a.add_string(1, "then_branch");
                                               a.add_message(6, graph);
                                             }));
                          }));
      });
    }
    return model_of(graph);
  };
  EXPECT_EQ(error_of(nested(32)), "read");
  EXPECT_NE(error_of(nested(33)).find("nested deeper than 100 levels"), std::string::npos);
  EXPECT_NE(error_of(nested(2000)).find("nested deeper than 100 levels"), std::string::npos);
}

}  // namespace
}  // namespace tenon::onnx
