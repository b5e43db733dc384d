/* Columns to the text of CSV.
 *
 * Rule: a number is written as it is, text in quotes or not, as each column says; all else was made text before.
 */
#include "scan.h"
#include "values.h"

/* A column to write: integers, or text with 32-bit offsets, which is of width 0. */
struct written {
    const uint8_t *data, *text;
    const uint8_t *validity; /* NULL if nothing is null */
    int64_t offset;          /* of the first row, in `validity` */
    int32_t width;
    int32_t is_signed;
    int32_t quoted;
    int32_t reserved;
};

struct spelling {
    uint8_t separator, quote;
    uint8_t end[2]; /* of a line */
    int64_t end_length;
    const uint8_t *null;
    int64_t null_length;
};

/* What may be written behind the end, and is written over. */
enum { SLACK = 32 };

/* The four digits of each number below 10,000, and those that it is written with. */
static char FOURS[10000][4], SHORT[10000][4];

static void __attribute__((constructor)) fill(void) {
    for (int value = 0; value < 10000; value++) {
        for (int place = 3, rest = value; place >= 0; place--, rest /= 10) FOURS[value][place] = (char)('0' + rest % 10);
        const int zeros = 3 - (value > 9) - (value > 99) - (value > 999);
        memcpy(SHORT[value], FOURS[value] + zeros, (size_t)(4 - zeros));
    }
}

static inline uint8_t *put_number(uint8_t *to, uint64_t value) {
    uint64_t lower[5];
    int fours = 0;
    for (; value >= 10000; value /= 10000) lower[fours++] = value % 10000;
    memcpy(to, SHORT[value], 4);
    /* Without branches: how many digits a number has is not to be foreseen. */
    to += 1 + (value > 9) + (value > 99) + (value > 999);
    for (; fours; to += 4) memcpy(to, FOURS[lower[--fours]], 4);
    return to;
}

static inline uint8_t *put_integer(uint8_t *to, const struct written *column, int64_t row) {
    const void *data = column->data;
    int64_t whole;
    switch (column->width * (column->is_signed ? -1 : 1)) {
        case -8: case 8: whole = ((const int64_t *)data)[row]; break;
        case -4: whole = ((const int32_t *)data)[row]; break;
        case -2: whole = ((const int16_t *)data)[row]; break;
        case -1: whole = ((const int8_t *)data)[row]; break;
        case 4: whole = ((const uint32_t *)data)[row]; break;
        case 2: whole = ((const uint16_t *)data)[row]; break;
        default: whole = ((const uint8_t *)data)[row];
    }
    uint64_t value = (uint64_t)whole;
    const bool negative = column->is_signed && whole < 0;
    *to = '-';
    to += negative;
    value = negative ? 0 - value : value;
    return put_number(to, value);
}

/* Text with each quote in it doubled; up to `last` there are bytes to read. */
static inline uint8_t *put_doubled(uint8_t *to, const uint8_t *at, const uint8_t *end, const uint8_t *last, uint8_t quote) {
    for (; last - at >= 16; at += 16, to += 16) {
        const int64_t left = end - at;
        int quotes = bits_of16(at, quote);
        if (left < 16) quotes &= (1 << left) - 1;
        if (quotes) break;
        memcpy(to, at, 16);
        if (left <= 16) return to + left;
    }
    while (at < end) {
        const uint8_t *found = memchr(at, quote, (size_t)(end - at));
        const size_t count = (size_t)((found ? found + 1 : end) - at);
        memcpy(to, at, count);
        to += count;
        if (!found) return to;
        *to++ = quote;
        at = found + 1;
    }
    return to;
}

static inline bool is_null_at(const struct written *column, int64_t row) {
    const int64_t bit = row + column->offset;
    return column->validity && !(column->validity[bit >> 3] >> (bit & 7) & 1);
}

/* Write rows from `progress->rows` on; `progress->at` counts the bytes. Stops with NO_ROOM before a row that may not fit. */
int sf_csv_write(
    const struct written *columns, int64_t count, int64_t rows, const struct spelling *spelling, uint8_t *text, int64_t room,
    struct progress *progress) {
    int64_t fixed = spelling->end_length + SLACK;
    /* 20 digits or a sign and 19, or what stands for nothing, two quotes and what separates. */
    for (int64_t i = 0; i < count; i++) fixed += 3 + (columns[i].width ? 20 : 0) + spelling->null_length;
    uint8_t *to = text + progress->at;
    for (int64_t row = progress->rows; row < rows; row++) {
        int64_t most = fixed;
        for (int64_t i = 0; i < count; i++) {
            if (columns[i].width) continue;
            const int32_t *offsets = (const int32_t *)columns[i].data;
            most += 2 * (int64_t)(offsets[row + 1] - offsets[row]);
        }
        if (room - (to - text) < most) {
            progress->rows = row;
            progress->at = to - text;
            progress->lacking = most;
            return NO_ROOM;
        }
        for (int64_t i = 0; i < count; i++) {
            const struct written *column = &columns[i];
            if (i) *to++ = spelling->separator;
            if (is_null_at(column, row)) {
                memcpy(to, spelling->null, (size_t)spelling->null_length);
                to += spelling->null_length;
                continue;
            }
            if (column->width && !column->quoted) {
                to = put_integer(to, column, row);
                continue;
            }
            if (column->quoted) *to++ = spelling->quote;
            if (column->width) {
                to = put_integer(to, column, row);
            } else {
                const int32_t *offsets = (const int32_t *)column->data;
                to = put_doubled(
                    to, column->text + offsets[row], column->text + offsets[row + 1], column->text + offsets[rows], spelling->quote);
            }
            if (column->quoted) *to++ = spelling->quote;
        }
        memcpy(to, spelling->end, (size_t)spelling->end_length);
        to += spelling->end_length;
    }
    progress->rows = rows;
    progress->at = to - text;
    return DONE;
}
