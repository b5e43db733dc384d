/* NDJSON: objects of plain values, one in each line, to the buffers of Arrow arrays.
 *
 * Rules: strict JSON in UTF-8. A value of a column that is wanted is a number, text, a boolean or null of its type; what
 * is not wanted may be anything that is JSON. All else is not sure: a name twice, a name with an escape, half of
 * a surrogate pair, whitespace around an object.
 */
#include <stdlib.h>

#include "scan.h"
#include "values.h"

enum { MOST_DEPTH = 64 };

struct name {
    const uint8_t *text;
    int64_t length;
    int64_t column; /* -1 for none */
};

struct parser {
    const uint8_t *at, *end, *first;
    struct column *columns;
    const struct name *names;
    int64_t wanted;
    bool strict; /* a name that is no column is not sure */
    int64_t row;
    int64_t *seen; /* for each column, the last row that had it, counted from 1 */
    /* The names of the last record, in its order: the next one most likely has the same. */
    struct name *expected;
    int64_t expected_room, expected_count;
};

static inline void skip_blanks(struct parser *parser) {
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t')) parser->at++;
}

static inline bool take(struct parser *parser, uint8_t c) {
    if (parser->at == parser->end || *parser->at != c) return false;
    parser->at++;
    return true;
}

/* Behind an opening quote: go to the closing one; false if there is none, or what no string may hold. */
static inline bool go_to_quote(struct parser *parser, bool *escaped) {
    *escaped = false;
    for (;;) {
        parser->at = plain_until(parser->at, parser->end);
        if (parser->at == parser->end || *parser->at < 0x20) return false;
        if (*parser->at == '"') return true;
        *escaped = true;
        parser->at += 2;
        if (parser->at > parser->end) return false;
    }
}

static inline int hex_of(uint8_t c) {
    return is_digit(c) ? c - '0' : (uint8_t)((c | 32) - 'a') < 6 ? (c | 32) - 'a' + 10 : -1;
}

