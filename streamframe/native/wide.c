/* Whether the kernels that are there twice can be taken in their wide form. */
#include "wide.h"

int sf_is_wide(void) {
#ifdef WIDE_KERNELS
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("popcnt");
#else
    return 0;
#endif
}
