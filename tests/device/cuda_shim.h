// Enough of CUDA C to run a kernel's unchanged source on one CPU core, a thread after the other.
//
// With SHIM_BARRIERS every CUDA thread is a fibre that __syncthreads() suspends; without it the
// threads of a block are a plain loop. Threads and blocks run in one of three orders: where the
// results differ, the kernel has a race.
//
// Not modelled: warps (shuffles and votes do not compile, on purpose), the memory model, streams,
// alignment faults, contraction to fused multiply-adds, the last bits of a device's libm.
#pragma once
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __constant__ const
#define __restrict__ __restrict
#define __launch_bounds__(...)
// A section of their own, so that each block can start from poisoned shared memory.
#define __shared__ static __attribute__((section("cuda_shared")))
extern char __start_cuda_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_cuda_shared[] __attribute__((weak, visibility("hidden")));

namespace shim {
struct Index { unsigned x, y, z; };
}
static shim::Index threadIdx, blockIdx, blockDim, gridDim;
static const int warpSize = 32;

namespace shim {

enum Failure { NONE, DIVERGED, BOUNDS, SHARED_BOUNDS };
enum Order { FORWARD, REVERSE, SHUFFLED };

const size_t STACK = 128 << 10;
const size_t GUARD = 4096;    // bytes watched behind dynamic shared memory
const char POISON = (char)0xFF;  // NaN in every floating-point type
const char CANARY = (char)0xA5;

static std::vector<char> dynamic;  // dynamic shared memory, then its guard
static size_t dynamic_size;
static Failure failure;
static int failure_line;
static jmp_buf give_up;

[[noreturn]] static void fail(Failure what, int line) {
  failure = what;
  failure_line = line;
  _longjmp(give_up, 1);
}

static Index unravel(size_t i, Index shape) {
  unsigned x = i % shape.x;
  i /= shape.x;
  return {x, (unsigned)(i % shape.y), (unsigned)(i / shape.y)};
}

static void sort_into(Order order, std::vector<unsigned>& sequence, std::mt19937& random) {
  std::iota(sequence.begin(), sequence.end(), 0u);
  if (order == REVERSE) std::reverse(sequence.begin(), sequence.end());
  if (order == SHUFFLED) std::shuffle(sequence.begin(), sequence.end(), random);
}

static void poison() {
  if (__start_cuda_shared)
    memset(__start_cuda_shared, POISON, __stop_cuda_shared - __start_cuda_shared);
  std::fill_n(dynamic.begin(), dynamic_size, POISON);
}

static void make_dynamic(size_t size) {
  dynamic_size = size;
  dynamic.resize(size + GUARD);
  std::fill(dynamic.begin() + size, dynamic.end(), CANARY);
}

static void check_dynamic() {
  if (std::count(dynamic.begin() + dynamic_size, dynamic.end(), CANARY) != (long)GUARD)
    fail(SHARED_BOUNDS, 0);
}

#ifdef SHIM_BARRIERS

struct Fibre {
  char* stack = nullptr;
  ucontext_t start;
  jmp_buf here;
  Index thread;
  int line;      // of the barrier it waits at
  bool started;  // its stack is in use: it goes on by a jump
  enum { READY, WAITING, DONE } state;
};

static std::vector<Fibre> fibres;  // made once: a start costs far more than a jump
static std::vector<unsigned> sequence;  // of the threads of this block
static size_t position;                 // in it, of the thread that runs
static jmp_buf scheduler;
static void (*body)(void*);
static void* body_arguments;

static void enter();

static void start(Fibre& fibre) {
  fibre.started = true;
  getcontext(&fibre.start);
  if (!fibre.stack) fibre.stack = (char*)malloc(STACK);
  fibre.start.uc_stack.ss_sp = fibre.stack;
  fibre.start.uc_stack.ss_size = STACK;
  fibre.start.uc_link = nullptr;
  makecontext(&fibre.start, enter, 0);
  setcontext(&fibre.start);
}

// Go on with the next thread, or with the scheduler after the last one. By jumps, and not by
// swapcontext, which asks the operating system each time.
static void next() {
  for (; position < sequence.size(); position++) {
    Fibre& fibre = fibres[sequence[position]];
    if (fibre.state == Fibre::DONE) continue;
    threadIdx = fibre.thread;
    if (!fibre.started) start(fibre);
    _longjmp(fibre.here, 1);
  }
  _longjmp(scheduler, 1);
}

static void leave(Fibre& fibre) {
  position++;
  if (!_setjmp(fibre.here)) next();
}

// A fibre runs one thread of the kernel after the other, a block at a time.
static void enter() {
  for (;;) {
    body(body_arguments);
    Fibre& fibre = fibres[sequence[position]];
    fibre.state = Fibre::DONE;
    leave(fibre);
  }
}

static void barrier(int line) {
  Fibre& fibre = fibres[sequence[position]];
  fibre.state = Fibre::WAITING;
  fibre.line = line;
  leave(fibre);
}

static void run_block(size_t n_threads, Order order, std::mt19937& random) {
  for (size_t i = 0; i < n_threads; i++) {
    fibres[i].thread = unravel(i, blockDim);
    fibres[i].state = Fibre::READY;
  }
  sequence.resize(n_threads);
  if (order != SHUFFLED) sort_into(order, sequence, random);
  for (;;) {
    if (order == SHUFFLED) sort_into(order, sequence, random);
    position = 0;
    if (!_setjmp(scheduler)) next();
    size_t done = 0;
    for (size_t i = 0; i < n_threads; i++) done += fibres[i].state == Fibre::DONE;
    if (done == n_threads) return;
    for (size_t i = 0; i < n_threads; i++) {
      if (fibres[i].state == Fibre::DONE) continue;
      // Some threads left the kernel, or wait at another barrier: a device would hang, or worse.
      if (done || fibres[i].line != fibres[0].line) fail(DIVERGED, fibres[i].line);
    }
  }
}

#endif

// One parameter: 'p' pointer, 'c' pointer to const, 'f' floating, 'i' signed, 'u' unsigned,
// 'b' bool, 's' anything else; its size; and, for a pointer, kind and size of what it points to.
struct Parameter { char kind; char pointee; int size; int pointee_size; };

template <class T> constexpr char kind_of() {
  return std::is_pointer_v<T> ? 'p' : std::is_same_v<T, bool> ? 'b'
       : std::is_floating_point_v<T> ? 'f' : !std::is_integral_v<T> ? 's'
       : std::is_signed_v<T> ? 'i' : 'u';
}

template <class T> static Parameter describe_one() {
  using Target = std::remove_pointer_t<T>;
  using Value = std::conditional_t<std::is_void_v<Target>, char[1], std::remove_cv_t<Target>>;
  if (!std::is_pointer_v<T>) return {kind_of<std::remove_cv_t<T>>(), ' ', sizeof(T), 0};
  char pointee = std::is_void_v<Target> ? 'v' : kind_of<Value>();
  return {std::is_const_v<Target> ? 'c' : 'p', pointee, sizeof(T), (int)sizeof(Value)};
}

template <class... A> static int describe(void (*)(A...), Parameter* out) {
  ((*out++ = describe_one<A>()), ...);
  return sizeof...(A);
}

// The kernel is a template argument, so that the loop over threads can take it in.
template <auto kernel, class... A, size_t... I>
static inline void call(void (*)(A...), void** p, std::index_sequence<I...>) {
  kernel(*(std::remove_const_t<A>*)p[I]...);
}

template <auto kernel, class... A> static void run_thread(void (*f)(A...), void** p) {
  call<kernel>(f, p, std::index_sequence_for<A...>{});
}

template <auto kernel> static void launch_all(void** arguments, Order order) {
  std::mt19937 random(12345);
  size_t n_threads = (size_t)blockDim.x * blockDim.y * blockDim.z;
  std::vector<unsigned> blocks((size_t)gridDim.x * gridDim.y * gridDim.z);
  sort_into(order, blocks, random);
#ifdef SHIM_BARRIERS
  body = [](void* p) { run_thread<kernel>(kernel, (void**)p); };
  body_arguments = arguments;
  if (fibres.size() < n_threads) fibres.resize(n_threads);
#else
  std::vector<unsigned> threads(n_threads);
#endif
  for (unsigned block : blocks) {
    blockIdx = unravel(block, gridDim);
    poison();
#ifdef SHIM_BARRIERS
    run_block(n_threads, order, random);
#else
    if (order == FORWARD) {  // by far the most common: no table of threads
      for (unsigned z = 0; z < blockDim.z; z++)
        for (unsigned y = 0; y < blockDim.y; y++)
          for (unsigned x = 0; x < blockDim.x; x++) {
            threadIdx = {x, y, z};
            run_thread<kernel>(kernel, arguments);
          }
    } else {
      sort_into(order, threads, random);
      for (unsigned thread : threads) {
        threadIdx = unravel(thread, blockDim);
        run_thread<kernel>(kernel, arguments);
      }
    }
#endif
  }
  check_dynamic();
}

template <auto kernel>
static int launch(const unsigned* shape, size_t shared, void** arguments, int order, int* line) {
  gridDim = {shape[0], shape[1], shape[2]};
  blockDim = {shape[3], shape[4], shape[5]};
  failure = NONE;
  make_dynamic(shared);
  if (!_setjmp(give_up)) launch_all<kernel>(arguments, (Order)order);
#ifdef SHIM_BARRIERS
  if (failure)
    for (Fibre& fibre : fibres) fibre.started = false;  // left in the middle of the kernel
#endif
  *line = failure_line;
  return failure;
}

static size_t static_shared() {
  return __start_cuda_shared ? __stop_cuda_shared - __start_cuda_shared : 0;
}

}  // namespace shim

