/* A column chunk of a Parquet file to the rows of an Arrow array, some at a time.
 *
 * Rules: columns without lists and structs, and the encodings that nearly all files have; the rest, and what is
 * damaged, is not sure, and nothing of it is kept. Pages are looked at one after another, and their bytes are asked for
 * when they are needed: a chunk may be larger than memory. Nothing a page says is believed before it was checked.
 */
#include <stdlib.h>

#include "bits.h"
#include "crc.h"
#include "parquet_facts.h"
#include "parquet_page.h"
#include "runs.h"
#include "snappy.h"
#include "values.h"

/* Behind a page and behind text, so many bytes may be read, or written over. */
enum { SLACK = SNAPPY_SLACK };
/* Rows that are decoded at a time; a multiple of 64. */
enum { STEP = 1024 };
enum codec { STORED = 0, SNAPPY = 1, OTHER = 2 };
/* What a chunk needs to go on, beside `enum outcome`. */
enum need { MORE_INPUT = 2, UNPACKING = 3, ROOM_FOR_PAGE = 4 };

struct chunk {
    /* Told by the caller. */
    const uint8_t *at, *end; /* the bytes that are there */
    int64_t behind;          /* bytes of the chunk behind these */
    int64_t most_page_bytes;
    uint8_t *page;           /* room for a page, kept from one to the next */
    int64_t page_room;
    int32_t codec, nullable, stored_width, width; /* width is 0 for text; a narrower one than what is stored is cut */
    int32_t encoded;                              /* indices are wanted */
    /* Told to the caller. */
    int32_t has_dictionary;
    int64_t needed;                /* bytes from `at` on */
    const uint8_t *packed;         /* bytes that the caller is to unpack */
    int64_t packed_bytes;
    uint8_t *unpacked;             /* to here */
    int64_t unpacked_bytes;
    int64_t dictionary_count;
    uint8_t *dictionary;           /* values as they become, or text */
    int32_t *dictionary_ends;      /* of text: its offsets */
    int64_t dictionary_longest;    /* text */
    /* Nobody else's. */
    struct page_header header;
    bool waiting; /* for the page to be unpacked */
    int64_t page_rows; /* not decoded yet */
    bool by_index;
    struct runs levels, indices;
    const uint8_t *values, *values_end;
};

/* How large `struct chunk` is: the caller knows the front of it. */
int64_t sf_parquet_chunk_bytes(void) { return sizeof(struct chunk); }

void sf_parquet_close(struct chunk *chunk) {
    free(chunk->dictionary);
    free(chunk->dictionary_ends);
    chunk->page = chunk->dictionary = NULL;
    chunk->dictionary_ends = NULL;
    chunk->page_room = chunk->page_rows = chunk->behind = chunk->has_dictionary = 0;
}

/* Levels. */

/* Which of the next rows have a value, as bits; returns how many have, or -1. */
static int64_t read_levels(struct runs *levels, int64_t count, uint64_t *bits) {
    if (!levels->left && !next_run(levels)) return -1;
    if (!levels->packed && levels->left >= count && levels->value == 1) {
        levels->left -= count;
        return count;
    }
    int64_t valid = 0;
    memset(bits, 0, STEP / 8);
    for (int64_t row = 0; row < count;) {
        if (!levels->left && !next_run(levels)) return -1;
        int64_t some = 64 - (row & 63);
        some = some < levels->left ? some : levels->left;
        some = some < count - row ? some : count - row;
        uint64_t word = levels->value ? ~0ull : 0;
        if (levels->packed) {
            some = some < 56 ? some : 56;
            word = word_at(levels->at + (levels->bit >> 3)) >> (levels->bit & 7);
            levels->bit += some;
        } else if (levels->value > 1) {
            return -1;
        }
        if (some < 64) word &= (1ull << some) - 1;
        bits[row >> 6] |= word << (row & 63);
        valid += __builtin_popcountll(word);
        levels->left -= some;
        row += some;
    }
    return valid;
}

/* Pages. */

/* Narrower integers are stored as wider ones. */
static void narrow(const uint8_t *from, int64_t count, int64_t width, uint8_t *to) {
    for (int64_t i = 0; i < count; i++) memcpy(to + i * width, from + i * 4, (size_t)width);
}

