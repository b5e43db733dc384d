/* The rows of Arrow arrays to pages of a Parquet column chunk: levels, and values or their numbers in a dictionary.
 *
 * Rules: all rows of the chunk are there. First as many values are numbered as a dictionary has room for, then pages are
 * made one after another, of numbers as far as there are some, of values behind. How bodies are packed and told of is
 * the caller's.
 */
#include <stdlib.h>

#include "parquet_write.h"

int64_t sf_parquet_dictionary_bytes(void) { return sizeof(struct dictionary); }

void sf_parquet_dictionary_close(struct dictionary *dictionary) {
    free(dictionary->values);
    free(dictionary->ends);
    free(dictionary->slots);
    free(dictionary->by_place);
    dictionary->values = NULL;
    dictionary->ends = NULL;
    dictionary->slots = NULL;
    dictionary->by_place = NULL;
}

/* Rows that have a value. */

/* From `row` on, the next rows that have a value: where they start; `*end` is behind them, or is `limit` with none. */
static int64_t next_valid(const struct piece *piece, int64_t row, int64_t limit, int64_t *end) {
    *end = limit;
    if (!piece->validity) return row;
    int64_t start = limit;
    while (row < limit) {
        const int64_t some = limit - row < 64 ? limit - row : 64;
        uint64_t word = bits_at(piece->validity, piece->offset + row, some);
        if (word) {
            start = row + __builtin_ctzll(word);
            break;
        }
        row += some;
    }
    for (row = start; row < limit;) {
        const int64_t some = limit - row < 64 ? limit - row : 64;
        const uint64_t nulls = ~bits_at(piece->validity, piece->offset + row, some);
        const int64_t run = nulls ? __builtin_ctzll(nulls) : 64;
        if (run < some) {
            *end = row + run;
            break;
        }
        row += some;
    }
    return start;
}

static inline uint64_t key_at(const uint8_t *data, int32_t width, bool is_signed, int64_t row) {
    switch (width) {
        case 8: return ((const uint64_t *)data)[row];
        case 4: return is_signed ? (uint64_t)(int64_t)((const int32_t *)data)[row] : ((const uint32_t *)data)[row];
        case 2: return is_signed ? (uint64_t)(int64_t)((const int16_t *)data)[row] : ((const uint16_t *)data)[row];
        default: return is_signed ? (uint64_t)(int64_t)((const int8_t *)data)[row] : data[row];
    }
}

static inline const uint8_t *text_of(const struct piece *piece, int32_t width, int64_t row, int64_t *length) {
    if (piece->indices) row = piece->indices[row];
    if (width == 8) {
        const int64_t *offsets = (const int64_t *)piece->data;
        *length = offsets[row + 1] - offsets[row];
        return piece->text + offsets[row];
    }
    const int32_t *offsets = (const int32_t *)piece->data;
    *length = offsets[row + 1] - offsets[row];
    return piece->text + offsets[row];
}

/* The least and the greatest value. */

#define BOUNDS(type, usable)                                                              \
    static int64_t bounds_##type(const struct rows *rows, type *least, type *most) {      \
        int64_t found = 0;                                                                \
        type low = 0, high = 0;                                                           \
        for (int64_t i = 0; i < rows->count; i++) {                                       \
            const struct piece *piece = &rows->pieces[i];                                 \
            const type *data = (const type *)piece->data;                                 \
            for (int64_t row = 0, end; row < piece->rows; row = end) {                    \
                row = next_valid(piece, row, piece->rows, &end);                          \
                for (; !found && row < end; row++) {                                      \
                    if (usable(data[row])) low = high = data[row], found = 1;             \
                }                                                                         \
                for (; row < end; row++) {                                                \
                    low = data[row] < low ? data[row] : low;                              \
                    high = data[row] > high ? data[row] : high;                           \
                }                                                                         \
            }                                                                             \
        }                                                                                 \
        *least = low;                                                                     \
        *most = high;                                                                     \
        return found;                                                                     \
    }
