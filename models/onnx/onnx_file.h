#pragma once
// An ONNX file read back: parsed, looked through by ONNX's own checker and shape inference, and run node by node with
// the engine's ops. It takes what onnx_bytes() writes and refuses, by name, every op and attribute beyond that; it is
// how an export proves itself, no general runtime.
#include <map>
#include <memory>
#include <string>

#include "engine/tensor.h"

namespace gf {

class OnnxFile {
 public:
  // Errors (bad_data): the file cannot be read or parsed; the checker's complaint.
  explicit OnnxFile(const std::string& path);
  ~OnnxFile();
  OnnxFile(const OnnxFile&) = delete;
  OnnxFile& operator=(const OnnxFile&) = delete;

  // x (n,h,w,in_channels) -> logits (n,h,w,classes), on the CPU. Errors (bad_data) name the node.
  Tensor run(const Tensor& x) const;

  std::map<std::string, std::string> metadata() const;
  int nodes() const;

 private:
  struct Model;
  std::unique_ptr<Model> model_;
  std::string path_;
};

}  // namespace gf
