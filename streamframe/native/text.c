/* Columns to the text of CSV, and of objects of JSON.
 *
 * Rules: an integer is written as it is, text in quotes or not, as each column says; all else was made text before. A row
 * is only begun where the longest that it may be has room.
 */
#include "scan.h"
#include "values.h"

/* What is made of a text: of CSV, quotes; of JSON, what Arrow's text of a value lacks. */
enum spelling_of { AS_IT_IS = 0, QUOTED = 1, ESCAPED = 2, AS_FLOAT = 3, AS_TIME = 4 };

/* A column to write: integers, or text with 32-bit offsets, which is of width 0. */
struct written {
    const uint8_t *data, *text;
    const uint8_t *validity; /* NULL if nothing is null */
    int64_t offset;          /* of the first row, in `validity` */
    int32_t width;
    int32_t is_signed;
    int32_t spelled;
    int32_t before_length, opening_length, closing_length;
    const uint8_t *before, *opening, *closing; /* of JSON: the name, and what stands around what is not null */
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

/* Say how far it is; where another row may not fit, what that lacks. */
static int told(struct progress *progress, int64_t rows, int64_t at, int64_t lacking) {
    *progress = (struct progress){.at = at, .rows = rows, .lacking = lacking};
    return lacking ? NO_ROOM : DONE;
}

/* Write rows from `progress->rows` on; `progress->at` counts the bytes. Stops with NO_ROOM before a row that may not fit. */
int sf_csv_write(
    const struct spelling *spelling, const struct written *columns, int64_t count, int64_t rows, uint8_t *text, int64_t room,
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
        if (room - (to - text) < most) return told(progress, row, to - text, most);
        for (int64_t i = 0; i < count; i++) {
            const struct written *column = &columns[i];
            if (i) *to++ = spelling->separator;
            if (is_null_at(column, row)) {
                memcpy(to, spelling->null, (size_t)spelling->null_length);
                to += spelling->null_length;
                continue;
            }
            if (column->width && !column->spelled) {
                to = put_integer(to, column, row);
                continue;
            }
            if (column->spelled) *to++ = spelling->quote;
            if (column->width) {
                to = put_integer(to, column, row);
            } else {
                const int32_t *offsets = (const int32_t *)column->data;
                to = put_doubled(
                    to, column->text + offsets[row], column->text + offsets[row + 1], column->text + offsets[rows], spelling->quote);
            }
            if (column->spelled) *to++ = spelling->quote;
        }
        memcpy(to, spelling->end, (size_t)spelling->end_length);
        to += spelling->end_length;
    }
    return told(progress, rows, to - text, 0);
}

/* The bytes that JSON wants escaped, as it has them. */
static uint8_t *put_escaped(uint8_t *to, const uint8_t *at, const uint8_t *end) {
    static const char SHORT_OF[] = "btn\0fr", DIGITS[] = "0123456789abcdef";
    for (;;) {
        const uint8_t *special = plain_until(at, end);
        memcpy(to, at, (size_t)(special - at));
        to += special - at;
        if (special == end) return to;
        const uint8_t c = *special;
        *to++ = '\\';
        if (c >= 0x20) {
            *to++ = c;
        } else if (c >= 8 && c <= 13 && c != 11) {
            *to++ = (uint8_t)SHORT_OF[c - 8];
        } else {
            memcpy(to, "u00", 3);
            to[3] = (uint8_t)DIGITS[c >> 4];
            to[4] = (uint8_t)DIGITS[c & 15];
            to += 5;
        }
        at = special + 1;
    }
}

static uint8_t *put_some(uint8_t *to, const uint8_t *from, int64_t length) {
    memcpy(to, from, (size_t)length);
    return to + length;
}

/* A float has a point or an exponent, or would come back as an integer; what is none has an f or an n at its end. */
static uint8_t *put_float(uint8_t *to, const uint8_t *text, int64_t length) {
    if (length && (text[length - 1] == 'f' || text[length - 1] == 'n')) return put_some(to, (const uint8_t *)"null", 4);
    to = put_some(to, text, length);
    for (int64_t i = 0; i < length; i++) {
        if (text[i] == '.' || text[i] == 'e') return to;
    }
    return put_some(to, (const uint8_t *)".0", 2);
}

static uint8_t *put_value(uint8_t *to, const struct written *column, int64_t row) {
    if (column->width) return put_integer(to, column, row);
    const int32_t *offsets = (const int32_t *)column->data;
    const uint8_t *text = column->text + offsets[row];
    const int64_t length = offsets[row + 1] - offsets[row];
    if (column->spelled == ESCAPED) return put_escaped(to, text, text + length);
    if (column->spelled == AS_FLOAT) return put_float(to, text, length);
    if (column->spelled == AS_TIME) {
        const uint8_t *space = memchr(text, ' ', (size_t)length);
        put_some(to, text, length);
        if (space) to[space - text] = 'T';
        return to + length;
    }
    return put_some(to, text, length);
}

/* As `sf_csv_write`, objects of JSON, each in a line. */
int sf_json_write(
    const struct written *columns, int64_t count, int64_t rows, uint8_t *text, int64_t room, struct progress *progress) {
    int64_t fixed = 2 + SLACK;
    for (int64_t i = 0; i < count; i++) {
        fixed += columns[i].before_length + columns[i].opening_length + columns[i].closing_length + 24;
    }
    uint8_t *to = text + progress->at;
    for (int64_t row = progress->rows; row < rows; row++) {
        int64_t most = fixed;
        for (int64_t i = 0; i < count; i++) {
            if (columns[i].width) continue;
            const int32_t *offsets = (const int32_t *)columns[i].data;
            const int64_t length = offsets[row + 1] - offsets[row];
            most += columns[i].spelled == ESCAPED ? 6 * length : length;
        }
        if (room - (to - text) < most) return told(progress, row, to - text, most);
        for (const struct written *column = columns; column < columns + count; column++) {
            to = put_some(to, column->before, column->before_length);
            if (is_null_at(column, row)) {
                to = put_some(to, (const uint8_t *)"null", 4);
                continue;
            }
            to = put_some(to, column->opening, column->opening_length);
            to = put_value(to, column, row);
            to = put_some(to, column->closing, column->closing_length);
        }
        memcpy(to, "}\n", 2);
        to += 2;
    }
    return told(progress, rows, to - text, 0);
}
