/* Bytes to Snappy's raw format: https://github.com/google/snappy/blob/main/format_description.txt */
#ifndef STREAMFRAME_SNAPPY_PACK_H
#define STREAMFRAME_SNAPPY_PACK_H

#include <stdint.h>
#include <string.h>

/* Places in a fragment have 16 bits. */
enum { SNAPPY_FRAGMENT = 1 << 16, SNAPPY_MOST_PLACES = 1 << 12 };

/* Room for what so many bytes become at most, and for what is written over behind it. */
static inline int64_t snappy_room(int64_t bytes) { return 32 + bytes + bytes / 6 + 32; }

static inline uint32_t snappy_word(const uint8_t *at) {
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

/* Bytes as they are; up to 16 behind them may be read if `roomy`. */
static inline uint8_t *snappy_literal(uint8_t *to, const uint8_t *from, int64_t count, int roomy) {
    const uint64_t length = (uint64_t)count - 1;
    if (count < 1) return to;
    if (length < 60) {
        *to++ = (uint8_t)(length << 2);
        if (length < 16 && roomy) {
            memcpy(to, from, 16);
            return to + count;
        }
    } else {
        const int bytes = length < 1 << 8 ? 1 : 2;
        *to++ = (uint8_t)((59 + bytes) << 2);
        for (int i = 0; i < bytes; i++) *to++ = (uint8_t)(length >> 8 * i);
    }
    memcpy(to, from, (size_t)count);
    return to + count;
}

/* As many bytes again as stand `back` bytes before. */
static inline uint8_t *snappy_again(uint8_t *to, int64_t back, int64_t count) {
    while (count > 0) {
        const int64_t some = count < 64 ? count : 64;
        if (some < 12 && some >= 4 && back < 2048) {
            *to++ = (uint8_t)(1 | (some - 4) << 2 | back >> 8 << 5);
            *to++ = (uint8_t)back;
        } else {
            *to++ = (uint8_t)(2 | (some - 1) << 2);
            *to++ = (uint8_t)back;
            *to++ = (uint8_t)(back >> 8);
        }
        count -= some;
    }
    return to;
}

/* At most SNAPPY_FRAGMENT bytes; in `seen` there is the latest place of each four bytes, by their hash. */
static inline uint8_t *snappy_fragment(uint8_t *to, const uint8_t *from, int64_t bytes, uint16_t *seen) {
    /* Few bytes need few places, which are cleared each time. */
    int bits = 6;
    while (bits < 12 && 1 << bits < bytes) bits++;
    memset(seen, 0, sizeof *seen << bits);
    const uint8_t *end = from + bytes, *told = from;
    if (bytes > 16) {
        const uint8_t *last = end - 16;
        const int shift = 32 - bits;
        /* Where nothing is found, steps become longer. */
        uint32_t misses = 32;
        for (const uint8_t *at = from + 1; at < last;) {
            const uint32_t word = snappy_word(at), place = word * 0x9E3779B1u >> shift;
            const uint8_t *before = from + seen[place];
            seen[place] = (uint16_t)(at - from);
            if (snappy_word(before) != word || before == at) {
                at += misses++ >> 5;
                continue;
            }
            to = snappy_literal(to, told, at - told, 1);
            int64_t count = 4;
            for (uint64_t one, other; at + count + 8 <= end; count += 8) {
                memcpy(&one, at + count, 8);
                memcpy(&other, before + count, 8);
                if (one != other) {
                    count += __builtin_ctzll(one ^ other) >> 3;
                    goto found;
                }
            }
            while (at + count < end && at[count] == before[count]) count++;
        found:
            to = snappy_again(to, at - before, count);
            told = at += count;
            misses = 32;
            if (at < last) seen[snappy_word(at - 1) * 0x9E3779B1u >> shift] = (uint16_t)(at - 1 - from);
        }
    }
    return snappy_literal(to, told, end - told, 0);
}

/* Pack bytes into `snappy_room` of them; returns how many they have become. */
static inline int64_t snappy_pack(const uint8_t *from, int64_t bytes, uint8_t *to) {
    uint16_t seen[SNAPPY_MOST_PLACES];
    uint8_t *const start = to;
    uint64_t announced = (uint64_t)bytes;
    for (; announced > 0x7F; announced >>= 7) *to++ = (uint8_t)(announced | 0x80);
    *to++ = (uint8_t)announced;
    for (int64_t at = 0; at < bytes; at += SNAPPY_FRAGMENT) {
        to = snappy_fragment(to, from + at, bytes - at < SNAPPY_FRAGMENT ? bytes - at : SNAPPY_FRAGMENT, seen);
    }
    return to - start;
}

#endif