#define ALWAYS(value) true
/* A comparison with what is no number is never true, so only the first one has to be looked for. */
#define A_NUMBER(value) ((value) == (value))
BOUNDS(int8_t, ALWAYS)
BOUNDS(int16_t, ALWAYS)
BOUNDS(int32_t, ALWAYS)
BOUNDS(int64_t, ALWAYS)
BOUNDS(uint8_t, ALWAYS)
BOUNDS(uint16_t, ALWAYS)
BOUNDS(uint32_t, ALWAYS)
BOUNDS(uint64_t, ALWAYS)
BOUNDS(float, A_NUMBER)
BOUNDS(double, A_NUMBER)

/* Of numbers; they are told in eight bytes each, or as floats are. Returns whether there is one. */
int64_t sf_parquet_bounds(const struct rows *rows, uint8_t *least, uint8_t *most) {
    int64_t found = 0;
#define AS(type, as)                              \
    do {                                          \
        type low, high;                           \
        found = bounds_##type(rows, &low, &high); \
        const as told[] = {low, high};            \
        memcpy(least, &told[0], sizeof(as));      \
        memcpy(most, &told[1], sizeof(as));       \
    } while (0)
    if (rows->form == FLOAT_FORM) {
        if (rows->width == 8) AS(double, double);
        else AS(float, float);
    } else if (rows->form == SIGNED_FORM) {
        if (rows->width == 8) AS(int64_t, int64_t);
        else if (rows->width == 4) AS(int32_t, int64_t);
        else if (rows->width == 2) AS(int16_t, int64_t);
        else AS(int8_t, int64_t);
    } else {
        if (rows->width == 8) AS(uint64_t, uint64_t);
        else if (rows->width == 4) AS(uint32_t, uint64_t);
        else if (rows->width == 2) AS(uint16_t, uint64_t);
        else AS(uint8_t, uint64_t);
    }
#undef AS
    return found;
}

static bool is_before(struct text one, struct text other) {
    const int64_t common = one.length < other.length ? one.length : other.length;
    const int order = common ? memcmp(one.at, other.at, (size_t)common) : 0;
    return order ? order < 0 : one.length < other.length;
}

static void widen_bounds(struct text text, struct text *least, struct text *most) {
    if (!least->at || is_before(text, *least)) *least = text;
    if (!most->at || is_before(*most, text)) *most = text;
}

/* Of text: of what is numbered, from the dictionary; of the rest, from the rows. Returns whether there is one. */
int64_t sf_parquet_text_bounds(
    const struct rows *rows, const struct dictionary *dictionary, struct text *least, struct text *most) {
    *least = *most = (struct text){NULL, 0};
    for (int64_t i = 0; i < dictionary->count; i++) {
        const int32_t end = dictionary->ends[i], start = (i ? dictionary->ends[i - 1] : 0) + 4;
        widen_bounds((struct text){dictionary->values + start, end - start}, least, most);
    }
    int64_t left = dictionary->numbered;
    for (int64_t i = 0; i < rows->count; i++) {
        const struct piece *piece = &rows->pieces[i];
        for (int64_t row = 0, end; row < piece->rows; row = end) {
            row = next_valid(piece, row, piece->rows, &end);
            const int64_t skipped = left < end - row ? left : end - row;
            left -= skipped;
            for (row += skipped; row < end; row++) {
                struct text text;
                text.at = text_of(piece, rows->width, row, &text.length);
                if (!text.at) text.at = (const uint8_t *)"";
                widen_bounds(text, least, most);
            }
        }
    }
    return least->at != NULL;
}

/* Numbers of values. */

static inline uint64_t mixed(uint64_t value) {
    value *= 0x9E3779B97F4A7C15ull;
    return value ^ value >> 32;
}

