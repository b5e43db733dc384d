/* Numbers of a few bits as Parquet has them, levels and indices: in runs of one number, or packed.
 *
 * Rule: as in `bits.h`, bytes behind the last number are read.
 */
#ifndef STREAMFRAME_RUNS_H
#define STREAMFRAME_RUNS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bits.h"

/* Numbers that are written in runs, or packed into bits. */
struct runs {
    const uint8_t *at, *end;
    int32_t width; /* of a number, in bits */
    int32_t packed;
    int64_t left; /* of the run */
    int64_t bit;  /* from `at` on, where the next packed number starts */
    uint32_t value;
};

static inline uint32_t length_at(const uint8_t *at) {
    uint32_t length;
    memcpy(&length, at, 4);
    return length;
}

static inline bool next_run(struct runs *runs) {
    if (runs->packed) runs->at += runs->bit >> 3;
    uint64_t head = 0;
    for (int shift = 0;; shift += 7) {
        if (runs->at == runs->end || shift > 28) return false;
        head |= (uint64_t)(*runs->at & 0x7F) << shift;
        if (!(*runs->at++ & 0x80)) break;
    }
    const int64_t there = runs->end - runs->at;
    runs->packed = head & 1;
    runs->left = (int64_t)(head >> 1);
    runs->bit = 0;
    if (runs->packed) {
        if (runs->left * runs->width > there) return false;
        runs->left *= 8;
    } else {
        const int bytes = (runs->width + 7) / 8;
        if (bytes > there) return false;
        runs->value = 0;
        for (int i = 0; i < bytes; i++) runs->value |= (uint32_t)runs->at[i] << 8 * i;
        runs->at += bytes;
    }
    return runs->left > 0;
}

static inline bool read_numbers(struct runs *runs, int64_t count, uint32_t *out) {
    while (count) {
        if (!runs->left && !next_run(runs)) return false;
        const int64_t some = count < runs->left ? count : runs->left;
        if (runs->packed) {
            unpack(runs->width, runs->at, runs->bit, some, out);
            runs->bit += some * runs->width;
        } else {
            for (int64_t i = 0; i < some; i++) out[i] = runs->value;
        }
        runs->left -= some;
        out += some;
        count -= some;
    }
    return true;
}

#endif
