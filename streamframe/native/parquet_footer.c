/* The footer of a Parquet file to what is asked of its column chunks.
 *
 * Rule: a footer that is not as expected in anything that is looked at is not sure, and then Arrow looks at it.
 */
#include "parquet_facts.h"
#include "parquet_page.h"
#include "values.h"

enum { NO_TYPE = -1, INT32 = 1, INT64 = 2 };
enum { TOLD = 1, AS_INTEGERS = 2 };

/* The length of a text or of bytes, which `at` is set to. */
static int64_t thrift_bytes(struct thrift *in, const uint8_t **at) {
    const uint64_t bytes = thrift_varint(in);
    *at = in->at;
    if (in->short_of || in->bad || bytes > (uint64_t)(in->end - in->at)) {
        in->short_of = true;
        return 0;
    }
    in->at += bytes;
    return (int64_t)bytes;
}

static bool integer_of(const uint8_t *at, int64_t bytes, int64_t type, int64_t *value) {
    if (type == INT64 && bytes == 8) {
        memcpy(value, at, 8);
        return true;
    }
    int32_t narrow;
    if (type != INT32 || bytes != 4) return false;
    memcpy(&narrow, at, 4);
    *value = narrow;
    return true;
}

static void read_statistics(struct thrift *in, struct chunk_facts *chunk) {
    int64_t field = 0;
    int type;
    bool least = false, most = false, told = false;
    while ((type = thrift_field(in, &field)) != THRIFT_STOP) {
        if (type == THRIFT_BINARY && (field == 1 || field == 2 || field == 5 || field == 6)) {
            const uint8_t *at;
            const int64_t bytes = thrift_bytes(in, &at);
            told = true;
            if (field == 5) most = integer_of(at, bytes, chunk->type, &chunk->most);
            if (field == 6) least = integer_of(at, bytes, chunk->type, &chunk->least);
        } else {
            thrift_step_over(in, type, 0);
        }
    }
    chunk->bounds = least && most ? AS_INTEGERS : told ? TOLD : 0;
}

static void read_chunk_metadata(struct thrift *in, struct chunk_facts *chunk) {
    int64_t field = 0;
    int64_t *const known[] = {NULL, &chunk->type, NULL, NULL, &chunk->codec, &chunk->values, &chunk->bytes,
                              &chunk->packed_bytes, NULL, &chunk->data_page_offset, NULL,
                              &chunk->dictionary_page_offset};
    int type;
    while ((type = thrift_field(in, &field)) != THRIFT_STOP) {
        if (field > 0 && field <= 11 && known[field]) {
            if (type != (field == 1 || field == 4 ? THRIFT_I32 : THRIFT_I64)) in->bad = true;
            *known[field] = thrift_integer(in);
        } else if (field == 12 && type == THRIFT_STRUCT) {
            read_statistics(in, chunk);
        } else {
            thrift_step_over(in, type, 0);
        }
    }
}

static void read_chunk(struct thrift *in, struct chunk_facts *chunk) {
    *chunk = (struct chunk_facts){.values = -1, .data_page_offset = -1, .dictionary_page_offset = -1,
                                  .packed_bytes = -1, .bytes = -1, .codec = -1, .type = NO_TYPE};
    int64_t field = 0;
    int type;
    while ((type = thrift_field(in, &field)) != THRIFT_STOP) {
        const uint8_t *at;
        if (field == 1 && type == THRIFT_BINARY) {
            chunk->elsewhere = thrift_bytes(in, &at) > 0;
        } else if (field == 3 && type == THRIFT_STRUCT) {
            read_chunk_metadata(in, chunk);
        } else if (field == 8 || field == 9) {
            in->bad = true; /* encrypted */
        } else {
            thrift_step_over(in, type, 0);
        }
    }
}

/* Of the bytes of a chunk, so that nothing overflows that is reckoned with them. */
static bool is_sound(const struct chunk_facts *chunk, int64_t type) {
    const int64_t most = 1ll << 60, dictionary = chunk->dictionary_page_offset;
    return chunk->type == type && chunk->codec >= 0 && chunk->values >= 0 && chunk->bytes >= 0 &&
           chunk->packed_bytes >= 0 && chunk->packed_bytes < most && chunk->data_page_offset >= 0 &&
           chunk->data_page_offset < most && dictionary >= -1 && dictionary < most;
}

/* What is told of each chunk, row group after row group; `types` are those of the schema. Returns how many row groups
 * there are, or -1. */
int64_t sf_parquet_footer(
    const uint8_t *at, int64_t bytes, int64_t columns, const int32_t *types, int64_t most_groups, int64_t *rows,
    struct chunk_facts *chunks) {
    struct thrift in = {.at = at, .end = at + bytes};
    int64_t field = 0, groups = -1;
    int type;
    while ((type = thrift_field(&in, &field)) != THRIFT_STOP) {
        if (field != 4) {
            thrift_step_over(&in, type, 0);
            continue;
        }
        if (type != THRIFT_LIST || groups >= 0) return UNSURE;
        groups = thrift_list(&in, &type);
        if (groups > most_groups || (groups && type != THRIFT_STRUCT)) return UNSURE;
        for (int64_t group = 0; group < groups; group++) {
            int64_t inner = 0, found = -1;
            rows[group] = -1;
            while ((type = thrift_field(&in, &inner)) != THRIFT_STOP) {
                if (inner == 1 && type == THRIFT_LIST && found < 0) {
                    found = thrift_list(&in, &type);
                    if (found != columns || type != THRIFT_STRUCT) return UNSURE;
                    for (int64_t column = 0; column < columns; column++, chunks++) {
                        read_chunk(&in, chunks);
                        if (in.bad || in.short_of || !is_sound(chunks, types[column])) return UNSURE;
                    }
                } else if (inner == 3 && type == THRIFT_I64) {
                    rows[group] = thrift_integer(&in);
                } else {
                    thrift_step_over(&in, type, 0);
                }
            }
            if (found < 0 || rows[group] < 0) return UNSURE;
        }
    }
    return in.bad || in.short_of ? UNSURE : groups;
}

/* How many row groups there are, or -1; `spans` are set to where in the footer the list of them begins and ends, and
 * how many rows there are; 0 where that is not said before them. */
int64_t sf_parquet_row_groups(const uint8_t *at, int64_t bytes, int64_t *spans) {
    struct thrift in = {.at = at, .end = at + bytes};
    int64_t field = 0, groups = UNSURE;
    int type;
    spans[2] = spans[3] = 0;
    while ((type = thrift_field(&in, &field)) != THRIFT_STOP) {
        const bool is_rows = field == 3 && type == THRIFT_I64 && groups < 0;
        if (is_rows) spans[2] = in.at - at;
        if (field == 4) {
            if (type != THRIFT_LIST || groups >= 0) return UNSURE;
            struct thrift list = in;
            spans[0] = in.at - at;
            groups = thrift_list(&list, &type);
            type = THRIFT_LIST;
        }
        thrift_step_over(&in, type, 0);
        if (is_rows) spans[3] = in.at - at;
        if (field == 4) spans[1] = in.at - at;
    }
    return in.bad || in.short_of ? UNSURE : groups;
}
