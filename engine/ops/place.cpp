#include "engine/ops/place.h"

#include "kernels/error.h"

namespace gf {

Tensor place_for(const char* op, const Tensor& into, const Shape& shape, DType dtype, const Device& device) {
  if (!into) return Tensor::empty(shape, dtype, device);
  if (!(into.shape() == shape) || into.dtype() != dtype || !same_device(into.device(), device))
    fail(std::string(op) + ": the place for its result does not fit", into.shape().str(),
         std::string(name_of(dtype)) + " " + shape.str() + " on " + device_name(device),
         std::string(name_of(into.dtype())) + " " + into.shape().str() + " on " + device_name(into.device()));
  return into.detach();  // a handle of its own: the op puts it on the tape
}

}  // namespace gf
