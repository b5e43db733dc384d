/* Rows to groups, and the values of each group to one.
 *
 * Rules: groups are numbered in the order of their first rows. Keys are compared by their bits, and null is a key of its
 * own. A sum that overflows is not sure; one of floats is added up in the order of the rows, as Arrow does.
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

static inline bool same(const struct values *key, const int32_t *before, int64_t row, int64_t first, bool valid) {
    if ((before && before[row] != before[first]) || is_valid(key, first) != valid) return false;
    if (!valid) return true;
    if (key->width) return integer_at(key, row) == integer_at(key, first);
    const int32_t *offsets = (const int32_t *)key->data;
    const int64_t length = offsets[row + 1] - offsets[row];
    return length == offsets[first + 1] - offsets[first] &&
           !memcmp(key->text + offsets[row], key->text + offsets[first], (size_t)length);
}

/* Number the groups of rows that are alike in this key, and in what `before` numbers (NULL if there is no other key).
 * Fills the number of each row, and the first row of each group; returns how many there are, or -1 without memory. */
int64_t sf_group(const struct values *key, int64_t rows, const int32_t *before, int32_t *groups, int32_t *firsts) {
    uint64_t room = 256;
    struct slot *slots = calloc(room, sizeof *slots);
    int64_t count = 0;
    if (!slots) return -1;
    for (int64_t row = 0; row < rows; row++) {
        const bool valid = is_valid(key, row);
        uint64_t hash = 0;
        if (valid && key->width) {
            hash = mixed((uint64_t)integer_at(key, row) + 1);
        } else if (valid) {
            const uint8_t *text;
            int64_t length;
            hash = text_at(key, row, &text, &length);
        }
        if (before) hash = mixed(hash + (uint64_t)before[row]);
        uint64_t place = (uint32_t)hash & (room - 1);
        for (;; place = (place + 1) & (room - 1)) {
            struct slot *slot = &slots[place];
            if (!slot->group) {
                *slot = (struct slot){(uint32_t)hash, (int32_t)(count + 1)};
                firsts[count] = (int32_t)row;
                groups[row] = (int32_t)count++;
                break;
            }
            if (slot->hash == (uint32_t)hash && same(key, before, row, firsts[slot->group - 1], valid)) {
                groups[row] = slot->group - 1;
                break;
            }
        }
        if ((uint64_t)count * 2 > room && !grow(&slots, &room)) {
            free(slots);
            return -1;
        }
    }
    free(slots);
    return count;
}

/* How many rows there are in each group, or, with values, how many of them are not null; `counts` starts with zeros. */
void sf_group_count(const struct values *values, int64_t rows, const int32_t *groups, int64_t *counts) {
    if (!values) {
        for (int64_t row = 0; row < rows; row++) counts[groups[row]]++;
    } else {
        for (int64_t row = 0; row < rows; row++) counts[groups[row]] += is_valid(values, row);
    }
}

enum reduction { SUM, LEAST, MOST };

/* One loop for each width, and for values without nulls, so that nothing is decided row by row. */
static inline __attribute__((always_inline)) bool reduce_as(
    const enum reduction reduction, const int width, const bool nulls, const struct values *values, int64_t rows,
    const int32_t *groups, int64_t *made) {
    struct values typed = *values;
    typed.width = width;
    bool over = false;
    for (int64_t row = 0; row < rows; row++) {
        if (nulls && !is_valid(values, row)) continue;
        const int64_t value = integer_at(&typed, row);
        int64_t *so_far = &made[groups[row]];
        if (reduction == SUM) {
            over |= __builtin_add_overflow(*so_far, value, so_far);
        } else if (reduction == LEAST ? value < *so_far : value > *so_far) {
            *so_far = value;
        }
    }
    return !over;
}

static inline __attribute__((always_inline)) enum outcome reduce(
    const enum reduction reduction, const struct values *values, int64_t rows, const int32_t *groups, int64_t *made) {
    bool sure;
    const bool nulls = values->validity != NULL;
    switch (values->width) {
        case 8:
            sure = nulls ? reduce_as(reduction, 8, true, values, rows, groups, made)
                         : reduce_as(reduction, 8, false, values, rows, groups, made);
            break;
        case 4: sure = reduce_as(reduction, 4, true, values, rows, groups, made); break;
        case 2: sure = reduce_as(reduction, 2, true, values, rows, groups, made); break;
        default: sure = reduce_as(reduction, 1, true, values, rows, groups, made);
    }
    return sure ? DONE : UNSURE;
}

/* The sums of integers; `sums` starts with zeros. */
int sf_group_sum_integers(const struct values *values, int64_t rows, const int32_t *groups, int64_t *sums) {
    return reduce(SUM, values, rows, groups, sums);
}

/* The least of integers; `least` starts with the largest there is. */
int sf_group_min(const struct values *values, int64_t rows, const int32_t *groups, int64_t *least) {
    return reduce(LEAST, values, rows, groups, least);
}

/* The most of integers; `most` starts with the smallest there is. */
int sf_group_max(const struct values *values, int64_t rows, const int32_t *groups, int64_t *most) {
    return reduce(MOST, values, rows, groups, most);
}

/* The sums of floats; `sums` starts with zeros. */
int sf_group_sum_floats(const struct values *values, int64_t rows, const int32_t *groups, double *sums) {
    for (int64_t row = 0; row < rows; row++) {
        if (is_valid(values, row)) sums[groups[row]] += ((const double *)values->data)[row];
    }
    return DONE;
}