static inline uint64_t load(const uint8_t *at, int bytes) {
    uint64_t word = 0;
    memcpy(&word, at, (size_t)bytes);
    return word;
}

/* What is not as long as a word is read in two parts that overlap. */
static inline uint64_t short_text(const uint8_t *at, int64_t length) {
    if (length >= 4) return load(at, 4) | load(at + length - 4, 4) << 32;
    return length ? at[0] | (uint64_t)at[length >> 1] << 8 | (uint64_t)at[length - 1] << 16 : 0;
}

static inline uint32_t hash_of(const uint8_t *at, int64_t length) {
    uint64_t hash = (uint64_t)length;
    if (length < 8) return (uint32_t)mixed(hash << 56 ^ mixed(short_text(at, length)));
    for (int64_t i = 0; i + 8 < length; i += 8) hash = mixed(hash ^ load(at + i, 8));
    return (uint32_t)mixed(hash ^ load(at + length - 8, 8));
}

static inline bool same_text(const uint8_t *one, const uint8_t *other, int64_t length) {
    if (length < 8) return short_text(one, length) == short_text(other, length);
    if (length > 16) return !memcmp(one, other, (size_t)length);
    return load(one, 8) == load(other, 8) && load(one + length - 8, 8) == load(other + length - 8, 8);
}

/* Twice as many slots as there are. */
static bool grow(struct dictionary *dictionary) {
    const uint64_t room = dictionary->slots_room ? dictionary->slots_room * 2 : 1024;
    struct slot *slots = calloc(room, sizeof *slots);
    if (!slots) return false;
    for (uint64_t i = 0; i < dictionary->slots_room; i++) {
        const struct slot slot = dictionary->slots[i];
        if (!slot.number) continue;
        uint64_t place = slot.hash & (room - 1);
        while (slots[place].number) place = (place + 1) & (room - 1);
        slots[place] = slot;
    }
    free(dictionary->slots);
    dictionary->slots = slots;
    dictionary->slots_room = room;
    return true;
}

/* Room for one value more; it has to be asked for by doubling, for there are many. */
static bool room_for(struct dictionary *dictionary, int64_t bytes, bool is_text) {
    if (dictionary->bytes + bytes > dictionary->most_bytes) return false;
    if (dictionary->bytes + bytes + SLACK > dictionary->room) {
        const int64_t room = 2 * (dictionary->bytes + bytes + SLACK);
        uint8_t *values = realloc(dictionary->values, (size_t)room);
        if (!values) return false;
        dictionary->values = values;
        dictionary->room = room;
    }
    if (is_text && dictionary->count == dictionary->ends_room) {
        const int64_t room = dictionary->ends_room ? 2 * dictionary->ends_room : 256;
        int32_t *ends = realloc(dictionary->ends, (size_t)room * sizeof *ends);
        if (!ends) return false;
        dictionary->ends = ends;
        dictionary->ends_room = room;
    }
    return true;
}

static inline __attribute__((always_inline)) bool add_key(struct dictionary *dictionary, uint64_t key, int stored) {
    if (!room_for(dictionary, stored, false)) return false;
    /* The low bytes come first: kernels are for such machines. */
    memcpy(dictionary->values + dictionary->bytes, &key, (size_t)stored);
    dictionary->bytes += stored;
    dictionary->count++;
    return true;
}

/* Numbers for the values of rows on end; returns for how many. */
static inline __attribute__((always_inline)) int64_t number_close(
    struct dictionary *dictionary, const uint8_t *data, int width, bool is_signed, int stored, int64_t row, int64_t end) {
    uint32_t *out = dictionary->numbers + dictionary->numbered;
    const int64_t start = row;
    for (; row < end; row++) {
        const uint64_t key = key_at(data, width, is_signed, row);
        uint32_t *number = &dictionary->by_place[key - (uint64_t)dictionary->least];
        if (__builtin_expect(!*number, 0)) {
            if (!add_key(dictionary, key, stored)) break;
            *number = (uint32_t)dictionary->count;
        }
        *out++ = *number - 1;
    }
    return row - start;
}

