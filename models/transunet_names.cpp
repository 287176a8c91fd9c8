#include "models/transunet_names.h"

#include <cctype>

namespace gf {
namespace {

// A module's path here and there. '#' stands for a number, the same on both sides; '-' on theirs for that number less
// one, where they count from zero.
struct Rename {
  const char *ours, *theirs;
};

constexpr Rename kGoogle[] = {
    {"root", "conv_root"},
    {"gn_root", "gn_root"},
    {"block#.unit#.conv#", "block#/unit#/conv#"},
    {"block#.unit#.gn#", "block#/unit#/gn#"},
    {"block#.unit#.shortcut", "block#/unit#/conv_proj"},
    {"block#.unit#.gn_shortcut", "block#/unit#/gn_proj"},
    {"patches", "embedding"},
    {"position", "Transformer/posembed_input/pos_embedding"},
    {"layer#.attention_norm", "Transformer/encoderblock_-/LayerNorm_0"},
    {"layer#.attention.query", "Transformer/encoderblock_-/MultiHeadDotProductAttention_1/query"},
    {"layer#.attention.key", "Transformer/encoderblock_-/MultiHeadDotProductAttention_1/key"},
    {"layer#.attention.value", "Transformer/encoderblock_-/MultiHeadDotProductAttention_1/value"},
    {"layer#.attention.out", "Transformer/encoderblock_-/MultiHeadDotProductAttention_1/out"},
    {"layer#.mlp_norm", "Transformer/encoderblock_-/LayerNorm_2"},
    {"layer#.mlp1", "Transformer/encoderblock_-/MlpBlock_3/Dense_0"},
    {"layer#.mlp2", "Transformer/encoderblock_-/MlpBlock_3/Dense_1"},
    {"norm", "Transformer/encoder_norm"},
};

constexpr Rename kPyTorch[] = {
    {"root", "transformer.embeddings.hybrid_model.root.conv"},
    {"gn_root", "transformer.embeddings.hybrid_model.root.gn"},
    {"block#.unit#.conv#", "transformer.embeddings.hybrid_model.body.block#.unit#.conv#"},
    {"block#.unit#.gn#", "transformer.embeddings.hybrid_model.body.block#.unit#.gn#"},
    {"block#.unit#.shortcut", "transformer.embeddings.hybrid_model.body.block#.unit#.downsample"},
    {"block#.unit#.gn_shortcut", "transformer.embeddings.hybrid_model.body.block#.unit#.gn_proj"},
    {"patches", "transformer.embeddings.patch_embeddings"},
    {"position", "transformer.embeddings.position_embeddings"},
    {"layer#.attention_norm", "transformer.encoder.layer.-.attention_norm"},
    {"layer#.attention.query", "transformer.encoder.layer.-.attn.query"},
    {"layer#.attention.key", "transformer.encoder.layer.-.attn.key"},
    {"layer#.attention.value", "transformer.encoder.layer.-.attn.value"},
    {"layer#.attention.out", "transformer.encoder.layer.-.attn.out"},
    {"layer#.mlp_norm", "transformer.encoder.layer.-.ffn_norm"},
    {"layer#.mlp1", "transformer.encoder.layer.-.ffn.fc1"},
    {"layer#.mlp2", "transformer.encoder.layer.-.ffn.fc2"},
    {"norm", "transformer.encoder.encoder_norm"},
    {"bridge.conv", "decoder.conv_more.0"},
    {"bridge.bn", "decoder.conv_more.1"},
    {"up#.first.conv", "decoder.blocks.-.conv1.0"},
    {"up#.first.bn", "decoder.blocks.-.conv1.1"},
    {"up#.second.conv", "decoder.blocks.-.conv2.0"},
    {"up#.second.bn", "decoder.blocks.-.conv2.1"},
    {"head", "segmentation_head.0"},
};

// Their name of our module, or "" where the rename is not about it.
std::string renamed(const std::string& module, const Rename& rename) {
  std::vector<int> numbers;
  std::size_t at = 0;
  for (const char* p = rename.ours; *p; ++p) {
    if (*p != '#') {
      if (at >= module.size() || module[at++] != *p) return {};
      continue;
    }
    const std::size_t first = at;
    while (at < module.size() && std::isdigit(static_cast<unsigned char>(module[at]))) ++at;
    if (at == first) return {};
    numbers.push_back(std::stoi(module.substr(first, at - first)));
  }
  if (at != module.size()) return {};
  std::string theirs;
  std::size_t next = 0;
  for (const char* p = rename.theirs; *p; ++p) {
    if (*p == '#')
      theirs += std::to_string(numbers[next++]);
    else if (*p == '-')
      theirs += std::to_string(numbers[next++] - 1);
    else
      theirs += *p;
  }
  return theirs;
}

template <std::size_t count>
std::string renamed(const std::string& module, const Rename (&table)[count]) {
  for (const Rename& r : table)
    if (std::string name = renamed(module, r); !name.empty()) return name;
  return {};
}

// Every tensor of the network: its module's path and its own name behind it ("" for the position embedding, which is
// the network's own).
template <class Visit>
void for_each_tensor(const Network& network, const Visit& visit) {
  for (const auto& list : {network.parameters(), network.buffers()})
    for (const NamedTensor& t : list) {
      const std::size_t dot = t.name.rfind('.');
      visit(t, t.name.substr(0, dot), dot == std::string::npos ? std::string() : t.name.substr(dot + 1));
    }
}

ForeignNames google_names(const Network& network) {
  ForeignNames n{"Google's checkpoints", {}, {"cls", "head/", "pre_logits/"}};
  for_each_tensor(network, [&](const NamedTensor& t, const std::string& module, const std::string& leaf) {
    const std::string theirs = renamed(module, kGoogle);
    if (theirs.empty()) return;
    if (leaf.empty())
      n.tensors[t.name] = {theirs, t.layout};
    else if (t.layout == FileLayout::vector)
      n.tensors[t.name] = {theirs + (leaf == "weight" ? "/scale" : "/bias"), FileLayout::flax_vector};
    else
      n.tensors[t.name] = {theirs + "/kernel", FileLayout::flax_kernel};
  });
  return n;
}

ForeignNames pytorch_names(const Network& network) {
  ForeignNames n{"TransUNet's PyTorch code", {}, {}};
  for_each_tensor(network, [&](const NamedTensor& t, const std::string& module, const std::string& leaf) {
    const std::string theirs = renamed(module, kPyTorch);
    n.tensors[t.name] = {leaf.empty() ? theirs : theirs + "." + leaf, t.layout};
  });
  return n;
}

}  // namespace

std::vector<ForeignNames> transunet_names(const Network& transunet) {
  return {google_names(transunet), pytorch_names(transunet)};
}

}  // namespace gf
