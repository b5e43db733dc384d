/* Reading Parquet once more, for processors that look at 32 bytes at once; `kernels.py` asks which to take. */
#include "wide.h"

#ifdef WIDE_KERNELS
#define sf_parquet_chunk_bytes sf_parquet_chunk_bytes_wide
#define sf_parquet_close sf_parquet_close_wide
#define sf_parquet_read sf_parquet_read_wide
#define sf_parquet_read_steps sf_parquet_read_steps_wide
#define sf_parquet_read_many sf_parquet_read_many_wide
#include "parquet.c"
#endif
