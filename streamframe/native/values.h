/* From the text of one value to the value: what the kernels for CSV and NDJSON share.
 *
 * Rules: each function is sure or says no. A no is never an error: Arrow then reads the whole block, so a rarely used
 * spelling costs time and changes nothing. What is read here is what Arrow 26 makes of the same text, to the bit.
 */
#ifndef STREAMFRAME_VALUES_H
#define STREAMFRAME_VALUES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The types that are read here; `kernels.py` has the same numbers. */
enum kind { SKIP = 0, INTEGER = 1, UNSIGNED = 2, FLOAT = 3, BOOLEAN = 4, TEXT = 5, DATE = 6, TIMESTAMP = 7 };

/* A column that is wanted, and the buffers of the Arrow array that it becomes. */
struct column {
    int32_t kind;
    int32_t width;       /* of one value, in bytes */
    int64_t least, most; /* of an integer */
    int64_t per_second;  /* of a timestamp */
    int64_t zoned;       /* a timestamp ends with Z */
    int64_t exact;       /* no digit of a whole number is lost among floats */
    uint8_t *values;     /* of text, the 32-bit offsets; of booleans, bits */
    uint8_t *validity;   /* bits, all set; those of nulls are cleared */
    uint8_t *text;
    int64_t text_room, text_used;
    int64_t nulls;
};

/* What becomes of a block: only the whole of it is done. */
enum outcome { UNSURE = -1, DONE = 0, NO_ROOM = 1 };

/* How far a block was decoded; the caller may make room for text, and call again. */
struct progress {
    int64_t at, rows;
    int64_t lacking; /* the column without room */
};

/* The 128 upper bits of 10**q for q in [-342, 308], high word first. */
extern uint64_t sf_powers_of_ten[651][2];

static inline void set_null(struct column *column, int64_t row) {
    column->validity[row >> 3] &= (uint8_t)~(1u << (row & 7));
    column->nulls++;
    if (column->kind == BOOLEAN) return; /* bits are cleared beforehand */
    if (column->kind == TEXT) {
        ((int32_t *)column->values)[row + 1] = (int32_t)column->text_used;
    } else {
        memset(column->values + row * column->width, 0, (size_t)column->width);
    }
}

/* Short text is copied in one go, whatever its length, where there is room to. */
static inline uint8_t *copied(uint8_t *to, const uint8_t *at, int64_t length, bool roomy) {
    if (roomy && length <= 16) {
        memcpy(to, at, 16);
    } else {
        memcpy(to, at, (size_t)length);
    }
    return to + length;
}

static inline bool is_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }

static inline void store(struct column *column, int64_t row, int64_t value) {
    switch (column->width) {
        case 8: ((int64_t *)column->values)[row] = value; break;
        case 4: ((int32_t *)column->values)[row] = (int32_t)value; break;
        case 2: ((int16_t *)column->values)[row] = (int16_t)value; break;
        default: ((int8_t *)column->values)[row] = (int8_t)value;
    }
}

/* One to eight digits at once; the eight bytes before `end` must be readable. */
static inline bool read_eight(const uint8_t *end, int64_t length, uint64_t *value) {
    uint64_t text;
    memcpy(&text, end - 8, 8);
    /* Without the bytes in front, which become leading zeros; the first byte is the lowest one. */
    const uint64_t digits = (text ^ 0x3030303030303030ull) >> (8 * (8 - length)) << (8 * (8 - length));
    if ((digits | (digits + 0x0606060606060606ull)) & 0xF0F0F0F0F0F0F0F0ull) return false;
    const uint64_t pairs = digits * 10 + (digits >> 8);
    const uint64_t quads = ((pairs & 0x000000FF000000FFull) * (100 + (1000000ull << 32)) +
                            ((pairs >> 16) & 0x000000FF000000FFull) * (1 + (10000ull << 32)));
    *value = quads >> 32;
    return true;
}

