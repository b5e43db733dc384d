/* Add up unsigned integers as ORC writes them, in runs of its second encoding.
 *
 * Rule: what is wide, rare or cut is not for here: sums stay far below 64 bits, or the kernel says no.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DONE, NO };
enum { SHORT_REPEAT, DIRECT, PATCHED, DELTA };
/* Of a value, and of its first one in a run of deltas; and of all together. */
enum { MOST_BITS = 32 };
#define MOST_TOTAL ((int64_t)1 << 61)

struct totals {
    int64_t values, total, least;
};

static int width_of(int code) {
    static const int WIDE[] = {26, 28, 30, 32, 40, 48, 56, 64};
    return code < 24 ? code + 1 : WIDE[code - 24];
}

/* A number of at most 35 bits. */
static bool varint(const uint8_t *data, int64_t length, int64_t *at, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        if (*at == length) return false;
        const uint8_t byte = data[(*at)++];
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

/* Values of `width` bits on end, of which the caller knows that they are there. */
struct bits {
    const uint8_t *data;
    uint64_t held;
    int count;
};

static inline int64_t next(struct bits *bits, int width) {
    while (bits->count < width) {
        bits->held = bits->held << 8 | *bits->data++;
        bits->count += 8;
    }
    bits->count -= width;
    return (int64_t)(bits->held >> bits->count & (((uint64_t)1 << width) - 1));
}

int sf_orc_totals(const uint8_t *data, int64_t length, struct totals *made) {
    int64_t at = 0;
    while (at < length) {
        const int head = data[at], kind = head >> 6;
        if (made->total > MOST_TOTAL || made->total < -MOST_TOTAL) return NO;
        if (kind == SHORT_REPEAT) {
            const int nbytes = (head >> 3 & 7) + 1, count = (head & 7) + 3;
            if (nbytes > 4 || length - at - 1 < nbytes) return NO;
            int64_t value = 0;
            for (int place = 1; place <= nbytes; place++) value = value << 8 | data[at + place];
            made->values += count;
            made->total += value * count;
            at += 1 + nbytes;
            continue;
        }
        if (kind == PATCHED || length - at < 2) return NO;
        const int64_t count = ((head & 1) << 8 | data[at + 1]) + 1;
        const int code = head >> 1 & 31, width = width_of(code);
        at += 2;
        made->values += count;
        if (width > MOST_BITS) return NO;
        if (kind == DIRECT) {
            const int64_t nbytes = (count * width + 7) / 8;
            if (length - at < nbytes) return NO;
            struct bits bits = {data + at, 0, 0};
            for (int64_t value = 0; value < count; value++) made->total += next(&bits, width);
            at += nbytes;
            continue;
        }
        uint64_t base, zigzag;
        if (!varint(data, length, &at, &base) || !varint(data, length, &at, &zigzag)) return NO;
        int64_t step = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1), value = (int64_t)base;
        const int64_t more = count > 2 ? count - 2 : 0, nbytes = code ? (more * width + 7) / 8 : 0;
        if (length - at < nbytes) return NO;
        struct bits bits = {data + at, 0, 0};
        const int64_t sign = step < 0 ? -1 : 1;
        for (int64_t place = 0; place < count; place++) {
            made->total += value;
            if (value < made->least) made->least = value;
            value += step;
            if (code && place > 0 && place < count - 1) value += sign * next(&bits, width) - step;
        }
        at += nbytes;
    }
    return DONE;
}