static inline __attribute__((always_inline)) int64_t number_far(
    struct dictionary *dictionary, const uint8_t *data, int width, bool is_signed, int stored, int64_t row, int64_t end) {
    uint32_t *out = dictionary->numbers + dictionary->numbered;
    const uint64_t all = stored == 8 ? ~0ull : (1ull << 32) - 1;
    const int64_t start = row;
    for (; row < end; row++) {
        const uint64_t key = key_at(data, width, is_signed, row);
        const uint32_t hash = (uint32_t)mixed(key);
        uint64_t place = hash & (dictionary->slots_room - 1);
        struct slot slot;
        while ((slot = dictionary->slots[place]).number) {
            if (slot.hash == hash && load(dictionary->values + (slot.number - 1) * stored, stored) == (key & all)) break;
            place = (place + 1) & (dictionary->slots_room - 1);
        }
        if (!slot.number) {
            if (!add_key(dictionary, key, stored)) break;
            dictionary->slots[place] = (struct slot){hash, slot.number = (uint32_t)dictionary->count};
            if (2 * (uint64_t)dictionary->count > dictionary->slots_room && !grow(dictionary)) break;
        }
        *out++ = slot.number - 1;
    }
    return row - start;
}

/* The number of a text, counted from 1; 0 if there is no room for it. */
static inline __attribute__((always_inline)) uint32_t number_of(
    struct dictionary *dictionary, const uint8_t *text, int64_t length) {
    const uint32_t hash = hash_of(text, length);
    uint64_t place = hash & (dictionary->slots_room - 1);
    struct slot slot;
    while ((slot = dictionary->slots[place]).number) {
        const int64_t number = slot.number - 1;
        const int32_t from = number ? dictionary->ends[number - 1] : 0;
        if (slot.hash == hash && dictionary->ends[number] - from == length + 4 &&
            same_text(dictionary->values + from + 4, text, length)) {
            return slot.number;
        }
        place = (place + 1) & (dictionary->slots_room - 1);
    }
    if (!room_for(dictionary, length + 4, true)) return 0;
    uint8_t *to = dictionary->values + dictionary->bytes;
    const uint32_t told = (uint32_t)length;
    memcpy(to, &told, 4);
    if (length) memcpy(to + 4, text, (size_t)length);
    dictionary->bytes += length + 4;
    dictionary->ends[dictionary->count++] = (int32_t)dictionary->bytes;
    dictionary->slots[place] = (struct slot){hash, slot.number = (uint32_t)dictionary->count};
    return 2 * (uint64_t)dictionary->count > dictionary->slots_room && !grow(dictionary) ? 0 : slot.number;
}

static inline __attribute__((always_inline)) int64_t number_text(
    struct dictionary *dictionary, const struct piece *piece, int width, int64_t row, int64_t end) {
    uint32_t *out = dictionary->numbers + dictionary->numbered;
    const int64_t start = row;
    for (; row < end; row++) {
        int64_t length;
        const uint8_t *text = text_of(piece, width, row, &length);
        const uint32_t number = number_of(dictionary, text, length);
        if (!number) break;
        *out++ = number - 1;
        dictionary->numbered_bytes += length + 4;
    }
    return row - start;
}

/* The same for text that has numbers of its own: each is looked up once in a piece. */
static int64_t number_indices(struct dictionary *dictionary, const struct piece *piece, int64_t row, int64_t end) {
    uint32_t *out = dictionary->numbers + dictionary->numbered;
    const int64_t start = row;
    for (; row < end; row++) {
        uint32_t *number = &dictionary->by_place[piece->indices[row]];
        if (__builtin_expect(!*number, 0)) {
            int64_t length;
            const uint8_t *text = text_of(piece, 4, row, &length);
            if (!(*number = number_of(dictionary, text, length))) break;
        }
        const uint32_t place = *number - 1;
        *out++ = place;
        dictionary->numbered_bytes += dictionary->ends[place] - (place ? dictionary->ends[place - 1] : 0);
    }
    return row - start;
}

