#pragma once
// A network's forward pass as an ONNX file (opset 17), for runtimes that know nothing of us.
//
//   input   "image"   float32 (batch, in_channels, height, width)
//   output  "logits"  float32 (batch, classes, height, width)
//
// The batch is free, height and width are fixed: adaptive pooling becomes two matrix products with constant matrices
// made for them, and so does a resize whose factor is no whole number. Max-unpooling is MaxUnpool with the indices of
// MaxPool. Batch norms stay nodes of their own (runtimes fold them), initialisers carry our parameters' names.
#include <map>
#include <string>

#include "models/network.h"

namespace gf {

constexpr const char* kOnnxInput = "image";
constexpr const char* kOnnxOutput = "logits";
constexpr int kOnnxOpset = 17;

struct OnnxOptions {
  std::string name;  // of the graph: the architecture
  std::int64_t in_channels = 1;
  ImageSize size;                               // of the pictures
  std::map<std::string, std::string> metadata;  // metadata_props
};

// The file's bytes; the same ones for the same weights and options. The network runs once, on one blank picture, and
// keeps its activations meanwhile. Usage errors: it is in training mode; a size it does not take; an op with no
// translation (TransUNet's).
std::string onnx_bytes(const Network& network, const OnnxOptions& options);

}  // namespace gf
