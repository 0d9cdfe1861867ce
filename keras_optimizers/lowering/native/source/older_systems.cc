// Definitions that a new compiler's headers expect of the newest system libraries.
//
// They are hidden: this library uses its own, and so also loads where the system is older than the
// compiler (manylinux2014: glibc 2.17, GLIBCXX 3.4.19).

#include <cstdlib>

// glibc 2.32. Headers read it to leave out locked instructions while there is one thread; 0 means
// that there may be several.
extern "C" {
__attribute__((visibility("hidden"))) extern char __libc_single_threaded;
char __libc_single_threaded = 0;
}

// GLIBCXX 3.4.29. Called where a size overflows, which no size here can.
namespace std {
__attribute__((visibility("hidden"))) void __throw_bad_array_new_length() { std::abort(); }
}  // namespace std