/* Forget which number each index of the piece before had. */
static bool start_indices(struct dictionary *dictionary, const struct piece *piece) {
    free(dictionary->by_place);
    dictionary->by_place = calloc((size_t)piece->different + 1, sizeof *dictionary->by_place);
    return dictionary->by_place;
}

static bool are_indices(const struct rows *rows) {
    uint32_t over = 0;
    for (const struct piece *piece = rows->pieces; piece < rows->pieces + rows->count; piece++) {
        for (int64_t row = 0, end; piece->indices && row < piece->rows; row = end) {
            row = next_valid(piece, row, piece->rows, &end);
            for (; row < end; row++) over |= (uint32_t)piece->indices[row] >= (uint64_t)piece->different;
        }
    }
    return !over;
}

static int64_t number_run(
    struct dictionary *dictionary, const struct rows *rows, const struct piece *piece, int64_t row, int64_t end) {
    const bool is_signed = rows->form == SIGNED_FORM;
    if (piece->indices) return number_indices(dictionary, piece, row, end);
    if (rows->form == TEXT_FORM) {
        return rows->width == 8 ? number_text(dictionary, piece, 8, row, end)
                                : number_text(dictionary, piece, 4, row, end);
    }
#define AS(bytes, stored)                                                                                \
    (dictionary->by_place ? is_signed ? number_close(dictionary, piece->data, bytes, true, stored, row, end)  \
                                      : number_close(dictionary, piece->data, bytes, false, stored, row, end) \
     : is_signed          ? number_far(dictionary, piece->data, bytes, true, stored, row, end)                \
                          : number_far(dictionary, piece->data, bytes, false, stored, row, end))
    switch (rows->width) {
        case 8: return AS(8, 8);
        case 4: return AS(4, 4);
        case 2: return AS(2, 4);
        default: return AS(1, 4);
    }
#undef AS
}

/* Number values from the first row on, until all are or the dictionary is full. */
int sf_parquet_number(struct dictionary *dictionary, const struct rows *rows) {
    if (!are_indices(rows)) return UNSURE;
    if (dictionary->span) {
        dictionary->by_place = calloc((size_t)dictionary->span, sizeof *dictionary->by_place);
        if (!dictionary->by_place) return NO_ROOM;
    } else if (!grow(dictionary)) {
        return NO_ROOM;
    }
    bool full = false;
    for (int64_t i = 0; i < rows->count && !full; i++) {
        const struct piece *piece = &rows->pieces[i];
        if (piece->indices && !start_indices(dictionary, piece)) return NO_ROOM;
        for (int64_t row = 0, end; row < piece->rows && !full; row = end) {
            row = next_valid(piece, row, piece->rows, &end);
            const int64_t some = number_run(dictionary, rows, piece, row, end);
            dictionary->numbered += some;
            full = row + some < end;
        }
    }
    if (rows->form != TEXT_FORM) dictionary->numbered_bytes = dictionary->numbered * rows->stored_width;
    dictionary->stored = dictionary->values;
    return DONE;
}

/* Pages. */

static inline __attribute__((always_inline)) uint8_t *pack_as(
    const int width, const uint32_t *numbers, int64_t groups, uint8_t *to) {
    for (; groups; groups--, numbers += 8) {
        uint64_t word = 0;
        int bits = 0;
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            word |= (uint64_t)numbers[i] << bits;
            bits += width;
            if (bits >= 32) {
                memcpy(to, &word, 4);
                to += 4;
                word >>= 32;
                bits -= 32;
            }
        }
        memcpy(to, &word, 4);
        to += bits >> 3;
    }
    return to;
}

