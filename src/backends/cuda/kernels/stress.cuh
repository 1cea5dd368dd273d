// Of stress builds, after the prelude: the next kernel may begin at once (the writer of texts puts trigger() first), and every warp sleeps
// after its wait for up to 100 us, by a number that follows from kernel, block and warp. Who reads what the kernel ahead has not written
// yet, or writes what it still reads, then gives other bits. TENON_STRESS is the kernel's number.
__device__ __forceinline__ void stressed_wait() {
  wait();
  u32 x = TENON_STRESS ^ ((blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x) * 0x9e3779b9u ^ threadIdx.x / 32 * 0x85ebca6bu;
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  x ^= x >> 16;
  // A third of the warps go on at once: short and long ways meet. __nanosleep takes up to twice its number.
  if (x % 3 != 0) __nanosleep((x >> 8) % 50000u);
}
#define wait() stressed_wait()
