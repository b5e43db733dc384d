/* Rows to groups, and the values of each group to one.
 *
 * Rules: groups are numbered in the order of their first rows. Keys are compared by their bits, and null is a key of its
 * own. A sum that overflows is not sure; one of floats is added up in the order of the rows, as Arrow does. Where a
 * filter left rows out, the others are listed: nothing of them is copied.
 */
#include <stdlib.h>

#include "values.h"

/* An Arrow array: of fixed width, or text with 32-bit offsets, which is of width 0. */
struct values {
    const uint8_t *data, *text;
    const uint8_t *validity; /* NULL if nothing is null */
    int64_t offset;          /* of the first row, in `validity` */
    int64_t width;
};

struct slot {
    uint32_t hash;
    int32_t group; /* counted from 1; 0 is free */
};

static inline bool is_valid(const struct values *values, int64_t row) {
    const int64_t bit = row + values->offset;
    return !values->validity || (values->validity[bit >> 3] >> (bit & 7) & 1);
}

static inline int64_t integer_at(const struct values *values, int64_t row) {
    switch (values->width) {
        case 8: return ((const int64_t *)values->data)[row];
        case 4: return ((const int32_t *)values->data)[row];
        case 2: return ((const int16_t *)values->data)[row];
        default: return ((const int8_t *)values->data)[row];
    }
}

static inline uint64_t mixed(uint64_t value) {
    value *= 0x9E3779B97F4A7C15ull;
    return value ^ value >> 32;
}

static inline uint64_t text_at(const struct values *values, int64_t row, const uint8_t **text, int64_t *length) {
    const int32_t *offsets = (const int32_t *)values->data;
    *text = values->text + offsets[row];
    *length = offsets[row + 1] - offsets[row];
    uint64_t hash = (uint64_t)*length, word = 0;
    int64_t at = 0;
    for (; at + 8 <= *length; at += 8) {
        memcpy(&word, *text + at, 8);
        hash = mixed(hash ^ word);
    }
    word = 0;
    for (; at < *length; at++) word = word << 8 | (*text)[at];
    return mixed(hash ^ word);
}

static bool grow(struct slot **slots, uint64_t *room) {
    struct slot *grown = calloc(*room * 2, sizeof **slots);
    if (!grown) return false;
    for (uint64_t i = 0; i < *room; i++) {
        if (!(*slots)[i].group) continue;
        uint64_t place = (*slots)[i].hash & (*room * 2 - 1);
        while (grown[place].group) place = (place + 1) & (*room * 2 - 1);
        grown[place] = (*slots)[i];
    }
    free(*slots);
    *slots = grown;
    *room *= 2;
    return true;
}

static inline bool same(const struct values *key, int64_t row, int64_t first, bool valid) {
    if (is_valid(key, first) != valid) return false;
    if (!valid) return true;
    if (key->width) return integer_at(key, row) == integer_at(key, first);
    const int32_t *offsets = (const int32_t *)key->data;
    const int64_t length = offsets[row + 1] - offsets[row];
    return length == offsets[first + 1] - offsets[first] &&
           !memcmp(key->text + offsets[row], key->text + offsets[first], (size_t)length);
}

static inline int64_t row_of(const int32_t *selected, int64_t place) { return selected ? selected[place] : place; }

/* List the rows of a condition that are true; returns how many there are. */
int64_t sf_select(const struct values *condition, int64_t rows, int32_t *selected) {
    int64_t count = 0;
    for (int64_t row = 0; row < rows; row++) {
        const int64_t bit = row + condition->offset;
        selected[count] = (int32_t)row;
        count += condition->data[bit >> 3] >> (bit & 7) & 1 & is_valid(condition, row);
    }
    return count;
}

/* What lies between these values of the key, at most; what stands where nothing is valid counts too. */
static inline __attribute__((always_inline)) void bounds_as(
    const int width, const struct values *key, int64_t rows, int64_t *least, int64_t *most) {
    struct values typed = *key;
    typed.width = width;
    *least = INT64_MAX;
    *most = INT64_MIN;
    for (int64_t row = 0; row < rows; row++) {
        const int64_t value = integer_at(&typed, row);
        *least = value < *least ? value : *least;
        *most = value > *most ? value : *most;
    }
}

