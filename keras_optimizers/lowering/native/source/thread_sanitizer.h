// What ThreadSanitizer must be told, for TensorFlow's locks and threads are not compiled for it.
#ifndef KERAS_OPTIMIZERS_THREAD_SANITIZER_H_
#define KERAS_OPTIMIZERS_THREAD_SANITIZER_H_

#if defined(__SANITIZE_THREAD__)
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace keras_optimizers {

// All that this thread has done is seen by the threads that take over the same thing later.
inline void HandOver(void* thing) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(thing);
#endif
}

inline void TakeOver(void* thing) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(thing);
#endif
}

}  // namespace keras_optimizers

#endif  // KERAS_OPTIMIZERS_THREAD_SANITIZER_H_
