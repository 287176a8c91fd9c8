#pragma once
// Named modules. A module registers itself with its owner, its parameters and buffers with itself, so a parameter's
// name is the path that leads to it ("encoder3.block1.sk.conv5.weight"). Modules do not move or copy.
#include <cstdint>
#include <string>
#include <vector>

#include "engine/random.h"
#include "engine/tensor.h"

namespace gf {

class Module;

// Who owns a module, and under what name. A network at the top has none.
struct Owner {
  Module* module = nullptr;
  std::string name;
};

// How files order a tensor that we keep as kernels/view.h says: PyTorch's, which ours are, and Flax's.
enum class FileLayout {
  vector,       // ours (1,1,1,c), file [c]
  convolution,  // ours (o,kh,kw,i), file [o,i,kh,kw]; depthwise (c,kh,kw,1), file [c,1,kh,kw]
  transposed,   // ours (i,kh,kw,o), file [i,o,kh,kw]
  linear,       // ours (o,1,1,i), file [o,i]
  tokens,       // ours (1,h,w,c), file [1,h*w,c]
  flax_kernel,  // ours (o,kh,kw,i), file [kh,kw,i,o]; of a 1x1 one also [i,o], either cut further (into heads)
  flax_vector,  // ours (1,1,1,c), file [c], cut or with axes of extent 1 in front
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
  FileLayout layout;
};

class Module {
 public:
  explicit Module(const Owner& owner = {});
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  std::vector<NamedTensor> parameters() const;  // trained; each has a gradient slot
  std::vector<NamedTensor> buffers() const;     // state that is not trained: running statistics
  std::int64_t parameter_count() const;

  bool training() const { return training_; }
  void train(bool on = true);  // this module and all below
  void eval() { train(false); }
  void to(const Device& device);  // moves parameters and buffers; before a FlatParameters is made of them
  Device device() const;          // of the first parameter
  // A module that was made elsewhere becomes a child; it must live as long. An empty name adds nothing to its paths.
  void adopt(const std::string& name, Module& child) { children_.push_back({name, &child}); }
  // The same for a module that is not trained although it has parameters (a running average of a network): here they
  // count as buffers.
  void adopt_untrained(const std::string& name, Module& child) { children_.push_back({name, &child, false}); }
  // For ever: takes the gradient slots away, nothing below is taped; weights stay as they are. Batch norms are folded
  // into convolutions (conv_norm.h), with fold_bf16 under bf16 activations too.
  void freeze(bool fold_bf16 = false);
  bool frozen() const { return frozen_; }
  bool folds_bf16() const { return folds_bf16_; }

  // Every module that knows how draws its parameters: from `seed` and the parameter's own name.
  void initialise(std::uint64_t seed, const std::string& path = {});

 protected:
  Tensor parameter(const std::string& name, const Shape& shape, FileLayout layout);
  Tensor buffer(const std::string& name, const Shape& shape, float value);
  // Called by initialise() with the module's path.
  virtual void initialise_own(std::uint64_t /*seed*/, const std::string& /*path*/) {}

 private:
  struct Child {
    std::string name;
    Module* module;
    bool trained = true;
  };
  void collect(const std::string& path, std::vector<NamedTensor> Module::*list, std::vector<NamedTensor>& all) const;
  std::vector<Child> children_;
  std::vector<NamedTensor> parameters_, buffers_;
  bool training_ = true, frozen_ = false, folds_bf16_ = false;
};

}  // namespace gf
