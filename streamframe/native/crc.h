/* CRC-32 as gzip, PNG and the pages of Parquet have it. */
#ifndef STREAMFRAME_CRC_H
#define STREAMFRAME_CRC_H

#include <stdint.h>

uint32_t sf_crc32(const uint8_t *at, int64_t bytes);

#endif
