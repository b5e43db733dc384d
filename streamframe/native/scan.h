/* One bit for each of 64 bytes: where a character stands. */
#ifndef STREAMFRAME_SCAN_H
#define STREAMFRAME_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX2__)
struct bytes64 { __m256i part[2]; };

static inline struct bytes64 load64(const uint8_t *at) {
    const __m256i *parts = (const __m256i *)at;
    return (struct bytes64){{_mm256_loadu_si256(parts), _mm256_loadu_si256(parts + 1)}};
}

static inline uint64_t top_bits(__m256i low, __m256i high) {
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

static inline uint64_t where(const struct bytes64 *bytes, uint8_t c) {
    const __m256i wanted = _mm256_set1_epi8((char)c);
    return top_bits(_mm256_cmpeq_epi8(bytes->part[0], wanted), _mm256_cmpeq_epi8(bytes->part[1], wanted));
}

static inline uint64_t where_any(const struct bytes64 *bytes, uint8_t c, uint8_t d, uint8_t e) {
    __m256i found[2];
    const __m256i one = _mm256_set1_epi8((char)c), two = _mm256_set1_epi8((char)d), three = _mm256_set1_epi8((char)e);
    for (int i = 0; i < 2; i++) {
        const __m256i part = bytes->part[i], either = _mm256_or_si256(_mm256_cmpeq_epi8(part, one), _mm256_cmpeq_epi8(part, two));
        found[i] = _mm256_or_si256(either, _mm256_cmpeq_epi8(part, three));
    }
    return top_bits(found[0], found[1]);
}

static inline bool contains(const struct bytes64 *bytes, uint8_t c) {
    const __m256i wanted = _mm256_set1_epi8((char)c);
    const __m256i low = _mm256_cmpeq_epi8(bytes->part[0], wanted), high = _mm256_cmpeq_epi8(bytes->part[1], wanted);
    return _mm256_movemask_epi8(_mm256_or_si256(low, high));
}

static inline uint64_t beyond_ascii(const struct bytes64 *bytes) {
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(bytes->part[0], bytes->part[1]));
}
#elif defined(__SSE2__)
struct bytes64 { __m128i part[4]; };

static inline struct bytes64 load64(const uint8_t *at) {
    struct bytes64 bytes;
    for (int i = 0; i < 4; i++) bytes.part[i] = _mm_loadu_si128((const __m128i *)(at + 16 * i));
    return bytes;
}

static inline uint64_t joined(const uint64_t bits[4]) { return bits[0] | bits[1] << 16 | bits[2] << 32 | bits[3] << 48; }

static inline uint64_t where(const struct bytes64 *bytes, uint8_t c) {
    uint64_t bits[4];
    const __m128i wanted = _mm_set1_epi8((char)c);
    for (int i = 0; i < 4; i++) bits[i] = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes->part[i], wanted));
    return joined(bits);
}

static inline uint64_t beyond_ascii(const struct bytes64 *bytes) {
    __m128i any = _mm_or_si128(_mm_or_si128(bytes->part[0], bytes->part[1]), _mm_or_si128(bytes->part[2], bytes->part[3]));
    return (uint64_t)_mm_movemask_epi8(any);
}
#endif

#if defined(__SSE2__)
static inline int bits_of16(const uint8_t *at, uint8_t c) {
    return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)at), _mm_set1_epi8((char)c)));
}

static inline int special_among(const uint8_t *at) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)at);
    const __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), escapes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, escapes), controls));
}
#else
/* Eight bytes in a word; carries never cross, since each byte is below 0x80 before it is added to. */
struct bytes64 { uint64_t part[8]; };

static inline struct bytes64 load64(const uint8_t *at) {
    struct bytes64 bytes;
    memcpy(bytes.part, at, 64);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int i = 0; i < 8; i++) bytes.part[i] = __builtin_bswap64(bytes.part[i]);
#endif
    return bytes;
}

static inline uint64_t where(const struct bytes64 *bytes, uint8_t c) {
    const uint64_t low = 0x7F7F7F7F7F7F7F7Full;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t other = bytes->part[i] ^ (0x0101010101010101ull * c);
        uint64_t same = ~(((other & low) + low) | other | low);
        bits |= ((same >> 7) * 0x0102040810204080ull >> 56) << (8 * i);
    }
    return bits;
}

static inline uint64_t beyond_ascii(const struct bytes64 *bytes) {
    uint64_t any = 0;
    for (int i = 0; i < 8; i++) any |= bytes->part[i];
    return any & 0x8080808080808080ull;
}

static inline int bits_of16(const uint8_t *at, uint8_t c) {
    int bits = 0;
    for (int i = 0; i < 16; i++) bits |= (at[i] == c) << i;
    return bits;
}
#endif

#if !defined(__AVX2__)
static inline uint64_t where_any(const struct bytes64 *bytes, uint8_t c, uint8_t d, uint8_t e) {
    return where(bytes, c) | where(bytes, d) | where(bytes, e);
}

static inline bool contains(const struct bytes64 *bytes, uint8_t c) { return where(bytes, c); }
#endif

/* The first quote, backslash or control character; `end` if there is none. */
static inline const uint8_t *plain_until(const uint8_t *at, const uint8_t *end) {
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        const int special = special_among(at);
        if (special) return at + __builtin_ctz((unsigned)special);
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20) at++;
    return at;
}

/* For each bit, whether an odd number of bits is set up to it, itself included. */
static inline uint64_t parity_up_to(uint64_t bits) {
#if defined(__PCLMUL__)
    /* A product without carries, by ones only, is the parity of all bits below. */
    return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)bits), _mm_set1_epi8(-1), 0));
#else
    for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
    return bits;
#endif
}

#endif
