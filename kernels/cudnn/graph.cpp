#include "kernels/cudnn/graph.h"

namespace gf::cudnn {
namespace {

std::vector<std::int64_t> listed(const std::array<std::int64_t, 4>& a) { return {a.begin(), a.end()}; }

Descriptor make_tensor(std::int64_t id, const char* name, const Layout& l, DType dtype, int alignment,
                       bool is_virtual) {
  Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR, name);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, data_type(dtype));
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, listed(l.extents));
  d.set(CUDNN_ATTR_TENSOR_STRIDES, listed(l.strides));
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{alignment});
  d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
  d.finalize();
  return d;
}

}  // namespace

const Descriptor& Graph::tensor(std::int64_t id, const char* name, const Layout& l, DType dtype, int alignment) {
  return keep(make_tensor(id, name, l, dtype, alignment, false));
}

const Descriptor& Graph::virtual_tensor(const Layout& l) {
  return keep(make_tensor(next_virtual_id_++, "intermediate tensor", l, DType::f32, 16, true));
}

const Descriptor& Graph::convolution(const ConvolutionShape& p) {
  Descriptor d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "convolution");
  const std::vector<std::int64_t> pad{p.pad_h, p.pad_w};
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  d.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  d.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  d.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, pad);
  d.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, pad);
  d.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::vector<std::int64_t>{p.stride_h, p.stride_w});
  d.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::vector<std::int64_t>{p.dilation_h, p.dilation_w});
  d.finalize();
  return keep(std::move(d));
}

void Graph::convolution_forward(const ConvolutionShape& p, const Descriptor& x, const Descriptor& w,
                                const Descriptor& y) {
  Descriptor d(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, "convolution forward");
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, convolution(p));
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0f);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0f);
  d.finalize();
  operations_.push_back(std::move(d));
}

void Graph::convolution_input_grad(const ConvolutionShape& p, const Descriptor& dy, const Descriptor& w,
                                   const Descriptor& dx) {
  Descriptor d(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, "convolution input gradient");
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, convolution(p));
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, dy);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, w);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, dx);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 1.0f);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, 0.0f);
  d.finalize();
  operations_.push_back(std::move(d));
}

void Graph::convolution_weight_grad(const ConvolutionShape& p, const Descriptor& x, const Descriptor& dy,
                                    const Descriptor& dw) {
  Descriptor d(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, "convolution weight gradient");
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, convolution(p));
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, dy);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, dw);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, 1.0f);
  d.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, 0.0f);
  d.finalize();
  operations_.push_back(std::move(d));
}

const Descriptor& Graph::pointwise(cudnnPointwiseMode_t mode, const char* name, std::optional<double> ceiling) {
  Descriptor d(CUDNN_BACKEND_POINTWISE_DESCRIPTOR, name);
  d.set(CUDNN_ATTR_POINTWISE_MODE, mode);
  d.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  if (ceiling) d.set(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, *ceiling);
  d.finalize();
  return keep(std::move(d));
}

void Graph::add(const Descriptor& a, const Descriptor& b, const Descriptor& y) {
  Descriptor d(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "bias");
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise(CUDNN_POINTWISE_ADD, "addition"));
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  d.finalize();
  operations_.push_back(std::move(d));
}

void Graph::relu(const Descriptor& x, const Descriptor& y, std::optional<double> ceiling) {
  Descriptor d(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "relu");
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise(CUDNN_POINTWISE_RELU_FWD, "relu", ceiling));
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  d.finalize();
  operations_.push_back(std::move(d));
}

const Descriptor& Graph::finish() {
  Descriptor d(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "graph");
  d.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
  if (handle_) d.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle_);
  d.finalize();
  return keep(std::move(d));
}

}  // namespace gf::cudnn
