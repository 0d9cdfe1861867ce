// Runs a program over the elements of a parameter, block by block.
#ifndef KERAS_OPTIMIZERS_INTERPRETER_H_
#define KERAS_OPTIMIZERS_INTERPRETER_H_

#include <algorithm>
#include <vector>

#include "instructions.h"

namespace keras_optimizers {

// Elements that a program treats at a time: few, so that all of them stay in the nearest cache.
constexpr int64_t kBlock = 128;

// The registers of a program. Each is a block of elements. The variables of a parameter (itself and
// its slots) have two: the values before the step, and after it.
struct Registers {
  int variables;
  int scalars;

  int New(int variable) const { return variables + variable; }
  int Gradient() const { return 2 * variables; }
  int Scalar(int scalar) const { return 2 * variables + 1 + scalar; }
  int Temporary(int temporary) const { return Scalar(scalars) + temporary; }
};

struct Instruction {
  int function;
  int to;
  int from[kOperands];
};

struct Program {
  std::vector<Instruction> instructions;
  std::vector<bool> writes;  // for each variable
  int temporaries = 0;

  // Takes the instructions from a flat list; false if it is not a program for these registers.
  bool Parse(const std::vector<int>& code, const Registers& registers, int functions) {
    constexpr int kLength = 2 + kOperands;
    writes.assign(registers.variables, false);
    if (code.size() % kLength != 0) return false;
    const int first_temporary = registers.Temporary(0);
    for (size_t start = 0; start < code.size(); start += kLength) {
      Instruction instruction;
      instruction.function = code[start];
      instruction.to = code[start + 1];
      std::copy_n(&code[start + 2], kOperands, instruction.from);
      if (instruction.function < 0 || instruction.function >= functions) return false;
      for (int from : instruction.from) {
        if (from < 0 || from >= first_temporary + static_cast<int>(code.size())) return false;
        const bool is_new = from >= registers.New(0) && from < registers.Gradient();
        if (is_new && !writes[from - registers.New(0)]) return false;
        temporaries = std::max(temporaries, from - first_temporary + 1);
      }
      if (instruction.to < registers.New(0)) return false;
      if (instruction.to < registers.Gradient()) {
        writes[instruction.to - registers.New(0)] = true;
      } else if (instruction.to < first_temporary) {
        return false;
      }
      temporaries = std::max(temporaries, instruction.to - first_temporary + 1);
      instructions.push_back(instruction);
    }
    return true;
  }
};

// One parameter and its slots, in memory.
template <typename T>
struct Values {
  const T* const* before;  // for each variable
  T* const* after;         // the same memory, or other; null where the program does not write
  int64_t size;
};

template <typename T>
using Memory = std::vector<T, Eigen::aligned_allocator<T>>;

// What one thread needs.
template <typename T>
class Interpreter {
 public:
  // `scalars`: a block filled with each.
  // `is_rewritten`: whether the graph optimizer rewrites quotients over a root.
  Interpreter(const Registers& registers, const Memory<T>& scalars, int temporaries,
              bool is_rewritten)
      : layout_(registers),
        is_rewritten_(is_rewritten),
        zeros_(kBlock, T(0)),
        temporaries_(temporaries * kBlock, T(0)),
        padded_((2 * registers.variables + 1) * PacketSize<T>(), T(0)),
        registers_(registers.Temporary(temporaries)) {
    int count;
    functions_ = Functions<T>(&count);
    for (int i = 0; i < registers.scalars; ++i) {
      registers_[registers.Scalar(i)] = const_cast<T*>(scalars.data()) + i * kBlock;
    }
    for (int i = 0; i < temporaries; ++i) {
      registers_[registers.Temporary(i)] = temporaries_.data() + i * kBlock;
    }
  }

  // Runs `program` on the elements from `first` on, with their gradient, or zero for null.
  void Run(const Program& program, const Values<T>& values, int64_t first, int64_t count,
           const T* gradient) {
    constexpr int64_t kPacket = PacketSize<T>();
    // From here on TensorFlow's ops treat the elements one by one, all others in whole packets.
    const int64_t left_over = values.size - values.size % kPacket;
    for (const int64_t end = first + count; first < end;) {
      int64_t now = std::min(end - first, kBlock);
      const int64_t in_packets = std::min(first + now, left_over) - first;
      if (in_packets <= 0 || in_packets % kPacket == 0) {
        RunInPlace(program, values, first, now, gradient);
      } else if (in_packets > kPacket) {
        now = in_packets - in_packets % kPacket;
        RunInPlace(program, values, first, now, gradient);
      } else {
        now = in_packets;
        RunPadded(program, values, first, now, gradient);
      }
      first += now;
      if (gradient != nullptr) gradient += now;
    }
  }

 private:
  void RunInPlace(const Program& program, const Values<T>& values, int64_t first, int64_t count,
                  const T* gradient) {
    for (int i = 0; i < layout_.variables; ++i) {
      registers_[i] = const_cast<T*>(values.before[i]) + first;
      if (program.writes[i]) registers_[layout_.New(i)] = values.after[i] + first;
    }
    registers_[layout_.Gradient()] = const_cast<T*>(gradient != nullptr ? gradient : zeros_.data());
    if (count == kBlock && values.size - first >= 2 * kBlock) FetchNextBlock(gradient != nullptr);
    Execute(program, count);
  }

  // Brings the block behind this one into the cache while this one is computed. The processor does
  // not do it by itself: each of these streams rests while the others are read.
  void FetchNextBlock(bool has_gradient) {
    constexpr int64_t kCacheLine = 64 / sizeof(T);
    for (int64_t i = kBlock; i < 2 * kBlock; i += kCacheLine) {
      for (int variable = 0; variable < layout_.variables; ++variable) {
        __builtin_prefetch(registers_[variable] + i, 1);
      }
      if (has_gradient) __builtin_prefetch(registers_[layout_.Gradient()] + i, 0);
    }
  }

  // Less than a packet, from the middle of a tensor: it is filled up to one.
  void RunPadded(const Program& program, const Values<T>& values, int64_t first, int64_t count,
                 const T* gradient) {
    for (int i = 0; i <= layout_.Gradient(); ++i) {
      registers_[i] = padded_.data() + i * PacketSize<T>();
    }
    for (int i = 0; i < layout_.variables; ++i) {
      std::copy_n(values.before[i] + first, count, registers_[i]);
    }
    std::copy_n(gradient != nullptr ? gradient : zeros_.data(), count,
                registers_[layout_.Gradient()]);
    Execute(program, PacketSize<T>());
    for (int i = 0; i < layout_.variables; ++i) {
      if (program.writes[i]) {
        std::copy_n(registers_[layout_.New(i)], count, values.after[i] + first);
      }
    }
  }

  void Execute(const Program& program, int64_t count) {
    for (const Instruction& instruction : program.instructions) {
      const T* from[kOperands];
      for (int i = 0; i < kOperands; ++i) from[i] = registers_[instruction.from[i]];
      const Forms<T>& forms = functions_[instruction.function];
      (is_rewritten_ ? forms.rewritten : forms.as_written)(registers_[instruction.to], from, count);
    }
  }

  const Registers layout_;
  const bool is_rewritten_;
  const Forms<T>* functions_;
  Memory<T> zeros_, temporaries_, padded_;
  std::vector<T*> registers_;
};

}  // namespace keras_optimizers

#endif  // KERAS_OPTIMIZERS_INTERPRETER_H_