static bool take_dictionary(struct chunk *chunk) {
    const int64_t count = chunk->header.values, bytes = chunk->header.bytes;
    const int64_t encoding = chunk->header.encoding;
    if (chunk->has_dictionary || count < 0 || (encoding != PLAIN && encoding != PLAIN_DICTIONARY)) return false;
    if (count > bytes / (chunk->width ? chunk->stored_width : 4)) return false;
    chunk->dictionary = malloc((size_t)bytes + SLACK);
    if (!chunk->dictionary) return false;
    if (chunk->width && chunk->width == chunk->stored_width) {
        memcpy(chunk->dictionary, chunk->page, (size_t)(count * chunk->width));
    } else if (chunk->width) {
        narrow(chunk->page, count, chunk->width, chunk->dictionary);
    } else {
        chunk->dictionary_ends = malloc((size_t)(count + 1) * sizeof(int32_t));
        if (!chunk->dictionary_ends) return false;
        const uint8_t *at = chunk->page, *end = at + bytes;
        uint8_t *to = chunk->dictionary;
        chunk->dictionary_ends[0] = 0;
        for (int64_t i = 0; i < count; i++) {
            if (end - at < 4 || length_at(at) > end - at - 4) return false;
            const int64_t length = length_at(at);
            memcpy(to, at + 4, (size_t)length);
            at += 4 + length;
            to += length;
            chunk->dictionary_ends[i + 1] = (int32_t)(to - chunk->dictionary);
            if (length > chunk->dictionary_longest) chunk->dictionary_longest = length;
        }
    }
    chunk->dictionary_count = count;
    chunk->has_dictionary = true;
    return true;
}

/* Where in a page of data the levels and the values are. */
static bool take_data(struct chunk *chunk) {
    const struct page_header *header = &chunk->header;
    const uint8_t *at = chunk->page, *end = at + header->bytes;
    int64_t levels_bytes = header->levels_bytes;
    if (header->values < 0 || (chunk->nullable && header->levels_encoding != RLE)) return false;
    if (chunk->nullable && header->kind == DATA_PAGE) {
        if (end - at < 4) return false;
        levels_bytes = length_at(at);
        at += 4;
    }
    if (levels_bytes < 0 || levels_bytes > end - at || (levels_bytes && !chunk->nullable)) return false;
    chunk->levels = (struct runs){.at = at, .end = at + levels_bytes, .width = 1};
    at += levels_bytes;
    chunk->by_index = header->encoding != PLAIN;
    chunk->values = at;
    chunk->values_end = end;
    if (chunk->by_index) {
        if (header->encoding != PLAIN_DICTIONARY && header->encoding != RLE_DICTIONARY) return false;
        if (!chunk->has_dictionary) return false;
        /* A page of nothing but nulls may not even have a width. */
        const int32_t width = at < end ? *at : 0;
        if (width > 32) return false;
        chunk->indices = (struct runs){.at = at + (at < end), .end = end, .width = width};
    } else if (chunk->encoded) {
        return false;
    }
    chunk->page_rows = header->values;
    return true;
}

static bool take_page(struct chunk *chunk) {
    return chunk->header.kind == DICTIONARY_PAGE ? take_dictionary(chunk) : take_data(chunk);
}

