/* The rows of Arrow arrays that pass a filter, as arrays.
 *
 * Rules: sixty-four rows at a time, as the bits of the filter come. Numbers are written one behind another whether they
 * pass or not, and only what passes moves on: a branch for each row would be taken as often as not. Text that stands
 * together is copied together.
 */
#include "values.h"

enum { SHORT_TEXT = 32 };

/* An Arrow array, and room for what passes: for one value more, and for the text of all. */
struct filtered {
    const uint8_t *data, *text, *text_end; /* the first row's value, or its 32-bit offset; of booleans, the first bit's byte */
    const uint8_t *validity;               /* NULL if nothing is null */
    int64_t offset;                        /* of the first row, in bits */
    int64_t width;                         /* of a value; 0 for text, and -1 for booleans */
    uint8_t *data_out, *text_out, *validity_out;
    int64_t text_bytes;
};

static inline uint64_t passing(const uint8_t *mask, int64_t row, int64_t rows) {
    uint64_t word = 0;
    const int64_t left = rows - row;
    if (left >= 64) {
        memcpy(&word, mask + (row >> 3), 8);
        return word;
    }
    memcpy(&word, mask + (row >> 3), (size_t)((left + 7) >> 3));
    return word & ((1ull << left) - 1);
}

#define FIXED(type)                                                                              \
    static void filter_##type(const uint8_t *data, const uint8_t *mask, int64_t rows, uint8_t *to) { \
        const type *in = (const type *)data;                                                     \
        type *out = (type *)to;                                                                  \
        for (int64_t row = 0; row < rows; row += 64) {                                           \
            uint64_t word = passing(mask, row, rows);                                            \
            if (!~word) {                                                                        \
                memcpy(out, in + row, 64 * sizeof(type));                                        \
                out += 64;                                                                       \
            } else if (word) {                                                                   \
                const int64_t some = rows - row < 64 ? rows - row : 64;                          \
                for (int64_t i = 0; i < some; i++, word >>= 1) {                                 \
                    *out = in[row + i];                                                          \
                    out += word & 1;                                                             \
                }                                                                                \
            }                                                                                    \
        }                                                                                        \
    }
FIXED(uint8_t)
FIXED(uint16_t)
FIXED(uint32_t)
FIXED(uint64_t)

/* Bits that start anywhere; the room for them is cleared. */
static void filter_bits(const uint8_t *bits, int64_t offset, const uint8_t *mask, int64_t rows, uint8_t *to) {
    int64_t done = 0;
    for (int64_t row = 0; row < rows; row += 64) {
        for (uint64_t word = passing(mask, row, rows); word; word &= word - 1) {
            const int64_t bit = offset + row + __builtin_ctzll(word);
            to[done >> 3] |= (uint8_t)((bits[bit >> 3] >> (bit & 7) & 1) << (done & 7));
            done++;
        }
    }
}

static void filter_text(struct filtered *column, const uint8_t *mask, int64_t rows) {
    const int32_t *offsets = (const int32_t *)column->data;
    int32_t *ends = (int32_t *)column->data_out;
    uint8_t *to = column->text_out;
    *ends++ = 0;
    for (int64_t row = 0; row < rows; row += 64) {
        uint64_t word = passing(mask, row, rows);
        while (word) {
            /* A run of rows that pass. */
            const int64_t first = row + __builtin_ctzll(word);
            word >>= first - row;
            const int64_t run = ~word ? __builtin_ctzll(~word) : 64;
            const int32_t start = offsets[first], length = offsets[first + run] - start;
            const int32_t moved = (int32_t)(to - column->text_out) - start;
            for (int64_t i = 1; i <= run; i++) *ends++ = offsets[first + i] + moved;
            const uint8_t *text = column->text + start;
            if (length <= SHORT_TEXT && column->text_end - text >= SHORT_TEXT) {
                memcpy(to, text, SHORT_TEXT);
            } else {
                memcpy(to, text, (size_t)length);
            }
            to += length;
            word = first + run - row < 64 ? passing(mask, row, rows) >> (first + run - row) << (first + run - row) : 0;
        }
    }
    column->text_bytes = to - column->text_out;
}

/* Filter columns by a mask whose first bit is that of the first row. */
void sf_filter(struct filtered *columns, int64_t count, const uint8_t *mask, int64_t rows) {
    for (struct filtered *column = columns; column < columns + count; column++) {
        switch (column->width) {
            case 8: filter_uint64_t(column->data, mask, rows, column->data_out); break;
            case 4: filter_uint32_t(column->data, mask, rows, column->data_out); break;
            case 2: filter_uint16_t(column->data, mask, rows, column->data_out); break;
            case 1: filter_uint8_t(column->data, mask, rows, column->data_out); break;
            case 0: filter_text(column, mask, rows); break;
            default: filter_bits(column->data, column->offset, mask, rows, column->data_out);
        }
        if (column->validity) filter_bits(column->validity, column->offset, mask, rows, column->validity_out);
    }
}
