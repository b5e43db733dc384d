/* The kernels for CSV once more, for processors that look at 32 bytes at once; `kernels.py` asks which to take. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2,bmi,bmi2,pclmul,popcnt")
#define sf_csv_end_of_records sf_csv_end_of_records_wide
#define sf_csv_decode sf_csv_decode_wide
#define sf_count sf_count_wide
#include "csv.c"

int sf_is_wide(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("popcnt");
}
#else
int sf_is_wide(void) { return 0; }
#endif