static void bounds(const struct values *key, int64_t rows, int64_t *least, int64_t *most) {
    switch (key->width) {
        case 8: bounds_as(8, key, rows, least, most); break;
        case 4: bounds_as(4, key, rows, least, most); break;
        case 2: bounds_as(2, key, rows, least, most); break;
        default: bounds_as(1, key, rows, least, most);
    }
}

/* Groups by a table that has a place for each value of the key, in each of the groups before. */
static inline __attribute__((always_inline)) int64_t group_as(
    const int width, const bool nulls, const struct values *key, int64_t least, int64_t span, int64_t rows,
    const int32_t *selected, const int32_t *before, int32_t *table, int32_t *groups, int32_t *firsts) {
    struct values typed = *key;
    typed.width = width;
    int32_t count = 0;
    for (int64_t at = 0; at < rows; at++) {
        const int64_t row = row_of(selected, at);
        int64_t place = (int64_t)((uint64_t)integer_at(&typed, row) - (uint64_t)least) + 1;
        if (nulls) place = is_valid(key, row) ? place : 0;
        if (before) place += before[at] * span;
        int32_t group = table[place];
        if (!group) {
            table[place] = group = ++count;
            firsts[group - 1] = (int32_t)row;
        }
        groups[at] = group - 1;
    }
    return count;
}

/* A table of more places is not worth to be cleared. */
enum { PLACES_PER_ROW = 2, FEW_PLACES = 1024 };

/* As `sf_group`; -2 if the values of the key are too far from each other. */
static int64_t group_by_table(
    const struct values *key, int64_t all, int64_t rows, const int32_t *selected, const int32_t *before,
    int64_t groups_before, int32_t *groups, int32_t *firsts) {
    int64_t least, most;
    bounds(key, all, &least, &most);
    const uint64_t limit = (uint64_t)rows * PLACES_PER_ROW + FEW_PLACES, apart = (uint64_t)most - (uint64_t)least;
    if (apart >= limit || (apart + 2) * (uint64_t)groups_before > limit) return -2;
    const int64_t span = (int64_t)apart + 2;
    int32_t *table = calloc((size_t)(span * groups_before), sizeof *table);
    if (!table) return -1;
    int64_t count;
#define AS(w) \
    count = key->validity ? group_as(w, true, key, least, span, rows, selected, before, table, groups, firsts) \
                          : group_as(w, false, key, least, span, rows, selected, before, table, groups, firsts)
    switch (key->width) {
        case 8: AS(8); break;
        case 4: AS(4); break;
        case 2: AS(2); break;
        default: AS(1);
    }
#undef AS
    free(table);
    return count;
}

/* Number the groups of rows that are alike in this key, and in what `before` numbers (NULL if there is no other key).
 * Of all rows, those are looked at that are `selected`: so many, or all if that is NULL. Fills the number of each of
 * them, and the first row of each group; returns how many groups there are, or -1 without memory. */
int64_t sf_group(
    const struct values *key, int64_t all, int64_t rows, const int32_t *selected, const int32_t *before,
    int64_t groups_before, int32_t *groups, int32_t *firsts) {
    if (key->width) {
        const int64_t found =
            group_by_table(key, all, rows, selected, before, before ? groups_before : 1, groups, firsts);
        if (found != -2) return found;
    }
    uint64_t room = 256;
    struct slot *slots = calloc(room, sizeof *slots);
    /* Which of the groups before each group is in. */
    int32_t *before_of = before ? malloc((size_t)rows * sizeof *before_of) : NULL;
    int64_t count = 0;
    if (!slots || (before && !before_of)) {
        free(slots);
        free(before_of);
        return -1;
    }
    for (int64_t at = 0; at < rows; at++) {
        const int64_t row = row_of(selected, at);
        const bool valid = is_valid(key, row);
        uint64_t hash = 0;
        if (valid && key->width) {
            hash = mixed((uint64_t)integer_at(key, row) + 1);
        } else if (valid) {
            const uint8_t *text;
            int64_t length;
            hash = text_at(key, row, &text, &length);
        }
        if (before) hash = mixed(hash + (uint64_t)before[at]);
        uint64_t place = (uint32_t)hash & (room - 1);
        for (;; place = (place + 1) & (room - 1)) {
            struct slot *slot = &slots[place];
            if (!slot->group) {
                *slot = (struct slot){(uint32_t)hash, (int32_t)(count + 1)};
                firsts[count] = (int32_t)row;
                if (before) before_of[count] = before[at];
                groups[at] = (int32_t)count++;
                break;
            }
            const int64_t first = firsts[slot->group - 1];
            const bool told_apart = slot->hash != (uint32_t)hash || (before && before_of[slot->group - 1] != before[at]);
            if (!told_apart && same(key, row, first, valid)) {
                groups[at] = slot->group - 1;
                break;
            }
        }
        if ((uint64_t)count * 2 > room && !grow(&slots, &room)) {
            free(slots);
            free(before_of);
            return -1;
        }
    }
    free(slots);
    free(before_of);
    return count;
}

