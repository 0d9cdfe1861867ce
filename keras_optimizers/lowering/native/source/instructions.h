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
constexpr int kOperands = 6;

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

// to[i] = Formula(from[0][i], ..., from[5][i]). `to` may be one of `from`.

template <class Formula, typename T>
int64_t ForEachPacket(T* to, const T* const* from, int64_t count, std::true_type) {
  using Packet = typename Eigen::internal::packet_traits<T>::type;
  using Eigen::internal::ploadu;
  // Copies, for the compiler must assume that a packet is stored where `from` points.
  const T *const a = from[0], *const b = from[1], *const c = from[2], *const d = from[3],
                 *const e = from[4], *const f = from[5];
  int64_t i = 0;
  for (; i + PacketSize<T>() <= count; i += PacketSize<T>()) {
    const Packet operands[kOperands] = {ploadu<Packet>(a + i), ploadu<Packet>(b + i),
                                        ploadu<Packet>(c + i), ploadu<Packet>(d + i),
                                        ploadu<Packet>(e + i), ploadu<Packet>(f + i)};
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
    const T operands[kOperands] = {from[0][i], from[1][i], from[2][i],
                                    from[3][i], from[4][i], from[5][i]};
    to[i] = Formula::template Element<T>(operands);
  }
}

// All instructions. `program.py` has the same list, and the self-test compares each with
// TensorFlow's ops. Those of several functors save loads and stores; they round as often.

template <typename T>
using Function = void (*)(T* to, const T* const* from, int64_t count);

using A = Operand<0>;
using B = Operand<1>;
using C = Operand<2>;
using D = Operand<3>;
using E = Operand<4>;
using F = Operand<5>;

template <class X, class Y>
using Sum = Call<SumOf, X, Y>;
template <class X, class Y>
using Difference = Call<DifferenceOf, X, Y>;
template <class X, class Y>
using Product = Call<ProductOf, X, Y>;
template <class X, class Y>
using Quotient = Call<QuotientOf, X, Y>;
template <class X, class Y>
using Larger = Call<LargerOf, X, Y>;
template <class X>
using Square = Call<SquareOf, X>;
template <class X>
using Root = Call<RootOf, X>;
template <class X>
using InverseRoot = Call<InverseRootOf, X>;
template <class X>
using Magnitude = Call<MagnitudeOf, X>;

// An instruction, and what it becomes where TensorFlow's graph optimizer rewrites quotients over a
// root.
template <typename T>
struct Forms {
  Function<T> as_written;
  Function<T> rewritten;
};

template <class Formula, typename T, class Rewritten = Formula>
constexpr Forms<T> Make() {
  return {ForEach<Formula, T>, ForEach<Rewritten, T>};
}

template <typename T>
const Forms<T>* Functions(int* count) {
  static const Forms<T> functions[] = {
      Make<A, T>(),
      Make<Sum<A, B>, T>(),
      Make<Difference<A, B>, T>(),
      Make<Product<A, B>, T>(),
      Make<Quotient<A, B>, T>(),
      Make<Larger<A, B>, T>(),
      Make<Square<A>, T>(),
      Make<Root<A>, T>(),
      Make<Magnitude<A>, T>(),
      Make<Sum<Product<A, B>, Product<C, D>>, T>(),
      Make<Sum<Product<A, B>, Product<C, Square<D>>>, T>(),
      Make<Sum<Product<A, Quotient<B, C>>, Product<D, Quotient<E, F>>>, T>(),
      Make<Difference<Product<A, B>, Product<C, D>>, T>(),
      Make<Sum<A, Product<B, C>>, T>(),
      Make<Sum<A, Square<B>>, T>(),
      Make<Sum<Product<A, B>, C>, T>(),
      Make<Difference<A, Product<B, C>>, T>(),
      Make<Difference<Product<A, B>, C>, T>(),
      Make<Difference<A, Quotient<B, C>>, T>(),
      Make<Difference<A, Quotient<Product<B, C>, Sum<D, E>>>, T>(),
      Make<Difference<A, Quotient<Product<B, C>, Sum<Root<D>, E>>>, T>(),
      Make<Difference<A, Quotient<Product<B, C>, Sum<Root<Quotient<D, E>>, F>>>, T>(),
      Make<Sum<Root<A>, B>, T>(),
      Make<Larger<Product<A, B>, Magnitude<C>>, T>(),
      Make<Quotient<A, Root<B>>, T, Product<A, InverseRoot<B>>>(),
      Make<Quotient<Product<A, Root<Sum<B, C>>>, Root<Sum<D, E>>>, T,
           Product<Product<A, Root<Sum<B, C>>>, InverseRoot<Sum<D, E>>>>(),
  };
  *count = sizeof(functions) / sizeof(functions[0]);
  return functions;
}

}  // namespace keras_optimizers

#endif  // KERAS_OPTIMIZERS_INSTRUCTIONS_H_