/* Go on to the next page that has rows, or tell what that needs. */
static int next_page(struct chunk *chunk) {
    if (chunk->waiting) {
        chunk->waiting = false;
        return take_page(chunk) ? DONE : UNSURE;
    }
    struct thrift in = {.at = chunk->at, .end = chunk->end};
    struct page_header *header = &chunk->header;
    read_page_header(&in, header);
    if (in.short_of && !in.bad && chunk->behind) {
        chunk->needed = 2 * (chunk->end - chunk->at) + 64;
        return MORE_INPUT;
    }
    if (in.short_of || in.bad || header->packed_bytes < 0 || header->bytes < 0) return UNSURE;
    if (header->bytes > chunk->most_page_bytes) return UNSURE;
    if (header->packed_bytes > chunk->end - in.at) {
        chunk->needed = in.at - chunk->at + header->packed_bytes;
        return header->packed_bytes - (chunk->end - in.at) <= chunk->behind ? MORE_INPUT : UNSURE;
    }
    if (header->bytes + SLACK > chunk->page_room) {
        chunk->needed = header->bytes + SLACK;
        return ROOM_FOR_PAGE;
    }
    const uint8_t *body = in.at;
    int64_t body_bytes = header->packed_bytes, ready = 0;
    chunk->at = body + body_bytes;
    if (header->checksum >= 0 && sf_crc32(body, body_bytes) != header->checksum) return UNSURE;
    if (header->kind == INDEX_PAGE) return DONE;
    if (header->kind != DATA_PAGE && header->kind != DICTIONARY_PAGE && header->kind != DATA_PAGE_2) return UNSURE;
    int32_t codec = chunk->codec;
    if (header->kind == DATA_PAGE_2) {
        /* Its levels are never packed. */
        ready = header->levels_bytes;
        if (header->repetition_bytes || ready < 0 || ready > body_bytes || ready > header->bytes) return UNSURE;
        memcpy(chunk->page, body, (size_t)ready);
        if (!header->packed) codec = STORED;
    }
    chunk->packed = body + ready;
    chunk->packed_bytes = body_bytes - ready;
    chunk->unpacked = chunk->page + ready;
    chunk->unpacked_bytes = header->bytes - ready;
    if (codec == OTHER && chunk->unpacked_bytes) {
        chunk->waiting = true;
        return UNPACKING;
    }
    if (codec == SNAPPY && chunk->unpacked_bytes) {
        const uint8_t *end = chunk->packed + chunk->packed_bytes;
        if (!snappy(chunk->packed, end, chunk->unpacked, chunk->unpacked_bytes)) return UNSURE;
    } else if (codec == STORED) {
        if (chunk->packed_bytes != chunk->unpacked_bytes) return UNSURE;
        memcpy(chunk->unpacked, chunk->packed, (size_t)chunk->packed_bytes);
    }
    return take_page(chunk) ? DONE : UNSURE;
}

/* Values. */

/* Whether all of these are in the dictionary. */
static bool are_indices(const struct chunk *chunk, const uint32_t *indices, int64_t count) {
    uint32_t over = 0;
    const uint32_t most = (uint32_t)chunk->dictionary_count;
    for (int64_t i = 0; i < count; i++) over |= indices[i] >= most;
    return !over;
}

static void look_up(const struct chunk *chunk, const uint32_t *indices, int64_t count, uint8_t *out) {
    switch (chunk->width) {
#define AS(type) \
    for (int64_t i = 0; i < count; i++) ((type *)out)[i] = ((const type *)chunk->dictionary)[indices[i]]
        case 8: AS(uint64_t); break;
        case 4: AS(uint32_t); break;
        case 2: AS(uint16_t); break;
        default: AS(uint8_t);
#undef AS
    }
}

/* Below so many rows on end, they are moved one by one. */
enum { FEW_ROWS = 8 };

/* Move the values at the front of some rows to the rows that have one: from the last on, those on end at once. */
static inline __attribute__((always_inline)) void spread_as(
    const int width, uint8_t *out, const uint64_t *bits, int64_t rows, int64_t valid) {
    int64_t row = rows;
    while (valid < row) {
        /* The rows up to this one in its word, the last of them at the top. */
        const int64_t there = ((row - 1) & 63) + 1;
        const uint64_t word = bits[(row - 1) >> 6] << (64 - there), other = word >> 63 ? ~word : word;
        int64_t some = other ? __builtin_clzll(other) : 64;
        some = some < there ? some : there;
        row -= some;
        uint8_t *to = out + row * width;
        if (!(word >> 63)) {
            memset(to, 0, (size_t)(some * width));
            continue;
        }
        valid -= some;
        if (some >= FEW_ROWS) {
            memmove(to, out + valid * width, (size_t)(some * width));
        } else {
            for (int64_t i = some - 1; i >= 0; i--) memcpy(to + i * width, out + (valid + i) * width, (size_t)width);
        }
    }
}

static void spread(int width, uint8_t *out, const uint64_t *bits, int64_t rows, int64_t valid) {
    switch (width) {
        case 8: spread_as(8, out, bits, rows, valid); break;
        case 4: spread_as(4, out, bits, rows, valid); break;
        case 2: spread_as(2, out, bits, rows, valid); break;
        default: spread_as(1, out, bits, rows, valid);
    }
}