enum function { COUNT, SUM, LEAST, MOST, SUM_FLOATS };

/* What is made of the values of each group. */
struct reduction {
    const struct values *values; /* NULL to count rows */
    int64_t function;
    void *made;      /* starts with what changes nothing; of counts, NULL */
    int64_t *counts; /* how many are not null; starts with zeros. NULL if nobody asks */
};

/* One loop for each kind, so that nothing is decided row by row. */
static inline __attribute__((always_inline)) bool reduce_as(
    const enum function function, const int width, const bool nulls, const bool listed, const struct reduction *one,
    int64_t rows, const int32_t *selected, const int32_t *groups) {
    struct values typed = one->values ? *one->values : (struct values){0};
    typed.width = width;
    int64_t *const made = one->made, *const counts = one->counts;
    double *const floats = one->made;
    bool over = false;
    for (int64_t at = 0; at < rows; at++) {
        const int64_t row = row_of(listed ? selected : NULL, at), group = groups[at];
        const bool valid = !nulls || is_valid(&typed, row);
        if (counts) counts[group] += valid;
        if (function == COUNT) continue;
        if (function == SUM_FLOATS) {
            /* Not branchless: what stands where nothing is valid may be NaN. */
            if (valid) floats[group] += ((const double *)typed.data)[row];
            continue;
        }
        const int64_t value = integer_at(&typed, row);
        if (function == SUM) {
            over |= __builtin_add_overflow(made[group], valid ? value : 0, &made[group]);
        } else if (function == LEAST) {
            const int64_t rival = valid ? value : INT64_MAX;
            made[group] = rival < made[group] ? rival : made[group];
        } else {
            const int64_t rival = valid ? value : INT64_MIN;
            made[group] = rival > made[group] ? rival : made[group];
        }
    }
    return !over;
}

static bool reduce(const struct reduction *one, int64_t rows, const int32_t *selected, const int32_t *groups) {
#define WITH(f, w, n) \
    (selected ? reduce_as(f, w, n, true, one, rows, selected, groups) \
              : reduce_as(f, w, n, false, one, rows, selected, groups))
#define OF(f, w) (one->values->validity ? WITH(f, w, true) : WITH(f, w, false))
#define BY_WIDTH(f) \
    switch (one->values->width) { \
        case 8: return OF(f, 8); \
        case 4: return OF(f, 4); \
        case 2: return OF(f, 2); \
        default: return OF(f, 1); \
    }
    switch (one->function) {
        case SUM: BY_WIDTH(SUM)
        case LEAST: BY_WIDTH(LEAST)
        case MOST: BY_WIDTH(MOST)
        case SUM_FLOATS: return OF(SUM_FLOATS, 8);
        default: return one->values ? OF(COUNT, 1) : WITH(COUNT, 1, false);
    }
#undef BY_WIDTH
#undef OF
#undef WITH
}

/* So many rows at a time, while their groups are in the cache. */
enum { PIECE = 4096 };

/* Reduce the values of the rows that `sf_group` has numbered. */
int sf_group_reduce(
    const struct reduction *reductions, int64_t count, int64_t rows, const int32_t *selected, const int32_t *groups) {
    if (selected) {
        for (int64_t at = 0; at < rows; at += PIECE) {
            const int64_t some = rows - at < PIECE ? rows - at : PIECE;
            for (int64_t i = 0; i < count; i++) {
                if (!reduce(&reductions[i], some, selected + at, groups + at)) return UNSURE;
            }
        }
        return DONE;
    }
    for (int64_t i = 0; i < count; i++) {
        if (!reduce(&reductions[i], rows, NULL, groups)) return UNSURE;
    }
    return DONE;
}
