/* The header in front of each page of a Parquet file, which is written in Thrift's compact protocol.
 *
 * Rule: what is not known is stepped over, as Thrift wants it; what is known and unlikely is left to the caller.
 */
#ifndef STREAMFRAME_PARQUET_PAGE_H
#define STREAMFRAME_PARQUET_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum page_kind { DATA_PAGE = 0, INDEX_PAGE = 1, DICTIONARY_PAGE = 2, DATA_PAGE_2 = 3 };
enum encoding { PLAIN = 0, PLAIN_DICTIONARY = 2, RLE = 3, RLE_DICTIONARY = 8 };

struct page_header {
    int64_t kind, bytes, packed_bytes;
    int64_t checksum; /* -1 if there is none */
    int64_t values, encoding, levels_encoding, repetition_encoding, levels_bytes, repetition_bytes;
    bool packed; /* in the second version, a page may do without the codec */
};

/* What is left of the bytes; `short_of` once they have run out, which more bytes may cure, and `bad` if nothing can. */
struct thrift {
    const uint8_t *at, *end;
    bool short_of, bad;
};

enum thrift_type {
    THRIFT_STOP = 0, THRIFT_TRUE = 1, THRIFT_FALSE = 2, THRIFT_BYTE = 3, THRIFT_I16 = 4, THRIFT_I32 = 5,
    THRIFT_I64 = 6, THRIFT_DOUBLE = 7, THRIFT_BINARY = 8, THRIFT_LIST = 9, THRIFT_SET = 10, THRIFT_MAP = 11,
    THRIFT_STRUCT = 12
};

static inline uint8_t thrift_byte(struct thrift *in) {
    if (in->at == in->end) {
        in->short_of = true;
        return 0;
    }
    return *in->at++;
}

static inline uint64_t thrift_varint(struct thrift *in) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = thrift_byte(in);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return value;
    }
    in->bad = true;
    return 0;
}

static inline int64_t thrift_integer(struct thrift *in) {
    const uint64_t zigzag = thrift_varint(in);
    return (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
}

/* The type of the next field, whose number goes up from `field`; THRIFT_STOP behind the last. */
static inline int thrift_field(struct thrift *in, int64_t *field) {
    const uint8_t head = thrift_byte(in);
    if (in->short_of || in->bad || !(head & 15)) return THRIFT_STOP;
    *field = head >> 4 ? *field + (head >> 4) : thrift_integer(in);
    return head & 15;
}

/* How many elements a list has, and of which type. */
static inline int64_t thrift_list(struct thrift *in, int *type) {
    const uint8_t head = thrift_byte(in);
    *type = head & 15;
    const uint64_t count = head >> 4 == 15 ? thrift_varint(in) : head >> 4;
    /* Each takes a byte at least. */
    if (in->short_of || count > (uint64_t)(in->end - in->at)) {
        in->short_of = true;
        return 0;
    }
    return (int64_t)count;
}

static inline void thrift_step_over(struct thrift *in, int type, int depth) {
    if (depth > 8) in->bad = true;
    if (in->bad || in->short_of) return;
    int64_t field = 0;
    switch (type) {
        case THRIFT_TRUE: case THRIFT_FALSE: return;
        case THRIFT_BYTE: thrift_byte(in); return;
        case THRIFT_I16: case THRIFT_I32: case THRIFT_I64: thrift_varint(in); return;
        case THRIFT_DOUBLE: case THRIFT_BINARY: {
            const uint64_t bytes = type == THRIFT_DOUBLE ? 8 : thrift_varint(in);
            if (in->short_of || bytes > (uint64_t)(in->end - in->at)) {
                in->short_of = true;
            } else {
                in->at += bytes;
            }
            return;
        }
        case THRIFT_STRUCT:
            while ((type = thrift_field(in, &field)) != THRIFT_STOP) thrift_step_over(in, type, depth + 1);
            return;
        case THRIFT_LIST: case THRIFT_SET: {
            for (int64_t left = thrift_list(in, &type); left && !in->short_of && !in->bad; left--) {
                if (type == THRIFT_TRUE || type == THRIFT_FALSE) type = THRIFT_BYTE;
                thrift_step_over(in, type, depth + 1);
            }
            return;
        }
        default: in->bad = true; /* maps: Parquet has none */
    }
}

static inline void read_page_fields(struct thrift *in, int64_t kind, struct page_header *page) {
    int64_t field = 0, *const second[] = {NULL, &page->values, NULL, NULL, &page->encoding, &page->levels_bytes,
                                          &page->repetition_bytes};
    int64_t *const first[] = {NULL, &page->values, &page->encoding, &page->levels_encoding, &page->repetition_encoding};
    int64_t *const *known = kind == DATA_PAGE_2 ? second : first;
    const int64_t most = kind == DATA_PAGE_2 ? 6 : kind == DATA_PAGE ? 4 : 2;
    int type;
    while ((type = thrift_field(in, &field)) != THRIFT_STOP) {
        if (type == THRIFT_I32 && field > 0 && field <= most && known[field]) {
            *known[field] = thrift_integer(in);
        } else if (kind == DATA_PAGE_2 && field == 7 && (type == THRIFT_TRUE || type == THRIFT_FALSE)) {
            page->packed = type == THRIFT_TRUE;
        } else {
            thrift_step_over(in, type, 0);
        }
    }
}

/* Read one header; `in` tells whether that has succeeded. */
static inline void read_page_header(struct thrift *in, struct page_header *page) {
    *page = (struct page_header){.kind = -1, .bytes = -1, .packed_bytes = -1, .checksum = -1, .values = -1,
                                 .encoding = -1, .levels_encoding = RLE, .repetition_encoding = RLE, .packed = true};
    int64_t field = 0;
    int type;
    while ((type = thrift_field(in, &field)) != THRIFT_STOP) {
        if (type == THRIFT_I32 && field == 1) {
            page->kind = thrift_integer(in);
        } else if (type == THRIFT_I32 && field == 2) {
            page->bytes = thrift_integer(in);
        } else if (type == THRIFT_I32 && field == 3) {
            page->packed_bytes = thrift_integer(in);
        } else if (type == THRIFT_I32 && field == 4) {
            page->checksum = (uint32_t)thrift_integer(in);
        } else if (type == THRIFT_STRUCT && (field == 5 || field == 7 || field == 8)) {
            read_page_fields(in, field == 5 ? DATA_PAGE : field == 7 ? DICTIONARY_PAGE : DATA_PAGE_2, page);
        } else {
            thrift_step_over(in, type, 0);
        }
    }
}

#endif