static uint8_t *pack(int width, const uint32_t *numbers, int64_t groups, uint8_t *to) {
    switch (width) {
#define AS(w) case w: return pack_as(w, numbers, groups, to);
        AS(1) AS(2) AS(3) AS(4) AS(5) AS(6) AS(7) AS(8) AS(9) AS(10) AS(11) AS(12) AS(13) AS(14) AS(15) AS(16) AS(17)
        AS(18) AS(19) AS(20)
#undef AS
        default: return pack_as(width, numbers, groups, to);
    }
}

/* How many numbers are the same, from the first one on; 0 for less than eight. */
static inline int64_t repeats(const uint32_t *numbers, int64_t count) {
    if (count < 8 || numbers[0] != numbers[7]) return 0;
    int64_t same = 1;
    while (same < count && numbers[same] == numbers[0]) same++;
    return same < 8 ? 0 : same;
}

/* Runs of numbers that are the same, and groups of eight that are not. */
static uint8_t *write_numbers(int width, const uint32_t *numbers, int64_t count, uint8_t *to) {
    int64_t at = 0;
    while (at < count) {
        const int64_t same = repeats(numbers + at, count - at);
        if (same) {
            to = write_varint(to, (uint64_t)same << 1);
            memcpy(to, &numbers[at], 4);
            to += (width + 7) / 8;
            at += same;
            continue;
        }
        int64_t end = at + 8;
        while (end < count && !repeats(numbers + end, count - end)) end += 8;
        const int64_t whole = (end <= count ? end - at : count - at) / 8, groups = (end - at) / 8;
        to = write_varint(to, (uint64_t)groups << 1 | 1);
        to = pack(width, numbers + at, whole, to);
        if (whole < groups) {
            uint32_t last[8] = {0};
            memcpy(last, numbers + at + whole * 8, (size_t)(count - at - whole * 8) * sizeof *last);
            to = pack(width, last, 1, to);
        }
        at = end;
    }
    return to;
}

/* The values of rows on end, as they are; how many of them there was room for. */
static int64_t write_fixed(const struct rows *rows, const struct piece *piece, int64_t row, int64_t count, uint8_t *to) {
    if (rows->width == rows->stored_width) {
        memcpy(to, piece->data + row * rows->width, (size_t)(count * rows->width));
        return count * rows->width;
    }
    const bool is_signed = rows->form == SIGNED_FORM;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t value = (uint32_t)key_at(piece->data, rows->width, is_signed, row + i);
        memcpy(to + i * 4, &value, 4);
    }
    return count * 4;
}

static void set_bits(uint8_t *bits, int64_t at, uint64_t word, int64_t count) {
    for (int64_t i = 0; i < count;) {
        const int64_t some = 8 - ((at + i) & 7) < count - i ? 8 - ((at + i) & 7) : count - i;
        bits[(at + i) >> 3] |= (uint8_t)((word >> i & ((1ull << some) - 1)) << ((at + i) & 7));
        i += some;
    }
}

/* Text until the page is as long as it may be; at least one. */
static int64_t write_text(
    const struct rows *rows, const struct piece *piece, int64_t row, int64_t count, struct page *page, uint8_t **to) {
    for (int64_t i = 0; i < count; i++) {
        int64_t length;
        const uint8_t *text = text_of(piece, rows->width, row + i, &length);
        const int64_t used = *to - page->out, values = used - MOST_LEVELS_BYTES;
        if (length > INT32_MAX) return -1;
        if (values && values + length + 4 > page->most_bytes) return i;
        if (used + length + 4 + SLACK > page->room) {
            page->needed = used + length + 4 + SLACK;
            return i;
        }
        const uint32_t told = (uint32_t)length;
        memcpy(*to, &told, 4);
        if (length <= 32) {
            /* May not be read beyond its end. */
            uint8_t *at = *to + 4;
            if (length >= 16) {
                memcpy(at, text, 16);
                memcpy(at + length - 16, text + length - 16, 16);
            } else if (length >= 8) {
                memcpy(at, text, 8);
                memcpy(at + length - 8, text + length - 8, 8);
            } else {
                for (int64_t j = 0; j < length; j++) at[j] = text[j];
            }
        } else {
            memcpy(*to + 4, text, (size_t)length);
        }
        *to += 4 + length;
    }
    return count;
}