/* Four hexadecimal digits; -1 if they are none. */
static int32_t unit_of(const uint8_t *at, const uint8_t *end) {
    int32_t unit = 0;
    if (end - at < 4) return -1;
    for (int i = 0; i < 4; i++) {
        const int digit = hex_of(at[i]);
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static uint8_t *encoded(uint8_t *to, uint32_t character) {
    if (character < 0x80) {
        *to++ = (uint8_t)character;
    } else if (character < 0x800) {
        *to++ = (uint8_t)(0xC0 | character >> 6);
        *to++ = (uint8_t)(0x80 | (character & 63));
    } else if (character < 0x10000) {
        *to++ = (uint8_t)(0xE0 | character >> 12);
        *to++ = (uint8_t)(0x80 | (character >> 6 & 63));
        *to++ = (uint8_t)(0x80 | (character & 63));
    } else {
        *to++ = (uint8_t)(0xF0 | character >> 18);
        *to++ = (uint8_t)(0x80 | (character >> 12 & 63));
        *to++ = (uint8_t)(0x80 | (character >> 6 & 63));
        *to++ = (uint8_t)(0x80 | (character & 63));
    }
    return to;
}

/* The character of an escape, behind its backslash; -1 if it is none, or half of a pair. */
static int32_t escape_of(const uint8_t **at, const uint8_t *end) {
    static const uint8_t from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const uint8_t c = *(*at)++;
    if (c != 'u') {
        const uint8_t *found = memchr(from, c, sizeof from - 1);
        return found ? into[found - from] : -1;
    }
    const int32_t unit = unit_of(*at, end);
    *at += 4;
    if (unit < 0xD800 || unit > 0xDFFF) return unit;
    const bool pair = unit < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u';
    const int32_t low = pair ? unit_of(*at + 2, end) : -1;
    *at += 6;
    return low < 0xDC00 || low > 0xDFFF ? -1 : 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

/* Copy a string, its escapes replaced; NULL if one is none. An escape is never shorter than what it stands for. */
static uint8_t *unescaped(uint8_t *to, const uint8_t *at, const uint8_t *end) {
    for (;;) {
        const uint8_t *escape = memchr(at, '\\', (size_t)(end - at));
        const size_t plain = (size_t)((escape ? escape : end) - at);
        memcpy(to, at, plain);
        to += plain;
        if (!escape) return to;
        at = escape + 1;
        const int32_t character = escape_of(&at, end);
        if (character < 0) return NULL;
        to = encoded(to, (uint32_t)character);
    }
}

/* Whether a string can be read. */
static bool escapes_are_valid(const uint8_t *at, const uint8_t *end) {
    while ((at = memchr(at, '\\', (size_t)(end - at)))) {
        at++;
        if (escape_of(&at, end) < 0) return false;
    }
    return true;
}

static inline bool is_numeric(uint8_t c) { return is_digit(c) || c == '-' || c == '+' || c == '.' || (c | 32) == 'e'; }

/* Go behind a number; false if it starts as none in JSON does. What follows its first digits is looked at when it is
 * read. */
static inline bool go_behind_number(struct parser *parser) {
    const uint8_t *digits = parser->at + (*parser->at == '-');
    while (parser->at < parser->end && is_numeric(*parser->at)) parser->at++;
    if (digits >= parser->at || !is_digit(*digits)) return false;
    return *digits != '0' || digits + 1 == parser->at || !is_digit(digits[1]);
}

static inline bool take_word(struct parser *parser, const char *word, int64_t length) {
    if (parser->end - parser->at < length || memcmp(parser->at, word, (size_t)length)) return false;
    parser->at += length;
    return true;
}

/* Pass over any value. */
static bool skip_value(struct parser *parser, int depth) {
    skip_blanks(parser);
    if (parser->at == parser->end || depth == MOST_DEPTH) return false;
    const uint8_t c = *parser->at;
    bool escaped;
    if (c == '"') {
        const uint8_t *text = ++parser->at;
        if (!go_to_quote(parser, &escaped)) return false;
        const uint8_t *end = parser->at++;
        return !escaped || escapes_are_valid(text, end);
    }
    if (c == '{' || c == '[') {
        const uint8_t close = c == '{' ? '}' : ']';
        parser->at++;
        skip_blanks(parser);
        if (take(parser, close)) return true;
        do {
            skip_blanks(parser);
            if (c == '{') {
                if (!take(parser, '"') || !go_to_quote(parser, &escaped) || escaped) return false;
                parser->at++;
                skip_blanks(parser);
                if (!take(parser, ':')) return false;
            }
            if (!skip_value(parser, depth + 1)) return false;
            skip_blanks(parser);
        } while (take(parser, ','));
        return take(parser, close);
    }
    if (c == 't') return take_word(parser, "true", 4);
    if (c == 'f') return take_word(parser, "false", 5);
    if (c == 'n') return take_word(parser, "null", 4);
    const uint8_t *number = parser->at;
    double value;
    struct column any = {.kind = FLOAT, .values = (uint8_t *)&value};
    return go_behind_number(parser) && read_float(&any, 0, number, parser->at);
}

static inline enum outcome read_text(struct parser *parser, struct column *column) {
    const uint8_t *text = ++parser->at;
    bool escaped;
    if (!go_to_quote(parser, &escaped)) return UNSURE;
    const int64_t length = parser->at++ - text;
    if (column->text_used + length > column->text_room) return NO_ROOM;
    uint8_t *to = column->text + column->text_used;
    if (escaped) {
        to = unescaped(to, text, text + length);
        if (!to) return UNSURE;
    } else {
        const bool roomy = column->text_used + 16 <= column->text_room && text + 16 <= parser->end;
        to = copied(to, text, length, roomy);
    }
    column->text_used = to - column->text;
    ((int32_t *)column->values)[parser->row + 1] = (int32_t)column->text_used;
    return DONE;
}

static inline enum outcome read_value(struct parser *parser, struct column *column) {
    if (parser->at == parser->end) return UNSURE;
    const uint8_t *text = parser->at, c = *text;
    if (c == 'n') {
        if (!take_word(parser, "null", 4)) return UNSURE;
        set_null(column, parser->row);
        return DONE;
    }
    switch (column->kind) {
        case TEXT: return c == '"' ? read_text(parser, column) : UNSURE;
        case BOOLEAN:
            if (take_word(parser, "true", 4)) {
                column->values[parser->row >> 3] |= (uint8_t)(1u << (parser->row & 7));
                return DONE;
            }
            return take_word(parser, "false", 5) ? DONE : UNSURE;
        case DATE:
        case TIMESTAMP: {
            bool escaped;
            parser->at++;
            if (c != '"' || !go_to_quote(parser, &escaped)) return UNSURE;
            const uint8_t *end = parser->at++;
            const bool read = column->kind == DATE ? read_date(column, parser->row, text + 1, end)
                                                   : read_timestamp(column, parser->row, text + 1, end);
            return read ? DONE : UNSURE;
        }
        case FLOAT:
            if (!go_behind_number(parser)) return UNSURE;
            return read_float(column, parser->row, text, parser->at) ? DONE : UNSURE;
        default:
            if (!go_behind_number(parser)) return UNSURE;
            return read_integer(column, parser->row, text, parser->at, parser->first) ? DONE : UNSURE;
    }
}

/* Which column the name at this place of a record is; -1 for none. */
static inline int64_t column_of(struct parser *parser, int64_t place, const uint8_t *text, int64_t length) {
    if (place < parser->expected_count) {
        const struct name *expected = &parser->expected[place];
        if (expected->length == length && !memcmp(expected->text, text, (size_t)length)) return expected->column;
    }
    int64_t column = 0;
    for (; column < parser->wanted; column++) {
        const struct name *name = &parser->names[column];
        if (name->length == length && !memcmp(name->text, text, (size_t)length)) break;
    }
    if (column == parser->wanted) column = -1;
    if (place < parser->expected_room) {
        parser->expected[place] = (struct name){text, length, column};
        if (place == parser->expected_count) parser->expected_count++;
    }
    return column;
}

static enum outcome read_record(struct parser *parser, int64_t *lacking) {
    int64_t filled = 0;
    if (!take(parser, '{')) return UNSURE;
    skip_blanks(parser);
    if (!take(parser, '}')) {
        int64_t place = 0;
        do {
            skip_blanks(parser);
            if (!take(parser, '"')) return UNSURE;
            const uint8_t *name = parser->at;
            bool escaped;
            if (!go_to_quote(parser, &escaped) || escaped) return UNSURE;
            const int64_t column = column_of(parser, place++, name, parser->at++ - name);
            skip_blanks(parser);
            if (!take(parser, ':')) return UNSURE;
            if (column < 0) {
                if (parser->strict || !skip_value(parser, 0)) return UNSURE;
            } else {
                if (parser->seen[column] == parser->row + 1) return UNSURE;
                skip_blanks(parser);
                const enum outcome outcome = read_value(parser, &parser->columns[column]);
                if (outcome != DONE) {
                    *lacking = column;
                    return outcome;
                }
                parser->seen[column] = parser->row + 1;
                filled++;
            }
            skip_blanks(parser);
        } while (take(parser, ','));
        if (!take(parser, '}')) return UNSURE;
    }
    for (int64_t column = 0; filled < parser->wanted && column < parser->wanted; column++) {
        if (parser->seen[column] != parser->row + 1) set_null(&parser->columns[column], parser->row);
    }
    return DONE;
}

/* Forget what a record has left that is read again. */
static void forget(struct parser *parser) {
    for (int64_t i = 0; i < parser->wanted; i++) {
        struct column *column = &parser->columns[i];
        uint8_t *validity = &column->validity[parser->row >> 3];
        const uint8_t bit = (uint8_t)(1u << (parser->row & 7));
        column->nulls -= !(*validity & bit);
        *validity |= bit;
        if (column->kind == TEXT) column->text_used = ((int32_t *)column->values)[parser->row];
    }
}

/* Decode lines; one that is blank is no record. */
int sf_ndjson_decode(
    const uint8_t *data, int64_t length, const struct name *names, int64_t wanted, int strict, struct column *columns,
    struct progress *progress) {
    struct parser parser = {.at = data + progress->at, .end = data + length, .first = data, .columns = columns,
                            .names = names, .wanted = wanted, .strict = strict, .row = progress->rows,
                            .expected_room = 2 * wanted + 256};
    bool any_text = false;
    for (int64_t i = 0; i < wanted; i++) any_text |= columns[i].kind == TEXT;
    if (any_text && !progress->at && !is_utf8(data, data + length)) return UNSURE;
    parser.seen = calloc((size_t)wanted + 1, sizeof *parser.seen);
    parser.expected = malloc((size_t)parser.expected_room * sizeof *parser.expected);
    enum outcome outcome = parser.seen && parser.expected ? DONE : UNSURE;
    while (outcome == DONE && parser.at < parser.end) {
        if (*parser.at != '\n') {
            outcome = read_record(&parser, &progress->lacking);
            if (outcome != DONE) break;
            parser.row++;
            if (parser.at < parser.end && *parser.at == '\r') parser.at++;
            if (parser.at < parser.end && *parser.at != '\n') {
                outcome = UNSURE;
                break;
            }
        }
        parser.at += parser.at < parser.end;
        progress->at = parser.at - data;
        progress->rows = parser.row;
    }
    if (outcome == NO_ROOM) forget(&parser);
    free(parser.seen);
    free(parser.expected);
    return outcome;
}
