/* CSV: where records end, and records to the buffers of Arrow arrays.
 *
 * Rules: quotes are counted, 64 bytes at a time. That is exact if each opening quote stands where a field starts, or
 * closes a pair (""), and each closing one where a field ends, or opens a pair; anything else is not sure, and so is
 * a lone \r, a blank line, or a record with too many or too few fields.
 */
#include <stdlib.h>

#include "scan.h"
#include "values.h"

/* Bytes that are taken apart at once: what is found in them stays in the nearest cache. */
enum { CHUNK_BYTES = 1 << 15 };

struct dialect {
    int32_t separator;
    int32_t quote; /* 0 for none */
};

struct nulls {
    int64_t count;
    const uint8_t *text;      /* all of them, one behind the other */
    const int32_t *starts;    /* count + 1 */
    uint32_t lengths[256];    /* by the first byte: a bit for each length that one has; 32 and more share the last */
    int32_t empty;            /* nothing at all is null */
};

/* What 64 bytes hold; the state goes from one to the next. */
struct marks {
    const struct dialect *dialect;
    uint64_t inside;        /* all ones inside of quotes */
    uint64_t plain;         /* the last byte may stand beside no quote */
    uint64_t closed;        /* the last byte closed a quote */
    uint64_t returned;      /* the last byte was a \r that ends a line if a \n follows */
    uint64_t beyond_ascii;
    uint64_t unsure;        /* not zero: a quote or a \r stands where it should not */
};

/* Which bytes are inside of quotes; whether each quote stands beside what it may stand beside.
 *
 * Here and below are no branches: whether 64 bytes have a quote is anybody's guess.
 */
static inline uint64_t inside_of(struct marks *state, uint64_t quotes, uint64_t beside) {
    const uint64_t inside = parity_up_to(quotes) ^ state->inside;
    const uint64_t plain = ~(beside | inside), closing = quotes & ~inside;
    state->unsure |= ((plain << 1 | state->plain) & quotes) | ((closing << 1 | state->closed) & plain);
    state->plain = plain >> 63;
    state->closed = closing >> 63;
    state->inside = (uint64_t)((int64_t)inside >> 63);
    return inside;
}

static inline uint64_t quotes_among(const struct marks *state, const struct bytes64 *bytes) {
    return state->dialect->quote ? where(bytes, (uint8_t)state->dialect->quote) : 0;
}

/* Where fields and lines end, outside of quotes. */
static inline void marks_of(struct marks *state, const uint8_t *at, uint64_t *ends, uint64_t *newlines) {
    const struct bytes64 bytes = load64(at);
    const uint64_t separators = where(&bytes, (uint8_t)state->dialect->separator);
    const uint64_t lines = where(&bytes, '\n'), returns = where(&bytes, '\r'), quotes = quotes_among(state, &bytes);
    const uint64_t inside = inside_of(state, quotes, separators | lines | returns | quotes), bare = returns & ~inside;
    state->unsure |= (bare << 1 | state->returned) & ~lines;
    state->returned = bare >> 63;
    state->beyond_ascii |= beyond_ascii(&bytes);
    *newlines = lines & ~inside;
    *ends = (separators | lines) & ~inside;
}

static struct marks at_record(const struct dialect *dialect) { return (struct marks){.dialect = dialect}; }

/* The last bytes, as if empty lines followed: those are allowed beside a quote. */
static const uint8_t *padded(uint8_t room[64], const uint8_t *at, int64_t length) {
    memset(room, '\n', 64);
    memcpy(room, at, (size_t)length);
    return room;
}

/* Look at quotes only, as long as there is no \r; return how far that was. */
static int64_t quotes_until_return(struct marks *state, const uint8_t *data, int64_t length) {
    const uint8_t quote = (uint8_t)(state->dialect->quote ? state->dialect->quote : '\n');
    int64_t at = 0;
    for (; at + 64 <= length; at += 64) {
        const struct bytes64 bytes = load64(data + at);
        if (contains(&bytes, '\r')) break;
        const uint64_t beside = where_any(&bytes, (uint8_t)state->dialect->separator, '\n', quote);
        inside_of(state, quotes_among(state, &bytes), beside);
    }
    return at;
}

/* The position behind the last complete record in so many bytes, which start with a record; 0 if there is none, -1
 * if it is not sure. */
int64_t sf_csv_end_of_records(const uint8_t *data, int64_t length, const struct dialect *dialect) {
    struct marks state = at_record(dialect);
    uint8_t room[64];
    uint64_t ends, newlines;
    int64_t at = quotes_until_return(&state, data, length);
    for (; at + 64 <= length; at += 64) marks_of(&state, data + at, &ends, &newlines);
    const uint8_t *last = padded(room, data + at, length - at);
    struct marks before = state;
    marks_of(&state, last, &ends, &newlines);
    /* What ends with a \r may be a record, or half of a line's end. */
    if (state.unsure || (length && data[length - 1] == '\r')) return -1;
    newlines &= (1ull << (length - at)) - 1;
    /* Backwards, by the quotes of each 64 bytes: nearly always it is among the last few. */
    while (!newlines && at) {
        const struct bytes64 bytes = load64(data + (at -= 64));
        const uint64_t quotes = quotes_among(&state, &bytes);
        before.inside ^= -(uint64_t)(__builtin_popcountll(quotes) & 1);
        newlines = where(&bytes, '\n') & ~(parity_up_to(quotes) ^ before.inside);
    }
    return newlines ? at + 64 - __builtin_clzll(newlines) : 0;
}