/* Write the levels so that they end where the values start. */
static void write_levels(struct page *page, const uint8_t *bits) {
    uint8_t levels[MOST_LEVELS_BYTES + SLACK], *to = levels + 4;
    if (page->values == page->rows || !page->values) {
        to = write_varint(to, (uint64_t)page->rows << 1);
        *to++ = page->values > 0;
    } else {
        const int64_t groups = (page->rows + 7) / 8;
        to = write_varint(to, (uint64_t)groups << 1 | 1);
        memcpy(to, bits, (size_t)groups);
        to += groups;
    }
    const uint32_t length = (uint32_t)(to - levels - 4);
    memcpy(levels, &length, 4);
    page->start = MOST_LEVELS_BYTES - (to - levels);
    memcpy(page->out + page->start, levels, (size_t)(to - levels));
}

/* Write the next page; there is none if it has no rows. There has to be room for PAGE_ROWS numbers or fixed values. */
int sf_parquet_page(const struct rows *rows, const struct dictionary *dictionary, struct page *page) {
    uint8_t bits[PAGE_ROWS / 8 + 8] = {0};
    uint8_t *to = page->out + MOST_LEVELS_BYTES;
    const int64_t first_number = page->number, numbered = page->by_number ? dictionary->numbered : page->number;
    page->rows = page->values = page->needed = 0;
    bool full = false;
    if (rows->form == BOOLEAN_FORM) memset(to, 0, PAGE_ROWS / 8 + 8);
    while (page->piece < rows->count && page->rows < PAGE_ROWS && !full) {
        const struct piece *piece = &rows->pieces[page->piece];
        int64_t limit = piece->rows - page->row;
        limit = page->row + (limit < PAGE_ROWS - page->rows ? limit : PAGE_ROWS - page->rows);
        int64_t end, row = next_valid(piece, page->row, limit, &end), count = end - row, some = count;
        page->rows += row - page->row; /* nulls */
        page->row = row;
        if (page->by_number) {
            some = numbered - page->number < count ? numbered - page->number : count;
            page->number += some;
        } else if (rows->form == TEXT_FORM) {
            some = write_text(rows, piece, row, count, page, &to);
            if (some < 0) return UNSURE;
        } else if (rows->form == BOOLEAN_FORM) {
            for (int64_t i = 0; i < count; i += 64) {
                const int64_t these = count - i < 64 ? count - i : 64;
                const uint64_t word = bits_at(piece->data, piece->offset + row + i, these);
                set_bits(page->out + MOST_LEVELS_BYTES, page->values + i, word, these);
            }
        } else {
            to += write_fixed(rows, piece, row, count, to);
        }
        full = some < count;
        for (int64_t i = 0; i < some; i += 64) {
            const int64_t these = some - i < 64 ? some - i : 64;
            set_bits(bits, page->rows + i, these < 64 ? (1ull << these) - 1 : ~0ull, these);
        }
        page->rows += some;
        page->values += some;
        page->row += some;
        if (page->row == piece->rows) {
            page->piece++;
            page->row = 0;
        }
    }
    if (page->needed && !page->rows) return NO_ROOM;
    if (page->by_number) {
        *to++ = (uint8_t)page->number_width;
        to = write_numbers(page->number_width, dictionary->numbers + first_number, page->number - first_number, to);
    } else if (rows->form == BOOLEAN_FORM) {
        to += (page->values + 7) / 8;
    }
    page->start = MOST_LEVELS_BYTES;
    page->end = to - page->out;
    if (rows->nullable) write_levels(page, bits);
    return DONE;
}
