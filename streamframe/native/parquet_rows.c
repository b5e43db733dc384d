/* What each row of a column chunk of Parquet will weigh, by the levels of its values and the lengths of its text.
 *
 * Rules: nothing is made of the values. It goes on from page to page, since a row may; and stops after so many levels,
 * so that what it needs is bounded, and where a row is too heavy. What is damaged is not sure.
 */
#include "bits.h"
#include "parquet_page.h"
#include "runs.h"
#include "values.h"

/* Levels that are looked at in a call, and at a time. */
enum { CALL = 1 << 16, STEP = 1024 };
/* What a page needs, beside `enum outcome`. */
enum { MORE_LEVELS = 2, TOO_HEAVY = 3 };
/* How the lengths of its values are told. */
enum { EQUAL = 0, BY_INDEX = 1, IN_FRONT = 2, IN_ORDER = 3 };

struct weighing {
    /* Told by the caller: of the page. */
    const uint8_t *repetition, *repetition_end, *definition, *definition_end, *values, *values_end;
    int64_t levels; /* left in the page */
    int64_t how;
    const int32_t *lengths; /* of the texts of the dictionary, or of the page in order */
    int64_t lengths_count;
    /* Of the chunk. */
    int64_t most_repetition, most_definition;
    int64_t level_bytes; /* what a value weighs, whatever it is */
    int64_t most_row_bytes, piece_bytes;
    /* Told to the caller. */
    int64_t rows, row_bytes; /* begun so far, and the last of them */
    int64_t before_bytes;    /* rows that are in a piece with the last */
    int64_t *ends;           /* rows before which a piece ends: room for CALL of them */
    int64_t ends_count;
    /* Nobody else's. */
    struct runs repetitions, definitions, indices;
    int64_t done; /* lengths, in order */
};

static int width_of(int64_t most) { return most ? 64 - __builtin_clzll((uint64_t)most) : 0; }

/* Begin a page. */
int sf_parquet_weigh_page(struct weighing *page) {
    page->repetitions = (struct runs){.at = page->repetition, .end = page->repetition_end, .width = width_of(page->most_repetition)};
    page->definitions = (struct runs){.at = page->definition, .end = page->definition_end, .width = width_of(page->most_definition)};
    page->done = 0;
    if (page->how == BY_INDEX) {
        /* A page of nothing but nulls may not even have a width. */
        const bool any = page->values < page->values_end;
        page->indices = (struct runs){.at = page->values + any, .end = page->values_end, .width = any ? *page->values : 0};
        if (page->indices.width > 32) return UNSURE;
    }
    return DONE;
}

/* The row before the next one is complete. */
static inline void end_row(struct weighing *page) {
    if (page->before_bytes && page->before_bytes + page->row_bytes > page->piece_bytes) {
        page->ends[page->ends_count++] = page->rows - 1;
        page->before_bytes = 0;
    }
    page->before_bytes += page->row_bytes;
    page->row_bytes = 0;
}

/* The lengths of so many values. */
static bool read_lengths(struct weighing *page, int64_t count, int64_t *lengths) {
    uint32_t indices[STEP];
    if (page->how == BY_INDEX) {
        if (!read_numbers(&page->indices, count, indices)) return false;
        for (int64_t i = 0; i < count; i++) {
            if (indices[i] >= page->lengths_count) return false;
            lengths[i] = page->lengths[indices[i]];
        }
    } else if (page->how == IN_ORDER) {
        if (count > page->lengths_count - page->done) return false;
        for (int64_t i = 0; i < count; i++) lengths[i] = page->lengths[page->done + i];
        page->done += count;
    } else {
        for (int64_t i = 0; i < count; i++) {
            if (page->values_end - page->values < 4) return false;
            lengths[i] = length_at(page->values);
            if (lengths[i] > page->values_end - page->values - 4) return false;
            page->values += 4 + lengths[i];
        }
    }
    return true;
}

/* Look at the next levels of the page. */
int sf_parquet_weigh(struct weighing *page) {
    uint32_t repetitions[STEP], definitions[STEP];
    int64_t lengths[STEP];
    page->ends_count = 0;
    for (int64_t call = 0; page->levels && call < CALL; call += STEP) {
        const int64_t some = page->levels < STEP ? page->levels : STEP;
        int64_t valid = some, next = 0;
        if (page->most_repetition && !read_numbers(&page->repetitions, some, repetitions)) return UNSURE;
        if (page->how != EQUAL) {
            if (page->most_definition) {
                if (!read_numbers(&page->definitions, some, definitions)) return UNSURE;
                valid = 0;
                for (int64_t i = 0; i < some; i++) valid += definitions[i] == page->most_definition;
            }
            if (!read_lengths(page, valid, lengths)) return UNSURE;
        }
        for (int64_t i = 0; i < some; i++) {
            if (!page->most_repetition || !repetitions[i] || !page->rows) {
                if (page->rows) end_row(page);
                page->rows++;
            }
            page->row_bytes += page->level_bytes;
            if (page->how != EQUAL && (!page->most_definition || definitions[i] == page->most_definition)) {
                page->row_bytes += lengths[next++];
            }
            if (page->row_bytes > page->most_row_bytes) return TOO_HEAVY;
        }
        page->levels -= some;
    }
    return page->levels ? MORE_LEVELS : DONE;
}

/* A header of a page, as numbers in the order of `pages.Page`; returns its length, or 0 if it is not sure. */
int64_t sf_parquet_header(const uint8_t *data, int64_t length, int64_t *told) {
    struct thrift in = {.at = data, .end = data + length};
    struct page_header page;
    read_page_header(&in, &page);
    const bool data_page = page.kind == DATA_PAGE || page.kind == DATA_PAGE_2;
    if (in.short_of || in.bad || !(data_page || page.kind == DICTIONARY_PAGE)) return 0;
    const int64_t found[] = {page.kind, page.bytes, page.packed_bytes, page.values, page.encoding,
                             page.kind == DATA_PAGE ? page.levels_encoding : 0,
                             page.kind == DATA_PAGE ? page.repetition_encoding : 0,
                             page.kind == DATA_PAGE_2 ? page.levels_bytes : 0,
                             page.kind == DATA_PAGE_2 ? page.repetition_bytes : 0, page.packed};
    for (int i = 0; i < 10; i++) {
        if (found[i] < 0 || found[i] > INT32_MAX) return 0;
        told[i] = found[i];
    }
    return in.at - data;
}

/* The lengths of texts that stand on end, each behind its own; returns how many there are, or -1. */
int64_t sf_parquet_lengths(const uint8_t *at, const uint8_t *end, int64_t most, int32_t *lengths) {
    int64_t count = 0;
    for (; count < most; count++) {
        if (end - at < 4 || length_at(at) > end - at - 4) return -1;
        lengths[count] = (int32_t)length_at(at);
        at += 4 + lengths[count];
    }
    return count;
}
