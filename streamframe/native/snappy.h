/* Snappy's raw format to bytes: https://github.com/google/snappy/blob/main/format_description.txt */
#ifndef STREAMFRAME_SNAPPY_H
#define STREAMFRAME_SNAPPY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* So many bytes behind the output are written over. */
enum { SNAPPY_SLACK = 64 };

/* A copy of 1 to 64 bytes from `back` bytes before, which may overlap: then it repeats. */
static inline void snappy_copy(uint8_t *to, int64_t back, int64_t length) {
    const uint8_t *from = to - back;
    if (back >= 64) {
        /* By halves, whatever the length: the turns of a loop would be foretold wrongly at every other copy. */
        memcpy(to, from, 32);
        if (length > 32) memcpy(to + 32, from + 32, 32);
    } else if (back >= 16) {
        for (int64_t at = 0; at < length; at += 16) memcpy(to + at, from + at, 16);
    } else if (back >= 8) {
        for (int64_t at = 0; at < length; at += 8) memcpy(to + at, from + at, 8);
    } else {
        /* Twice as far back repeats just the same, until eight bytes do not overlap. */
        const uint8_t *end = to + length;
        while (to - from < 8) {
            const int64_t apart = to - from;
            for (int64_t i = 0; i < apart; i++) to[i] = from[i];
            to += apart;
        }
        for (; to < end; to += 8, from += 8) memcpy(to, from, 8);
    }
}

/* Whether these bytes are `size` bytes when they are decompressed; `to` has SNAPPY_SLACK bytes behind them. */
static inline bool snappy(const uint8_t *at, const uint8_t *end, uint8_t *to, int64_t size) {
    uint64_t announced = 0;
    for (int shift = 0;; shift += 7) {
        if (at == end || shift > 28) return false;
        announced |= (uint64_t)(*at & 0x7F) << shift;
        if (!(*at++ & 0x80)) break;
    }
    if (announced != (uint64_t)size) return false;
    const uint8_t *start = to, *full = to + size;
    while (at < end) {
        const uint8_t tag = *at++;
        int64_t length = (tag >> 2) + 1, back;
        if ((tag & 3) == 0) {
            if (length <= 16 && end - at >= 16 && full - to >= length) {
                memcpy(to, at, 16);
            } else {
                if (length > 60) {
                    const int64_t bytes = length - 60;
                    if (end - at < bytes) return false;
                    length = 0;
                    for (int64_t i = 0; i < bytes; i++) length |= (int64_t)at[i] << 8 * i;
                    length++;
                    at += bytes;
                }
                if (end - at < length || full - to < length) return false;
                memcpy(to, at, (size_t)length);
            }
            at += length;
            to += length;
            continue;
        }
        if ((tag & 3) == 1) {
            if (at == end) return false;
            length = 4 + (tag >> 2 & 7);
            back = (tag >> 5) << 8 | *at++;
        } else if ((tag & 3) == 2) {
            if (end - at < 2) return false;
            back = at[0] | at[1] << 8;
            at += 2;
        } else {
            if (end - at < 4) return false;
            back = (int64_t)at[0] | (int64_t)at[1] << 8 | (int64_t)at[2] << 16 | (int64_t)at[3] << 24;
            at += 4;
        }
        if (!back || back > to - start || full - to < length) return false;
        snappy_copy(to, back, length);
        to += length;
    }
    return to == full;
}

#endif