// Called by code built with -fsanitize=bounds, before an index leaves an array of known size.
struct shim_bounds { const char* file; uint32_t line, column; };
extern "C" __attribute__((visibility("hidden"))) void __ubsan_handle_out_of_bounds(
    shim_bounds* where, void*) {
  shim::fail(shim::BOUNDS, where->line);
}

#ifdef SHIM_BARRIERS
#define __syncthreads() shim::barrier(__LINE__)
#endif
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned __int128)a * b >> 64;
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t)a * b >> 32; }
static inline int __popc(unsigned a) { return __builtin_popcount(a); }
static inline int __popcll(unsigned long long a) { return __builtin_popcountll(a); }
static inline int __clz(int a) { return a ? __builtin_clz(a) : 32; }
static inline int __ffs(int a) { return __builtin_ffs(a); }
template <class T> static inline T __ldg(const T* p) { return *p; }
// CUDA's types of sixteen bytes, which one instruction reads or writes.
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
struct alignas(16) ulonglong2 { unsigned long long x, y; };
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline double2 make_double2(double x, double y) { return {x, y}; }
static inline ulonglong2 make_ulonglong2(unsigned long long x, unsigned long long y) {
  return {x, y};
}
// One thread at a time: every read-modify-write is atomic.
template <class T, class U> static inline T atomicAdd(T* p, U v) {
  T old = *p;
  *p += (T)v;
  return old;
}
static inline void __threadfence() {}
template <class T, class U> static inline T atomicMax(T* p, U v) {
  T old = *p;
  if ((T)v > old) *p = (T)v;
  return old;
}
static inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
static inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
static inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
using std::max;
using std::min;
