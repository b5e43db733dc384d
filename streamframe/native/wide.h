/* What follows is compiled for processors that look at 32 bytes at once; `wide.c` tells whether this is one. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE_KERNELS
#pragma GCC target("avx2,bmi,bmi2,pclmul,popcnt")
#endif