/* Clear the bits of rows without a value. */
static void mark(struct column *made, int64_t row, const uint64_t *bits, int64_t rows, int64_t valid) {
    for (int64_t i = 0; i < rows;) {
        const int64_t at = row + i, some = 8 - (at & 7) < rows - i ? 8 - (at & 7) : rows - i;
        uint64_t word = bits[i >> 6] >> (i & 63);
        if ((i & 63) > 56 && (i >> 6) + 1 < STEP / 64) word |= bits[(i >> 6) + 1] << (64 - (i & 63));
        const uint8_t clear = (uint8_t)(~word & ((1u << some) - 1));
        made->validity[at >> 3] &= (uint8_t)~(clear << (at & 7));
        i += some;
    }
    made->nulls += rows - valid;
}

static int read_fixed(struct chunk *chunk, struct column *made, int64_t row, int64_t count, uint32_t *indices) {
    const int width = chunk->encoded ? 4 : chunk->width;
    uint8_t *out = made->values + row * width;
    if (!chunk->by_index) {
        const int64_t bytes = count * chunk->stored_width;
        if (bytes > chunk->values_end - chunk->values) return UNSURE;
        if (chunk->width == chunk->stored_width) {
            memcpy(out, chunk->values, (size_t)bytes);
        } else {
            narrow(chunk->values, count, width, out);
        }
        chunk->values += bytes;
        return DONE;
    }
    if (chunk->encoded) indices = (uint32_t *)out;
    if (!read_numbers(&chunk->indices, count, indices) || !are_indices(chunk, indices, count)) return UNSURE;
    if (!chunk->encoded) look_up(chunk, indices, count, out);
    return DONE;
}

static inline bool has_value(const uint64_t *bits, bool all, int64_t row) {
    return all || (bits[row >> 6] >> (row & 63) & 1);
}

/* Ask for room; not for more than an offset can tell. */
static int room_for_text(struct chunk *chunk, int64_t bytes) {
    chunk->needed = bytes;
    return bytes > INT32_MAX ? UNSURE : NO_ROOM;
}

static int read_text_by_index(
    struct chunk *chunk, struct column *made, int64_t row, int64_t rows, int64_t count, const uint64_t *bits,
    uint32_t *indices) {
    const int32_t *ends = chunk->dictionary_ends;
    int32_t *offsets = (int32_t *)made->values + row + 1;
    uint8_t *to = made->text + made->text_used;
    const struct runs before = chunk->indices;
    if (!read_numbers(&chunk->indices, count, indices) || !are_indices(chunk, indices, count)) return UNSURE;
    if (made->text_used + count * chunk->dictionary_longest + SLACK > made->text_room) {
        int64_t bytes = SLACK;
        for (int64_t i = 0; i < count; i++) bytes += ends[indices[i] + 1] - ends[indices[i]];
        if (made->text_used + bytes > made->text_room) {
            chunk->indices = before;
            return room_for_text(chunk, made->text_used + bytes);
        }
    }
    const bool all = count == rows;
    for (int64_t i = 0; i < rows; i++) {
        if (has_value(bits, all, i)) {
            const int32_t start = ends[*indices], length = ends[*indices + 1] - start;
            to = copied(to, chunk->dictionary + start, length, true);
            indices++;
        }
        offsets[i] = (int32_t)(to - made->text);
    }
    made->text_used = to - made->text;
    return DONE;
}

static int read_plain_text(
    struct chunk *chunk, struct column *made, int64_t row, int64_t rows, int64_t count, const uint64_t *bits) {
    int32_t *offsets = (int32_t *)made->values + row + 1;
    const bool all = count == rows;
    const uint8_t *at = chunk->values;
    int64_t used = made->text_used;
    for (int64_t i = 0; i < rows; i++) {
        if (has_value(bits, all, i)) {
            if (chunk->values_end - at < 4) return UNSURE;
            const int64_t length = length_at(at);
            if (length > chunk->values_end - at - 4) return UNSURE;
            if (used + length + SLACK > made->text_room) return room_for_text(chunk, used + length + SLACK);
            uint8_t *to = made->text + used;
            if (length <= 64) {
                memcpy(to, at + 4, 64);
            } else {
                memcpy(to, at + 4, (size_t)length);
            }
            at += 4 + length;
            used += length;
        }
        offsets[i] = (int32_t)used;
    }
    chunk->values = at;
    made->text_used = used;
    return DONE;
}

/* Decode rows until there are `rows` of them in `made`, or until something is needed: then call again. Of no rows, go as
 * far as the first page that has some. */