/* Up to 18 digits behind an optional minus: more may not fit, and are Arrow's. `first` is where bytes may be read from. */
static inline bool read_integer(
    struct column *column, int64_t row, const uint8_t *at, const uint8_t *end, const uint8_t *first) {
    bool negative = at < end && *at == '-';
    at += negative;
    if (at == end || end - at > 18) return false;
    uint64_t value = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (end - at <= 8 && end - first >= 8) {
        if (!read_eight(end, end - at, &value)) return false;
        at = end;
    }
#endif
    for (; at < end; at++) {
        if (!is_digit(*at)) return false;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    int64_t integer = negative ? -(int64_t)value : (int64_t)value;
    if (integer < column->least || integer > column->most || (negative && column->kind == UNSIGNED)) return false;
    store(column, row, integer);
    return true;
}

/* digits * 10**power, rounded to the nearest: D. Lemire, "Number Parsing at a Gigabyte per Second", 2021. */
static inline bool scaled(uint64_t digits, int power, double *value) {
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (digits < (1ull << 53) && power >= -22 && power <= 22) {
        /* Both are exact, so there is one rounding. */
        *value = power < 0 ? (double)digits / exact[-power] : (double)digits * exact[power];
        return true;
    }
    if (!digits) {
        *value = 0;
        return true;
    }
    if (power < -342 || power > 308) return false;
    int shift = __builtin_clzll(digits);
    digits <<= shift;
    const uint64_t *ten = sf_powers_of_ten[power + 342];
    __uint128_t product = (__uint128_t)digits * ten[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if ((high & 0x1FF) == 0x1FF && low + digits < digits) {
        /* The power is cut off at 64 bits, and that may matter: take the next 64. */
        __uint128_t more = (__uint128_t)digits * ten[1];
        uint64_t carried = low + (uint64_t)(more >> 64);
        high += carried < low;
        low = carried;
        if ((high & 0x1FF) == 0x1FF && low + 1 == 0 && (uint64_t)more + digits < digits) return false;
    }
    uint64_t top = high >> 63, mantissa = high >> (top + 9);
    /* 217706 / 2**16 is log2(10), near enough for these powers. */
    int64_t exponent = ((217706 * (int64_t)power) >> 16) + 64 + 1023 - shift - (int64_t)(1 ^ top);
    if (low == 0 && (high & 0x1FF) == 0 && (mantissa & 3) == 1) return false; /* halfway between two */
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) {
        mantissa >>= 1;
        exponent++;
    }
    if (exponent < 1 || exponent > 0x7FE) return false; /* subnormal or infinite */
    uint64_t bits = (uint64_t)exponent << 52 | (mantissa & ((1ull << 52) - 1));
    memcpy(value, &bits, 8);
    return true;
}

static inline bool read_float(struct column *column, int64_t row, const uint8_t *at, const uint8_t *end) {
    bool negative = at < end && *at == '-';
    at += negative;
    if (at == end || !is_digit(*at)) return false;
    uint64_t digits = 0;
    int significant = 0, power = 0;
    for (; at < end && is_digit(*at); at++) {
        digits = digits * 10 + (uint64_t)(*at - '0');
        significant += significant || digits;
    }
    /* Whether it is what a float is written as, or another number, is not for the kernel to tell. */
    if (at == end && digits >> 53 && column->exact && (significant > 19 || (uint64_t)(double)digits != digits)) return false;
    if (at < end && *at == '.') {
        const uint8_t *fraction = ++at;
        for (; at < end && is_digit(*at); at++) {
            digits = digits * 10 + (uint64_t)(*at - '0');
            significant += significant || digits;
        }
        if (at == fraction || at - fraction > 400) return false;
        power = -(int)(at - fraction);
    }
    if (significant > 19) return false; /* the digits did not fit */
    if (at < end && (*at == 'e' || *at == 'E')) {
        bool down = ++at < end && *at == '-';
        at += at < end && (*at == '-' || *at == '+');
        if (at == end || end - at > 4) return false;
        int exponent = 0;
        for (; at < end && is_digit(*at); at++) exponent = exponent * 10 + (*at - '0');
        power += down ? -exponent : exponent;
    }
    double value;
    if (at != end || !scaled(digits, power, &value)) return false;
    ((double *)column->values)[row] = negative ? -value : value;
    return true;
}

/* Days since 1970 of a day in the Gregorian calendar: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static inline int64_t days_of(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* As many digits as are asked for; -1 if one is none. */
static inline int64_t number(const uint8_t *at, int count) {
    int64_t value = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(at[i])) return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

/* YYYY-MM-DD */
static inline bool read_day(const uint8_t *at, int64_t *days) {
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = number(at, 4), month = number(at + 5, 2), day = number(at + 8, 2);
    if (at[4] != '-' || at[7] != '-' || year < 1 || month < 1 || month > 12 || day < 1) return false;
    bool leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > lengths[month - 1] + leap) return false;
    *days = days_of(year, month, day);
    return true;
}

static inline bool read_date(struct column *column, int64_t row, const uint8_t *at, const uint8_t *end) {
    int64_t days;
    if (end - at != 10 || !read_day(at, &days)) return false;
    ((int32_t *)column->values)[row] = (int32_t)days;
    return true;
}

/* YYYY-MM-DD, with a time of day or without, with a Z just if the type has a zone. */
static inline bool read_timestamp(struct column *column, int64_t row, const uint8_t *at, const uint8_t *end) {
    int64_t days, fraction = 0, scale = column->per_second, seconds = 0;
    if (column->zoned && (end == at || *--end != 'Z')) return false;
    if (end - at < 10 || !read_day(at, &days)) return false;
    at += 10;
    if (at < end) {
        if (end - at < 9 || (*at != ' ' && *at != 'T') || at[3] != ':' || at[6] != ':') return false;
        int64_t hour = number(at + 1, 2), minute = number(at + 4, 2), second = number(at + 7, 2);
        if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
        seconds = hour * 3600 + minute * 60 + second;
        at += 9;
        if (at < end) {
            if (*at++ != '.' || at == end || end - at > 9) return false;
            for (; at < end; at++) {
                if (!is_digit(*at) || scale == 1) return false;
                scale /= 10;
                fraction += (*at - '0') * scale;
            }
        }
    } else if (column->zoned) {
        return false;
    }
    int64_t value;
    if (__builtin_mul_overflow(days * 86400 + seconds, column->per_second, &value)) return false;
    if (__builtin_add_overflow(value, fraction, &value)) return false;
    ((int64_t *)column->values)[row] = value;
    return true;
}

/* Whether these bytes are UTF-8 as Unicode has it: no surrogates, nothing longer than it must be. */
static inline bool is_utf8(const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), !(eight & 0x8080808080808080ull))) {
            at += 8;
            continue;
        }
        uint8_t first = *at++;
        if (first < 0x80) continue;
        int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
        if (first < 0xC2 || first > 0xF4 || end - at < more) return false;
        uint8_t least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        uint8_t most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (*at < least || *at > most) return false;
        for (at++; --more; at++) {
            if ((*at & 0xC0) != 0x80) return false;
        }
    }
    return true;
}

#endif
