#pragma once
// Internal: the one header here that knows cuDNN's types; only .cpp files of this folder see it. The functions the wall
// uses, the check of every status, and descriptors.
#include <cudnn_graph.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernels/view.h"

namespace gf::cudnn {

struct Api {
  decltype(cudnnGetVersion)* version;
  decltype(cudnnGetErrorString)* error_string;
  decltype(cudnnGetLastErrorString)* last_error_string;
  decltype(cudnnCreate)* create;
  decltype(cudnnDestroy)* destroy;
  decltype(cudnnSetStream)* set_stream;
  decltype(cudnnBackendCreateDescriptor)* create_descriptor;
  decltype(cudnnBackendDestroyDescriptor)* destroy_descriptor;
  decltype(cudnnBackendFinalize)* finalize;
  decltype(cudnnBackendSetAttribute)* set_attribute;
  decltype(cudnnBackendGetAttribute)* get_attribute;
  decltype(cudnnBackendExecute)* execute;
};

// Opens the library at the first call; throws where it is missing.
const Api& api();

// What cuDNN has noted on this thread since the last time it was asked: the first line of each note, three at most.
std::string last_reason();

// Throws gf::Error for any status but success: the call, what it was about, the status and cuDNN's own reason.
void check(cudnnStatus_t status, const char* call, const std::string& about);

constexpr cudnnDataType_t data_type(DType t) { return t == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT; }

template <class T>
inline constexpr cudnnBackendAttributeType_t attribute_type = [] { static_assert(sizeof(T) == 0, "unknown type"); }();
template <>
inline constexpr auto attribute_type<std::int64_t> = CUDNN_TYPE_INT64;
template <>
inline constexpr auto attribute_type<bool> = CUDNN_TYPE_BOOLEAN;
template <>
inline constexpr auto attribute_type<float> = CUDNN_TYPE_FLOAT;
template <>
inline constexpr auto attribute_type<double> = CUDNN_TYPE_DOUBLE;
template <>
inline constexpr auto attribute_type<char> = CUDNN_TYPE_CHAR;
template <>
inline constexpr auto attribute_type<void*> = CUDNN_TYPE_VOID_PTR;
template <>
inline constexpr auto attribute_type<cudnnHandle_t> = CUDNN_TYPE_HANDLE;
template <>
inline constexpr auto attribute_type<cudnnDataType_t> = CUDNN_TYPE_DATA_TYPE;
template <>
inline constexpr auto attribute_type<cudnnConvolutionMode_t> = CUDNN_TYPE_CONVOLUTION_MODE;
template <>
inline constexpr auto attribute_type<cudnnPointwiseMode_t> = CUDNN_TYPE_POINTWISE_MODE;
template <>
inline constexpr auto attribute_type<cudnnBackendHeurMode_t> = CUDNN_TYPE_HEUR_MODE;
template <>
inline constexpr auto attribute_type<cudnnBackendNumericalNote_t> = CUDNN_TYPE_NUMERICAL_NOTE;
template <>
inline constexpr auto attribute_type<cudnnBackendBehaviorNote_t> = CUDNN_TYPE_BEHAVIOR_NOTE;

// One backend descriptor; its attributes are set by C++ type. `name` is for messages.
class Descriptor {
 public:
  Descriptor(cudnnBackendDescriptorType_t type, std::string name);
  ~Descriptor();
  Descriptor(Descriptor&& o) noexcept : raw_(std::exchange(o.raw_, nullptr)), name_(std::move(o.name_)) {}
  Descriptor& operator=(Descriptor&&) = delete;

  template <class T>
  void set(cudnnBackendAttributeName_t attribute, const T& value) {
    write(attribute, attribute_type<T>, 1, &value);
  }
  template <class T>
  void set(cudnnBackendAttributeName_t attribute, const std::vector<T>& values) {
    write(attribute, attribute_type<T>, static_cast<std::int64_t>(values.size()), values.data());
  }
  void set(cudnnBackendAttributeName_t attribute, const std::string& text) {
    write(attribute, CUDNN_TYPE_CHAR, static_cast<std::int64_t>(text.size()), text.data());
  }
  void set(cudnnBackendAttributeName_t attribute, const Descriptor& other) {
    write(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &other.raw_);
  }
  void set(cudnnBackendAttributeName_t attribute, const std::vector<Descriptor>& others);
  void finalize();

  template <class T>
  T get(cudnnBackendAttributeName_t attribute) const {
    T value{};
    read(attribute, attribute_type<T>, 1, &value);
    return value;
  }
  // As many values as there are, `limit` at most.
  template <class T>
  std::vector<T> list(cudnnBackendAttributeName_t attribute, std::int64_t limit) const {
    std::vector<T> values(static_cast<std::size_t>(limit));
    values.resize(static_cast<std::size_t>(read(attribute, attribute_type<T>, limit, values.data())));
    return values;
  }
  // A descriptor inside this one. cuDNN fills in descriptors made beforehand.
  Descriptor inner(cudnnBackendAttributeName_t attribute, cudnnBackendDescriptorType_t type, const char* name) const;
  std::vector<Descriptor> inner_list(cudnnBackendAttributeName_t attribute, cudnnBackendDescriptorType_t type,
                                     const char* name) const;

  cudnnBackendDescriptor_t raw() const { return raw_; }
  const std::string& name() const { return name_; }

 private:
  void write(cudnnBackendAttributeName_t, cudnnBackendAttributeType_t, std::int64_t count, const void* values);
  std::int64_t read(cudnnBackendAttributeName_t, cudnnBackendAttributeType_t, std::int64_t room, void* values) const;

  cudnnBackendDescriptor_t raw_ = nullptr;
  std::string name_;
};

}  // namespace gf::cudnn