int sf_parquet_read(struct chunk *chunk, struct column *made, int64_t rows, int64_t *done) {
    uint64_t bits[STEP / 64];
    uint32_t indices[STEP];
    while (!rows && !chunk->page_rows) {
        const int outcome = next_page(chunk);
        if (outcome != DONE) return outcome;
    }
    while (*done < rows) {
        if (!chunk->page_rows) {
            const int outcome = next_page(chunk);
            if (outcome != DONE) return outcome;
            continue;
        }
        int64_t some = rows - *done < STEP ? rows - *done : STEP;
        some = some < chunk->page_rows ? some : chunk->page_rows;
        int64_t count = some;
        const struct runs levels = chunk->levels;
        if (chunk->nullable && (count = read_levels(&chunk->levels, some, bits)) < 0) return UNSURE;
        int outcome;
        if (chunk->width || chunk->encoded) {
            outcome = read_fixed(chunk, made, *done, count, indices);
        } else if (chunk->by_index) {
            outcome = read_text_by_index(chunk, made, *done, some, count, bits, indices);
        } else {
            outcome = read_plain_text(chunk, made, *done, some, count, bits);
        }
        if (outcome != DONE) {
            chunk->levels = levels;
            return outcome;
        }
        if (count < some) {
            const int width = chunk->encoded ? 4 : chunk->width;
            if (width) spread(width, made->values + *done * width, bits, some, count);
            mark(made, *done, bits, some, count);
        }
        *done += some;
        chunk->page_rows -= some;
    }
    return DONE;
}

/* Rows of a chunk, up to so many of them in `made`. */
struct step {
    struct chunk *chunk;
    struct column *made;
    int64_t rows;
    int64_t *done;
};

/* Take steps from the one numbered `at` on; stop at the first that needs something. */
int sf_parquet_read_steps(const struct step *steps, int64_t count, int64_t *at) {
    for (; *at < count; ++*at) {
        const struct step *step = steps + *at;
        const int outcome = sf_parquet_read(step->chunk, step->made, step->rows, step->done);
        if (outcome != DONE) return outcome;
    }
    return DONE;
}

/* A column of files that are in memory, one behind another, with some bytes behind the last. */
struct many {
    int64_t files;
    const uint8_t *data;
    const int64_t *starts; /* of each file, and where the last one ends */
    const int64_t *rows;   /* up to the end of each file */
    const struct chunk_facts *facts;
    int64_t columns; /* there are so many facts from one file to the next */
    int64_t most_page_bytes;
    uint8_t *page;
    int64_t page_room;
    int32_t nullable, stored_width, width;
};

/* Begin with the chunk in a file; false if it is not all there. */
static bool begin(const struct many *many, int64_t file, struct chunk *chunk) {
    const struct chunk_facts *facts = many->facts + file * many->columns;
    const int64_t data = facts->data_page_offset, dictionary = facts->dictionary_page_offset;
    const int64_t at = dictionary > 0 && dictionary < data ? dictionary : data;
    const int64_t rows = many->rows[file] - (file ? many->rows[file - 1] : 0);
    const int64_t bytes = many->starts[file + 1] - many->starts[file];
    if (facts->elsewhere || facts->values != rows || facts->codec > SNAPPY || at > bytes || facts->packed_bytes > bytes - at)
        return false;
    memset(chunk, 0, sizeof *chunk);
    chunk->at = many->data + many->starts[file] + at;
    chunk->end = chunk->at + facts->packed_bytes;
    chunk->most_page_bytes = facts->bytes < many->most_page_bytes ? facts->bytes : many->most_page_bytes;
    chunk->page = many->page;
    chunk->page_room = many->page_room;
    chunk->codec = (int32_t)facts->codec;
    chunk->nullable = many->nullable;
    chunk->stored_width = many->stored_width;
    chunk->width = many->width;
    return true;
}

/* Decode the chunks from that of `file` on, of which so many rows are `done`. Where there is no room for text, `chunk`
 * has begun and tells how much is needed: then call again, or close it. */
int sf_parquet_read_many(
    const struct many *many, struct column *made, struct chunk *chunk, int64_t *file, int64_t *done) {
    for (; *file < many->files; ++*file) {
        if (!chunk->page && !begin(many, *file, chunk)) return UNSURE;
        const int outcome = sf_parquet_read(chunk, made, many->rows[*file], done);
        if (outcome == NO_ROOM) return NO_ROOM;
        sf_parquet_close(chunk);
        if (outcome != DONE) return UNSURE;
    }
    return DONE;
}
