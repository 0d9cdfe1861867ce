// One op that makes the step of many parameters: it interprets their update rule.
//
// All variables are locked, in the order of their locks' addresses as TensorFlow's training ops do,
// until all are written. So no reader sees some of the new values, or half of one. Everything is
// checked before anything is written.

#include <cstring>

#include "interpreter.h"
#include "tensorflow/core/common_runtime/dma_helper.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/core/threadpool.h"
#include "thread_sanitizer.h"

namespace keras_optimizers {

using tensorflow::Tensor;
using tensorflow::Var;
namespace errors = tensorflow::errors;

REGISTER_OP("KerasOptimizersStep")
    .Input("variables: variable_count * resource")
    .Input("gradients: parameter_count * T")
    .Input("rows: row_types")
    .Input("scalars: scalar_count * T")
    .Input("is_rewritten: bool")
    .Attr("variable_count: int >= 0")
    .Attr("names: list(string) = []")
    .Attr("container: string = ''")
    .Attr("parameter_count: int >= 1")
    .Attr("scalar_count: int >= 0")
    .Attr("T: {half, float, double}")
    .Attr("row_types: list({int32, int64}) >= 0")
    .Attr("program: list(int) >= 0")
    .Attr("untouched_program: list(int) >= 0")
    .SetIsStateful()
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext*) {
      return tensorflow::Status();
    })
    .Doc(R"doc(
Makes one step of an update rule for several parameters, given as programs (see program.py).

variables: each parameter followed by its slots; nothing where their names are given.
names: their names in the resource manager of the op's device, which saves an op for each of them.
container: where the names are; the device's own if empty.
gradients: one for each parameter; with `rows`, the gradients of those rows.
rows: nothing, or for each parameter the rows that it has a gradient for, each row once.
scalars: the coefficients of the step.
is_rewritten: whether the graph optimizer turns `x / sqrt(y)` into `x * rsqrt(y)`.
program: for elements that have a gradient.
untouched_program: for all other rows, whose gradient is zero; empty if they stay as they are.
)doc");

// Whether nobody else holds the buffer of `value`.
bool IsOnlyHolder(const Tensor& value) {
  const tensorflow::TensorBuffer* buffer = tensorflow::DMAHelper::buffer(&value);
  return buffer != nullptr && buffer->RefCountIsOne() && buffer->OwnsMemory() &&
         const_cast<tensorflow::TensorBuffer*>(buffer)->root_buffer()->RefCountIsOne();
}

struct TouchedRow {
  int64_t row;
  int64_t position;  // in the gradient
  bool operator<(const TouchedRow& other) const { return row < other.row; }
};

// The new value of a variable whose buffer somebody else holds, too.
struct Replacement {
  size_t variable;
  Tensor value;
};

template <typename T>
struct Parameter {
  Values<T> values;
  const T* gradient;
  // With a gradient of rows:
  int64_t row_size;
  std::vector<TouchedRow> touched;
  // Units of work: blocks, touched rows, or groups of rows.
  int64_t units;
  int64_t units_before;
};

