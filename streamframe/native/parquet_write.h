/* What the kernels that write Parquet share: Arrow's arrays as they are told of, and the dictionary and pages made of them. */
#ifndef STREAMFRAME_PARQUET_WRITE_H
#define STREAMFRAME_PARQUET_WRITE_H

#include "values.h"

enum { PAGE_ROWS = 1 << 16, SLACK = 64 };
/* Levels of a page stand in front of its values: their length, a run's head, and a bit for each row. */
enum { MOST_LEVELS_BYTES = 4 + 5 + PAGE_ROWS / 8 };
enum form { SIGNED_FORM = 0, UNSIGNED_FORM = 1, FLOAT_FORM = 2, TEXT_FORM = 3, BOOLEAN_FORM = 4 };

/* One Arrow array. */
struct piece {
    const uint8_t *data, *text; /* the first row's value, or its offset; of booleans, the first bit's byte */
    const uint8_t *validity;    /* NULL if nothing is null */
    int64_t offset;             /* of the first row, in bits */
    int64_t rows;
    const int32_t *indices;     /* of text: NULL, or which of so many different texts each row has */
    int64_t different;
};

/* What is written: arrays, one behind another. */
struct rows {
    const struct piece *pieces;
    int64_t count;
    int32_t form, width, stored_width, nullable; /* width: of a value or, if it is text, of an offset */
};

struct slot {
    uint32_t hash;
    uint32_t number; /* counted from 1; 0 is free */
};

struct dictionary {
    /* Told by the caller. */
    int64_t most_bytes;
    int64_t least, span; /* of integers, if they lie close together; else span is 0 */
    uint32_t *numbers;   /* room for one a row: they come one a value */
    /* Told to the caller. */
    int64_t count, bytes;    /* of different values, and as they are stored */
    int64_t numbered;        /* values, from the first one on */
    int64_t numbered_bytes;  /* what they would take as they are */
    const uint8_t *stored;
    /* Nobody else's. */
    int64_t room, ends_room;
    uint8_t *values;
    int32_t *ends; /* of text, in `values` */
    struct slot *slots;
    uint64_t slots_room;
    uint32_t *by_place; /* for integers that lie close together, and for indices */
};

struct page {
    int64_t piece, row;     /* where it starts; where the next one does */
    int64_t number;         /* the next one */
    int64_t most_bytes;
    uint8_t *out;
    int64_t room;
    int64_t start, end;     /* of the body, in `out` */
    int64_t rows, values;
    int64_t needed;         /* room, if there is none for a single value */
    int32_t by_number;
    int32_t number_width;
};

struct text {
    const uint8_t *at;
    int64_t length;
};

/* Up to 64 bits, from any bit on; no byte is touched that has none of them. */
static inline uint64_t bits_at(const uint8_t *bits, int64_t at, int64_t count) {
    const uint8_t *from = bits + (at >> 3);
    const int shift = at & 7, bytes = (int)((shift + count + 7) >> 3);
    uint64_t word = 0;
    if (bytes >= 8) {
        memcpy(&word, from, 8);
        word >>= shift;
        if (bytes == 9) word |= (uint64_t)from[8] << (64 - shift);
    } else {
        for (int i = 0; i < bytes; i++) word |= (uint64_t)from[i] << 8 * i;
        word >>= shift;
    }
    return count < 64 ? word & ((1ull << count) - 1) : word;
}

static inline uint8_t *write_varint(uint8_t *to, uint64_t value) {
    for (; value > 0x7F; value >>= 7) *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    return to;
}

int64_t sf_parquet_bounds(const struct rows *rows, uint8_t *least, uint8_t *most);
int64_t sf_parquet_text_bounds(
    const struct rows *rows, const struct dictionary *dictionary, struct text *least, struct text *most);
int sf_parquet_number(struct dictionary *dictionary, const struct rows *rows);
int sf_parquet_page(const struct rows *rows, const struct dictionary *dictionary, struct page *page);
void sf_parquet_dictionary_close(struct dictionary *dictionary);

#endif
