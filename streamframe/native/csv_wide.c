/* The kernels for CSV once more, for processors that look at 32 bytes at once; `kernels.py` asks which to take. */
#include "wide.h"

#ifdef WIDE_KERNELS
#define sf_csv_end_of_records sf_csv_end_of_records_wide
#define sf_csv_decode sf_csv_decode_wide
#define sf_count sf_count_wide
#include "csv.c"
#endif
