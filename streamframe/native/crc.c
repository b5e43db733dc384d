/* CRC-32: by carry-less multiplication where the processor has it (16 bytes a cycle and more), else by tables.
 *
 * Rule: both make the same of the same bytes. How to fold: Gopal and others, Fast CRC Computation for Generic Polynomials
 * Using PCLMULQDQ Instruction, Intel 2009; what is left at the end goes through the tables, which is as good as their last steps.
 */
#include "crc.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <wmmintrin.h>
#define FOLDS 1
static bool folds;
#endif

/* tables[k] moves a byte's part over k more bytes. */
static uint32_t tables[8][256];

__attribute__((constructor)) static void fill_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t sum = byte;
        for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320u : 0);
        tables[0][byte] = sum;
    }
    for (int k = 1; k < 8; k++) {
        for (int byte = 0; byte < 256; byte++) {
            tables[k][byte] = tables[k - 1][byte] >> 8 ^ tables[0][tables[k - 1][byte] & 0xFF];
        }
    }
#ifdef FOLDS
    __builtin_cpu_init();
    folds = __builtin_cpu_supports("pclmul");
#endif
}

static uint32_t by_tables(uint32_t sum, const uint8_t *at, int64_t bytes) {
    for (; bytes >= 8; at += 8, bytes -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= sum;
        sum = 0;
        for (int k = 0; k < 8; k++) sum ^= tables[7 - k][word >> 8 * k & 0xFF];
    }
    for (; bytes; at++, bytes--) sum = sum >> 8 ^ tables[0][(sum ^ *at) & 0xFF];
    return sum;
}

#ifdef FOLDS
/* The remainder of `lane`, moved on by as many bits as `powers` are of, and of what stands there. */
__attribute__((target("pclmul"))) static inline __m128i folded(__m128i lane, __m128i powers, __m128i there) {
    const __m128i low = _mm_clmulepi64_si128(lane, powers, 0x00), high = _mm_clmulepi64_si128(lane, powers, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

static inline __m128i lane_at(const uint8_t *at) { return _mm_loadu_si128((const __m128i *)at); }

/* Of at least 64 bytes. */
__attribute__((target("pclmul"))) static uint32_t by_folding(uint32_t sum, const uint8_t *at, int64_t bytes) {
    /* x to the 4 * 128 + 32, 4 * 128 - 32, 128 + 32 and 128 - 32, modulo the polynomial, with its bits in reverse. */
    const __m128i four = _mm_set_epi64x(0x1C6E41596, 0x154442BD4), one = _mm_set_epi64x(0x0CCAA009E, 0x1751997D0);
    __m128i lanes[4];
    for (int i = 0; i < 4; i++) lanes[i] = lane_at(at + 16 * i);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)sum));
    for (at += 64, bytes -= 64; bytes >= 64; at += 64, bytes -= 64) {
        for (int i = 0; i < 4; i++) lanes[i] = folded(lanes[i], four, lane_at(at + 16 * i));
    }
    for (int i = 1; i < 4; i++) lanes[0] = folded(lanes[0], one, lanes[i]);
    for (; bytes >= 16; at += 16, bytes -= 16) lanes[0] = folded(lanes[0], one, lane_at(at));
    uint8_t left[16];
    memcpy(left, lanes, 16);
    return by_tables(by_tables(0, left, 16), at, bytes);
}
#endif

uint32_t sf_crc32(const uint8_t *at, int64_t bytes) {
#ifdef FOLDS
    if (folds && bytes >= 64) return ~by_folding(~0u, at, bytes);
#endif
    return ~by_tables(~0u, at, bytes);
}
