// What a program's instructions do to each element.
//
// Every instruction consists of Eigen's functors, of which TensorFlow's own ops consist, and treats
// a tensor as those ops do: whole packets first, then the elements that are left over one by one.
// The two may round differently (square roots of float32 do). So the bits are those of the ops.
#ifndef KERAS_OPTIMIZERS_INSTRUCTIONS_H_
#define KERAS_OPTIMIZERS_INSTRUCTIONS_H_

#include <cstdint>
#include <type_traits>
#include <utility>

#include "tensorflow/core/public/version.h"
#include "unsupported/Eigen/CXX11/Tensor"

namespace keras_optimizers {

// The most values that an instruction reads.
constexpr int kOperands = 4;

template <typename T>
constexpr int PacketSize() {
  return Eigen::internal::packet_traits<T>::size;
}

// An instruction's formula, at compile time: operands, and functors of formulas.

template <int index>
struct Operand {
  template <typename T>
  struct HasPackets : std::true_type {};
  template <typename T>
  static T Element(const T* operands) {
    return operands[index];
  }
  template <typename T, typename Packet>
  static Packet Elements(const Packet* operands) {
    return operands[index];
  }
};

template <bool... values>
struct AreAllTrue
    : std::is_same<std::integer_sequence<bool, values..., true>,
                   std::integer_sequence<bool, true, values...>> {};

template <template <typename> class Functor, class... Arguments>
struct Call {
  template <typename T>
  struct HasPackets
      : AreAllTrue<bool(Eigen::internal::functor_traits<Functor<T>>::PacketAccess),
                   Arguments::template HasPackets<T>::value...> {};
  template <typename T>
  static T Element(const T* operands) {
    return Functor<T>()(Arguments::template Element<T>(operands)...);
  }
  template <typename T, typename Packet>
  static Packet Elements(const Packet* operands) {
    return Functor<T>().packetOp(Arguments::template Elements<T>(operands)...);
  }
};

template <typename T>
using SumOf = Eigen::internal::scalar_sum_op<T>;
template <typename T>
using DifferenceOf = Eigen::internal::scalar_difference_op<T>;
template <typename T>
using ProductOf = Eigen::internal::scalar_product_op<T>;
template <typename T>
using QuotientOf = Eigen::internal::scalar_quotient_op<T>;
// On TensorFlow 2 the larger of a number and NaN is NaN, on either side. Its latest headers define
// no version.
#if !defined(TF_MAJOR_VERSION) || TF_MAJOR_VERSION >= 2
template <typename T>
using LargerOf = Eigen::internal::scalar_max_op<T, T, Eigen::PropagateNaN>;
#else
template <typename T>
using LargerOf = Eigen::internal::scalar_max_op<T>;
#endif
template <typename T>
using SquareOf = Eigen::internal::scalar_square_op<T>;
template <typename T>
using RootOf = Eigen::internal::scalar_sqrt_op<T>;
template <typename T>
using InverseRootOf = Eigen::internal::scalar_rsqrt_op<T>;
template <typename T>
using MagnitudeOf = Eigen::internal::scalar_abs_op<T>;

// to[i] = Formula(from[0][i], ..., from[3][i]). `to` may be one of `from`.

template <class Formula, typename T>
int64_t ForEachPacket(T* to, const T* const* from, int64_t count, std::true_type) {
  using Packet = typename Eigen::internal::packet_traits<T>::type;
  int64_t i = 0;
  for (; i + PacketSize<T>() <= count; i += PacketSize<T>()) {
    const Packet operands[kOperands] = {
        Eigen::internal::ploadu<Packet>(from[0] + i), Eigen::internal::ploadu<Packet>(from[1] + i),
        Eigen::internal::ploadu<Packet>(from[2] + i), Eigen::internal::ploadu<Packet>(from[3] + i)};
    Eigen::internal::pstoreu(to + i, Formula::template Elements<T, Packet>(operands));
  }
  return i;
}

template <class Formula, typename T>
int64_t ForEachPacket(T*, const T* const*, int64_t, std::false_type) {
  return 0;
}

template <class Formula, typename T>
void ForEach(T* to, const T* const* from, int64_t count) {
  using HasPackets = std::integral_constant<bool, Formula::template HasPackets<T>::value>;
  int64_t i = ForEachPacket<Formula>(to, from, count, HasPackets());
  for (; i < count; ++i) {
    const T operands[kOperands] = {from[0][i], from[1][i], from[2][i], from[3][i]};
    to[i] = Formula::template Element<T>(operands);
  }
}

// All instructions. `program.py` has the same list, and the self-test compares each with
// TensorFlow's ops. Those of several functors save loads and stores; they round as often.

// The last two are one formula, as it is written and as TensorFlow's graph optimizer rewrites it.
constexpr int kOverRoot = 17;
constexpr int kTimesInverseRoot = 18;

template <typename T>
using Function = void (*)(T* to, const T* const* from, int64_t count);

using A = Operand<0>;
using B = Operand<1>;
using C = Operand<2>;
using D = Operand<3>;

template <typename T>
const Function<T>* Functions(int* count) {
  static const Function<T> functions[] = {
      ForEach<A>,
      ForEach<Call<SumOf, A, B>>,
      ForEach<Call<DifferenceOf, A, B>>,
      ForEach<Call<ProductOf, A, B>>,
      ForEach<Call<QuotientOf, A, B>>,
      ForEach<Call<LargerOf, A, B>>,
      ForEach<Call<SquareOf, A>>,
      ForEach<Call<RootOf, A>>,
      ForEach<Call<MagnitudeOf, A>>,
      ForEach<Call<SumOf, Call<ProductOf, A, B>, Call<ProductOf, C, D>>>,
      ForEach<Call<DifferenceOf, Call<ProductOf, A, B>, Call<ProductOf, C, D>>>,
      ForEach<Call<SumOf, A, Call<ProductOf, B, C>>>,
      ForEach<Call<SumOf, Call<ProductOf, A, B>, C>>,
      ForEach<Call<DifferenceOf, A, Call<ProductOf, B, C>>>,
      ForEach<Call<DifferenceOf, Call<ProductOf, A, B>, C>>,
      ForEach<Call<DifferenceOf, A, Call<QuotientOf, B, C>>>,
      ForEach<Call<SumOf, Call<RootOf, A>, B>>,
      ForEach<Call<QuotientOf, A, Call<RootOf, B>>>,
      ForEach<Call<ProductOf, A, Call<InverseRootOf, B>>>,
  };
  *count = sizeof(functions) / sizeof(functions[0]);
  return functions;
}

}  // namespace keras_optimizers

#endif  // KERAS_OPTIMIZERS_INSTRUCTIONS_H_
