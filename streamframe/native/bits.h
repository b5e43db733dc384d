/* Numbers that are packed into bits, as Parquet has them: the lowest bits first, and eight numbers in as many bytes as
 * one has bits.
 *
 * Rule: up to `BITS_SLACK` bytes behind the last number are read; what they hold does not matter.
 */
#ifndef STREAMFRAME_BITS_H
#define STREAMFRAME_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

enum { BITS_SLACK = 32 };

static inline uint64_t word_at(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

static inline __attribute__((always_inline)) void unpack_each(
    const int width, const uint8_t *at, int64_t bit, int64_t count, uint32_t *out) {
    const uint64_t mask = (1ull << width) - 1;
    for (int64_t i = 0; i < count; i++, bit += width) {
        out[i] = (uint32_t)(word_at(at + (bit >> 3)) >> (bit & 7) & mask);
    }
}

#if defined(__AVX2__)
/* The four bytes in which the number `i` of four starts, when the first of them starts at bit `start`. */
#define BYTES_OF(i, start) \
    (char)((start) + (i) * width) / 8, (char)((start) + (i) * width) / 8 + 1, (char)((start) + (i) * width) / 8 + 2, \
        (char)((start) + (i) * width) / 8 + 3
#define SHIFT_OF(i, start) ((start) + (i) * width) % 8

/* Eight numbers at once: four from the first byte on, and four from where the fifth starts. */
static inline __attribute__((always_inline)) void unpack_as(
    const int width, const uint8_t *at, int64_t bit, int64_t count, uint32_t *out) {
    /* From a byte on: the numbers before are from eight that were begun. */
    int64_t before = (8 - bit / width % 8) % 8;
    before = before < count ? before : count;
    unpack_each(width, at, bit, before, out);
    const int half = 4 * width / 8, rest = 4 * width % 8;
    const __m256i bytes = _mm256_setr_epi8(
        BYTES_OF(0, 0), BYTES_OF(1, 0), BYTES_OF(2, 0), BYTES_OF(3, 0), BYTES_OF(0, rest), BYTES_OF(1, rest),
        BYTES_OF(2, rest), BYTES_OF(3, rest));
    const __m256i shifts = _mm256_setr_epi32(
        SHIFT_OF(0, 0), SHIFT_OF(1, 0), SHIFT_OF(2, 0), SHIFT_OF(3, 0), SHIFT_OF(0, rest), SHIFT_OF(1, rest),
        SHIFT_OF(2, rest), SHIFT_OF(3, rest));
    const __m256i mask = _mm256_set1_epi32((int)((1u << width) - 1));
    const uint8_t *eight = at + (bit + before * width) / 8;
    int64_t done = before;
    for (; done + 8 <= count; done += 8, eight += width) {
        const __m256i packed = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)eight)),
            _mm_loadu_si128((const __m128i *)(eight + half)), 1);
        const __m256i apart = _mm256_srlv_epi32(_mm256_shuffle_epi8(packed, bytes), shifts);
        _mm256_storeu_si256((__m256i *)(out + done), _mm256_and_si256(apart, mask));
    }
    unpack_each(width, eight, 0, count - done, out + done);
}
#undef BYTES_OF
#undef SHIFT_OF
#else
static inline __attribute__((always_inline)) void unpack_as(
    const int width, const uint8_t *at, int64_t bit, int64_t count, uint32_t *out) {
    unpack_each(width, at, bit, count, out);
}
#endif

/* Unpack numbers of so many bits, up to 32, from `bit` on: a whole number of them behind `at`. */
static inline void unpack(int width, const uint8_t *at, int64_t bit, int64_t count, uint32_t *out) {
    switch (width) {
#define AS(w) case w: unpack_as(w, at, bit, count, out); return;
        AS(1) AS(2) AS(3) AS(4) AS(5) AS(6) AS(7) AS(8) AS(9) AS(10) AS(11) AS(12) AS(13) AS(14) AS(15) AS(16)
        AS(17) AS(18) AS(19) AS(20)
#undef AS
        default: unpack_each(width, at, bit, count, out);
    }
}

#endif