static inline bool is_null(const struct nulls *nulls, const uint8_t *at, int64_t length) {
    if (!length) return nulls->empty;
    if (!(nulls->lengths[*at] >> (length < 31 ? length : 31) & 1)) return false;
    for (int64_t i = 0; i < nulls->count; i++) {
        const int32_t start = nulls->starts[i];
        if (nulls->starts[i + 1] - start == length && !memcmp(nulls->text + start, at, (size_t)length)) return true;
    }
    return false;
}

static inline bool read_boolean(struct column *column, int64_t row, const uint8_t *at, int64_t length) {
    bool value = (length == 1 && *at == '1') ||
                 (length == 4 && (!memcmp(at, "true", 4) || !memcmp(at, "True", 4) || !memcmp(at, "TRUE", 4)));
    bool opposite = (length == 1 && *at == '0') ||
                    (length == 5 && (!memcmp(at, "false", 5) || !memcmp(at, "False", 5) || !memcmp(at, "FALSE", 5)));
    if (value) column->values[row >> 3] |= (uint8_t)(1u << (row & 7));
    return value || opposite;
}

/* Copy what is between two quotes, with one quote where there are two. */
static inline uint8_t *unquoted(uint8_t *to, const uint8_t *at, const uint8_t *end, uint8_t quote) {
    while (at < end) {
        const uint8_t *next = memchr(at, quote, (size_t)(end - at));
        const size_t count = (size_t)((next ? next + 1 : end) - at);
        memcpy(to, at, count);
        to += count;
        at += count + (next != NULL);
    }
    return to;
}

/* Some records that were taken apart: where each field ends, `fields` for each record. */
struct chunk {
    const uint8_t *data;
    int64_t length;
    int64_t start; /* of the first field */
    const uint32_t *ends;
    int64_t fields, records;
    uint8_t quote;
};

static inline void field_of(const struct chunk *chunk, int64_t record, int64_t place, const uint8_t **at, const uint8_t **end) {
    const int64_t index = record * chunk->fields + place;
    *at = chunk->data + (index ? chunk->ends[index - 1] + 1 : chunk->start);
    *end = chunk->data + chunk->ends[index];
    /* Outside of quotes a \r is only found before a \n. */
    *end -= place == chunk->fields - 1 && *end > *at && (*end)[-1] == '\r';
}

static inline __attribute__((always_inline)) enum outcome convert_as(
    const enum kind kind, struct column *column, const struct chunk *chunk, int64_t place, int64_t row, const struct nulls *nulls) {
    for (int64_t record = 0; record < chunk->records; record++, row++) {
        const uint8_t *at, *end;
        field_of(chunk, record, place, &at, &end);
        if (at < end && *at == chunk->quote && chunk->quote) {
            at++;
            end--;
        } else if (is_null(nulls, at, end - at)) {
            set_null(column, row);
            continue;
        }
        bool read = kind == FLOAT       ? read_float(column, row, at, end)
                    : kind == BOOLEAN   ? read_boolean(column, row, at, end - at)
                    : kind == DATE      ? read_date(column, row, at, end)
                    : kind == TIMESTAMP ? read_timestamp(column, row, at, end)
                                        : read_integer(column, row, at, end, chunk->data);
        if (!read) return UNSURE;
    }
    return DONE;
}

/* Whether the text of these records fits, before quotes are taken off. */
static bool has_room(const struct column *column, const struct chunk *chunk, int64_t place) {
    int64_t most = column->text_used;
    const uint8_t *at, *end;
    for (int64_t record = 0; record < chunk->records; record++) {
        field_of(chunk, record, place, &at, &end);
        most += end - at;
    }
    return most <= column->text_room;
}

static enum outcome convert_text(
    struct column *column, const struct chunk *chunk, int64_t place, int64_t row, const struct nulls *nulls) {
    const uint8_t *at, *end;
    uint8_t *to = column->text + column->text_used;
    const uint8_t *last_to = column->text + column->text_room, *last_at = chunk->data + chunk->length;
    int32_t *offsets = (int32_t *)column->values;
    for (int64_t record = 0; record < chunk->records; record++, row++) {
        field_of(chunk, record, place, &at, &end);
        if (at < end && *at == chunk->quote && chunk->quote) {
            to = unquoted(to, at + 1, end - 1, chunk->quote);
        } else if (is_null(nulls, at, end - at)) {
            column->validity[row >> 3] &= (uint8_t)~(1u << (row & 7));
            column->nulls++;
        } else {
            to = copied(to, at, end - at, to + 16 <= last_to && at + 16 <= last_at);
        }
        offsets[row + 1] = (int32_t)(to - column->text);
    }
    column->text_used = to - column->text;
    return DONE;
}

