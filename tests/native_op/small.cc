// A small op for the tests of building and loading: it doubles a tensor.
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

REGISTER_OP("KerasOptimizersTestDouble")
    .Input("x: float")
    .Output("y: float")
    .SetShapeFn(tensorflow::shape_inference::UnknownShape);

class Double : public tensorflow::OpKernel {
 public:
  explicit Double(tensorflow::OpKernelConstruction* context) : OpKernel(context) {}
  void Compute(tensorflow::OpKernelContext* context) override {
    tensorflow::Tensor* output = nullptr;
    const tensorflow::Tensor& input = context->input(0);
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    output->flat<float>() = input.flat<float>() * 2.0f;
  }
};
REGISTER_KERNEL_BUILDER(Name("KerasOptimizersTestDouble").Device(tensorflow::DEVICE_CPU), Double);