template <typename T>
class Step : public tensorflow::OpKernel {
 public:
  explicit Step(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    int variables, parameters;
    std::vector<tensorflow::DataType> rows;
    OP_REQUIRES_OK(context, context->GetAttr("variable_count", &variables));
    OP_REQUIRES_OK(context, context->GetAttr("names", &names_));
    OP_REQUIRES_OK(context, context->GetAttr("container", &container_));
    OP_REQUIRES(context, variables == 0 || names_.empty(),
                errors::InvalidArgument("Give variables or names, not both."));
    if (variables == 0) variables = names_.size();
    OP_REQUIRES_OK(context, context->GetAttr("parameter_count", &parameters));
    OP_REQUIRES_OK(context, context->GetAttr("row_types", &rows));
    OP_REQUIRES_OK(context, context->GetAttr("scalar_count", &registers_.scalars));
    OP_REQUIRES(context, variables > 0 && variables % parameters == 0 &&
                             (rows.empty() || static_cast<int>(rows.size()) == parameters),
                errors::InvalidArgument("Each parameter needs as many variables and rows."));
    registers_.variables = variables / parameters;
    has_rows_ = !rows.empty();
    Parse(context, "program", &program_);
    Parse(context, "untouched_program", &untouched_program_);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    std::vector<tensorflow::core::RefCountPtr<Var>> variables;
    OP_REQUIRES_OK(context, LookUp(context, &variables));
    std::vector<tensorflow::mutex_lock> locks;
    OP_REQUIRES_OK(context, Lock(variables, &locks));

    // Pointers into the variables, those of one parameter after the other.
    std::vector<const T*> before(variables.size());
    std::vector<T*> after(variables.size());
    std::vector<Replacement> replacements;
    std::vector<Parameter<T>> parameters;
    Memory<T> scalars;
    OP_REQUIRES_OK(context, Prepare(context, variables, &before, &after, &replacements));
    OP_REQUIRES_OK(context, ReadScalars(context, &scalars));
    OP_REQUIRES_OK(context, ReadGradients(context, variables, &parameters));
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].values.before = &before[i * registers_.variables];
      parameters[i].values.after = &after[i * registers_.variables];
    }

    const Tensor* is_rewritten;
    OP_REQUIRES_OK(context, context->input("is_rewritten", &is_rewritten));
    OP_REQUIRES(context, is_rewritten->NumElements() == 1,
                errors::InvalidArgument("`is_rewritten` is no scalar."));
    RunAll(context, parameters, scalars, is_rewritten->flat<bool>()(0));

    for (const Replacement& one : replacements) *variables[one.variable]->tensor() = one.value;
    for (const auto& variable : variables) HandOver(variable->mu());
  }

 private:
  using Context = tensorflow::OpKernelContext*;
  using Status = tensorflow::Status;
  using Variables = std::vector<tensorflow::core::RefCountPtr<Var>>;

  void Parse(tensorflow::OpKernelConstruction* context, const char* name, Program* program) {
    std::vector<tensorflow::int32> code;
    OP_REQUIRES_OK(context, context->GetAttr(name, &code));
    int functions;
    Functions<T>(&functions);
    OP_REQUIRES(context, program->Parse(code, registers_, functions),
                errors::InvalidArgument("`", name, "` is not a program of this version."));
  }

  Status LookUp(Context context, Variables* variables) const {
    tensorflow::ResourceMgr* manager = context->resource_manager();
    std::vector<std::pair<const std::string*, const std::string*>> places;
    if (!names_.empty()) {
      const std::string& container = container_.empty() ? manager->default_container() : container_;
      for (const std::string& name : names_) places.emplace_back(&container, &name);
      TF_RETURN_IF_ERROR(manager->LookupMany<Var>(places, variables));
    } else {
      std::vector<const tensorflow::ResourceHandle*> handles;
      tensorflow::OpInputList inputs;
      TF_RETURN_IF_ERROR(context->input_list("variables", &inputs));
      for (int i = 0; i < inputs.size(); ++i) {
        handles.push_back(&tensorflow::HandleFromInput(context, i));
      }
      variables->resize(handles.size());
      TF_RETURN_IF_ERROR(tensorflow::LookupResources(context, handles, variables));
    }
    for (size_t i = 0; i < variables->size(); ++i) {
      if ((*variables)[i] == nullptr) return Uninitialized(context, i);
    }
    return Status();
  }

  std::string NameOf(Context context, int variable) const {
    return names_.empty() ? tensorflow::HandleFromInput(context, variable).name()
                          : names_[variable];
  }

  Status Uninitialized(Context context, int variable) const {
    return errors::FailedPrecondition("Error while reading resource variable ",
                                      NameOf(context, variable),
                                      ": it has not been initialized. Run its initializer first.");
  }

  static Status Lock(const Variables& variables, std::vector<tensorflow::mutex_lock>* locks) {
    std::vector<tensorflow::mutex*> mutexes;
    for (const auto& variable : variables) mutexes.push_back(variable->mu());
    std::sort(mutexes.begin(), mutexes.end());
    if (std::adjacent_find(mutexes.begin(), mutexes.end()) != mutexes.end()) {
      return errors::InvalidArgument("The step has been given one variable twice.");
    }
    locks->reserve(mutexes.size());
    for (tensorflow::mutex* mutex : mutexes) {
      locks->emplace_back(*mutex);
      TakeOver(mutex);
    }
    return Status();
  }

  // A block filled with each scalar.
  static Status ReadScalars(Context context, Memory<T>* scalars) {
    tensorflow::OpInputList inputs;
    TF_RETURN_IF_ERROR(context->input_list("scalars", &inputs));
    for (int i = 0; i < inputs.size(); ++i) {
      if (inputs[i].NumElements() != 1) {
        return errors::InvalidArgument("A coefficient of the step is no scalar: its shape is ",
                                       inputs[i].shape().DebugString(), ".");
      }
      scalars->insert(scalars->end(), kBlock, inputs[i].flat<T>()(0));
    }
    return Status();
  }

  Status ReadGradients(Context context, const Variables& variables,
                       std::vector<Parameter<T>>* parameters) const {
    tensorflow::OpInputList gradients, rows;
    TF_RETURN_IF_ERROR(context->input_list("gradients", &gradients));
    TF_RETURN_IF_ERROR(context->input_list("rows", &rows));
    parameters->resize(gradients.size());
    int64_t units = 0;
    for (int i = 0; i < gradients.size(); ++i) {
      Parameter<T>& parameter = (*parameters)[i];
      const Tensor& value = *variables[i * registers_.variables]->tensor();
      parameter.values.size = value.NumElements();
      parameter.gradient = gradients[i].flat<T>().data();
      if (has_rows_) {
        TF_RETURN_IF_ERROR(ReadRows(value, gradients[i], rows[i], &parameter));
      } else if (gradients[i].shape() != value.shape()) {
        return WrongGradient(value, gradients[i]);
      } else {
        parameter.units = (parameter.values.size + kBlock - 1) / kBlock;
      }
      parameter.units_before = units;
      units += parameter.units;
    }
    return Status();
  }

  static Status WrongGradient(const Tensor& value, const Tensor& gradient) {
    return errors::InvalidArgument("A gradient has the shape ", gradient.shape().DebugString(),
                                   ", its parameter ", value.shape().DebugString(), ".");
  }

  Status ReadRows(const Tensor& value, const Tensor& gradient, const Tensor& rows,
                  Parameter<T>* parameter) const {
    const int64_t row_count = value.dims() > 0 ? value.dim_size(0) : 0;
    parameter->row_size = row_count > 0 ? value.NumElements() / row_count : 0;
    if (gradient.NumElements() != rows.NumElements() * parameter->row_size) {
      return WrongGradient(value, gradient);
    }
    parameter->touched.reserve(rows.NumElements());
    for (int64_t i = 0; i < rows.NumElements(); ++i) {
      const bool is_short = rows.dtype() == tensorflow::DT_INT32;
      const int64_t row =
          is_short ? rows.flat<tensorflow::int32>()(i) : rows.flat<tensorflow::int64>()(i);
      if (row < 0 || row >= row_count) {
        return errors::InvalidArgument("indices[", i, "] = ", row, " is not in [0, ", row_count,
                                       ")");
      }
      parameter->touched.push_back({row, i});
    }
    std::sort(parameter->touched.begin(), parameter->touched.end());
    for (size_t i = 1; i < parameter->touched.size(); ++i) {
      if (parameter->touched[i - 1].row == parameter->touched[i].row) {
        return errors::InvalidArgument("A row is listed twice: ", parameter->touched[i].row, ".");
      }
    }
    const int64_t group = RowsInGroup(*parameter);
    const int64_t groups = (row_count + group - 1) / group;
    parameter->units = HasUntouchedProgram() ? groups : parameter->touched.size();
    return Status();
  }

  // Checks that all that belongs to one parameter has its shape, and the dtype; finds the memory.
  // A variable is written where it is. If somebody else holds its buffer, that stays as it is, and
  // the new values go to another one.
  Status Prepare(Context context, const Variables& variables, std::vector<const T*>* before,
                 std::vector<T*>* after, std::vector<Replacement>* replacements) const {
    for (size_t i = 0; i < variables.size(); ++i) {
      const size_t slot = i % registers_.variables;
      const Tensor* value = variables[i]->tensor();
      if (!variables[i]->is_initialized || !value->IsInitialized()) {
        return Uninitialized(context, i);
      }
      const Tensor& parameter = *variables[i - slot]->tensor();
      if (value->dtype() != tensorflow::DataTypeToEnum<T>::value ||
          (slot > 0 && value->shape() != parameter.shape())) {
        return errors::InvalidArgument(
            "The variable ", NameOf(context, i), " is ", variables[i]->DebugString(),
            "; its parameter has the shape ", parameter.shape().DebugString(),
            " and the step is of ",
            tensorflow::DataTypeString(tensorflow::DataTypeToEnum<T>::value), ".");
      }
      (*before)[i] = Data(*value);
      if (!program_.writes[slot] || value->NumElements() == 0) continue;
      if (!IsOnlyHolder(*value)) {
        replacements->push_back({i, Tensor()});
        Tensor* replacement = &replacements->back().value;
        TF_RETURN_IF_ERROR(context->allocate_temp(value->dtype(), value->shape(), replacement));
        if (has_rows_) {  // not every row is written
          std::memcpy(Data(*replacement), Data(*value), value->NumElements() * sizeof(T));
          (*before)[i] = Data(*replacement);
        }
        value = replacement;
      }
      (*after)[i] = Data(*value);
    }
    return Status();
  }

  static T* Data(const Tensor& value) {
    return static_cast<T*>(const_cast<void*>(tensorflow::DMAHelper::base(&value)));
  }

  void RunAll(Context context, const std::vector<Parameter<T>>& parameters,
              const Memory<T>& scalars, bool is_rewritten) const {
    const int64_t units = parameters.back().units_before + parameters.back().units;
    if (units == 0) return;
    static char started, finished;  // their addresses stand for these events
    auto run = [&](int64_t first, int64_t last) {
      TakeOver(&started);
      Interpreter<T> interpreter(
          registers_, scalars, std::max(program_.temporaries, untouched_program_.temporaries),
          is_rewritten);
      // The parameter of the first unit: the last one that does not begin after it.
      auto parameter = std::upper_bound(parameters.begin(), parameters.end(), first,
                                        [](int64_t unit, const Parameter<T>& other) {
                                          return unit < other.units_before;
                                        }) - 1;
      for (; parameter != parameters.end() && parameter->units_before < last; ++parameter) {
        RunUnits(&interpreter, *parameter,
                 std::max<int64_t>(0, first - parameter->units_before),
                 std::min(parameter->units, last - parameter->units_before));
      }
      HandOver(&finished);
    };
    int64_t elements = 0;
    for (const Parameter<T>& parameter : parameters) {
      const int64_t touched = parameter.touched.size() * parameter.row_size;
      elements += has_rows_ && !HasUntouchedProgram() ? touched : parameter.values.size;
    }
    const int64_t cycles_per_element = 2 + program_.instructions.size() / 2;
    auto* workers = context->device()->tensorflow_cpu_worker_threads()->workers;
    HandOver(&started);
    workers->ParallelFor(units, std::max<int64_t>(1, elements * cycles_per_element / units), run);
    TakeOver(&finished);
  }

  void RunUnits(Interpreter<T>* interpreter, const Parameter<T>& parameter,
                int64_t first, int64_t last) const {
    if (!has_rows_) {
      const int64_t start = first * kBlock;
      interpreter->Run(program_, parameter.values, start,
                       std::min(last * kBlock, parameter.values.size) - start,
                       parameter.gradient + start);
    } else if (!HasUntouchedProgram()) {
      for (int64_t i = first; i < last; ++i) {
        RunTouchedRow(interpreter, parameter, parameter.touched[i]);
      }
    } else {
      const int64_t group = RowsInGroup(parameter) * parameter.row_size;
      RunRows(interpreter, parameter, first * group,
              std::min(last * group, parameter.values.size));
    }
  }

  // The rows between two elements.
  void RunRows(Interpreter<T>* interpreter,
               const Parameter<T>& parameter, int64_t first, int64_t last) const {
    if (first >= last) return;
    auto touched = std::lower_bound(parameter.touched.begin(), parameter.touched.end(),
                                    TouchedRow{first / parameter.row_size, 0});
    while (first < last) {
      const bool is_end = touched == parameter.touched.end();
      const int64_t next = is_end ? last : std::min(last, touched->row * parameter.row_size);
      interpreter->Run(untouched_program_, parameter.values, first, next - first, nullptr);
      first = next;
      if (first < last) {
        RunTouchedRow(interpreter, parameter, *touched++);
        first += parameter.row_size;
      }
    }
  }

  void RunTouchedRow(Interpreter<T>* interpreter,
                     const Parameter<T>& parameter, const TouchedRow& touched) const {
    interpreter->Run(program_, parameter.values, touched.row * parameter.row_size,
                     parameter.row_size,
                     parameter.gradient + touched.position * parameter.row_size);
  }

  static int64_t RowsInGroup(const Parameter<T>& parameter) {
    return std::max<int64_t>(1, 32 * kBlock / std::max<int64_t>(1, parameter.row_size));
  }

  bool HasUntouchedProgram() const { return !untouched_program_.instructions.empty(); }

  std::vector<std::string> names_;
  std::string container_;
  Registers registers_;
  bool has_rows_;
  Program program_;
  Program untouched_program_;  // for rows without a gradient
};

#define REGISTER(T)                                                              \
  REGISTER_KERNEL_BUILDER(                                                       \
      Name("KerasOptimizersStep").Device(tensorflow::DEVICE_CPU).TypeConstraint<T>("T"), Step<T>)
REGISTER(Eigen::half);
REGISTER(float);
REGISTER(double);
#undef REGISTER

}  // namespace keras_optimizers