static enum outcome convert(
    struct column *column, const struct chunk *chunk, int64_t place, int64_t row, const struct nulls *nulls) {
    switch (column->kind) {
        case TEXT: return convert_text(column, chunk, place, row, nulls);
        case FLOAT: return convert_as(FLOAT, column, chunk, place, row, nulls);
        case BOOLEAN: return convert_as(BOOLEAN, column, chunk, place, row, nulls);
        case DATE: return convert_as(DATE, column, chunk, place, row, nulls);
        case TIMESTAMP: return convert_as(TIMESTAMP, column, chunk, place, row, nulls);
        default: return convert_as(INTEGER, column, chunk, place, row, nulls);
    }
}

/* Take the records from `at` on apart, as many as fit; 0 if that is not sure. */
static int64_t split(
    struct chunk *chunk, uint32_t *ends, int64_t room, int64_t at, int64_t length, const struct dialect *dialect, bool any_text) {
    struct marks state = at_record(dialect);
    uint8_t last[64];
    const int64_t start = at, soft_end = at + CHUNK_BYTES;
    int64_t found = 0, newlines = 0;
    for (; at < length && found + 65 <= room && (at < soft_end || !newlines); at += 64) {
        const int64_t left = length - at;
        uint64_t bits, lines;
        marks_of(&state, left < 64 ? padded(last, chunk->data + at, left) : chunk->data + at, &bits, &lines);
        if (left < 64) {
            bits &= (1ull << left) - 1;
            lines &= (1ull << left) - 1;
        }
        newlines += __builtin_popcountll(lines);
        for (; bits; bits &= bits - 1) ends[found++] = (uint32_t)(at + __builtin_ctzll(bits));
    }
    if (state.unsure) return 0;
    if (at >= length && chunk->data[length - 1] != '\n') {
        /* The last record may lack its newline, but not the second half of it, or a quote. An empty field at the very
         * end is Arrow's: it takes it for quoted if the one before it was. */
        const uint8_t last_byte = chunk->data[length - 1];
        if (state.inside || last_byte == '\r' || last_byte == dialect->separator) return 0;
        ends[found++] = (uint32_t)length;
        newlines++;
    }
    chunk->start = start;
    chunk->records = newlines;
    if (!newlines || found < newlines * chunk->fields) return 0;
    /* If each last field ends with a line, and there are no more lines, then no other does. */
    for (int64_t record = 1; record <= newlines; record++) {
        const uint32_t end = ends[record * chunk->fields - 1];
        if (end < length && chunk->data[end] != '\n') return 0;
    }
    if (chunk->fields == 1) {
        for (int64_t record = 0; record < newlines; record++) {
            const uint8_t *from, *to;
            field_of(chunk, record, 0, &from, &to);
            if (from == to) return 0;
        }
    }
    const int64_t end = (int64_t)ends[newlines * chunk->fields - 1] + 1;
    const int64_t stop = end < length ? end : length;
    if (any_text && state.beyond_ascii && !is_utf8(chunk->data + start, chunk->data + stop)) return 0;
    return stop;
}

/* Decode a block that starts with a record: `columns[i]` takes the fields at `places[i]`. */
int sf_csv_decode(
    const uint8_t *data, int64_t length, const struct dialect *dialect, const struct nulls *nulls, int64_t fields,
    int64_t wanted, const int64_t *places, struct column *columns, struct progress *progress) {
    const int64_t room = CHUNK_BYTES + 2 * fields + 128;
    uint32_t *ends = malloc((size_t)room * sizeof *ends);
    if (!ends) return UNSURE;
    struct chunk chunk = {.data = data, .length = length, .ends = ends, .fields = fields, .quote = (uint8_t)dialect->quote};
    bool any_text = false;
    for (int64_t i = 0; i < wanted; i++) any_text |= columns[i].kind == TEXT;
    int outcome = DONE;
    while (outcome == DONE && progress->at < length) {
        const int64_t stop = split(&chunk, ends, room, progress->at, length, dialect, any_text);
        if (!stop) {
            outcome = UNSURE;
            break;
        }
        for (int64_t i = 0; i < wanted && outcome == DONE; i++) {
            if (columns[i].kind == TEXT && !has_room(&columns[i], &chunk, places[i])) {
                progress->lacking = i;
                outcome = NO_ROOM;
            }
        }
        for (int64_t i = 0; i < wanted && outcome == DONE; i++) {
            outcome = convert(&columns[i], &chunk, places[i], progress->rows, nulls);
        }
        if (outcome == DONE) {
            progress->at = stop;
            progress->rows += chunk.records;
        }
    }
    free(ends);
    return outcome;
}

/* How often a byte occurs. */
int64_t sf_count(const uint8_t *data, int64_t length, int wanted) {
    int64_t count = 0, at = 0;
    for (; at + 64 <= length; at += 64) {
        const struct bytes64 bytes = load64(data + at);
        count += __builtin_popcountll(where(&bytes, (uint8_t)wanted));
    }
    for (; at < length; at++) count += data[at] == wanted;
    return count;
}
