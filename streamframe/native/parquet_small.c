/* Few rows to a whole file of Parquet: one row group, its chunks and its footer.
 *
 * Rules: what is the same in all files of an export is told once, as bytes of Thrift: the columns, and what stands around
 * the rows in a footer. Packed is with Snappy or not at all. Where there is too little room, nothing is done.
 * See https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
 */
#include "crc.h"
#include "parquet_write.h"
#include "snappy_pack.h"

/* A column of all rows, of which each file has some. */
struct small_column {
    struct piece piece;
    int32_t form, width, stored_width, nullable;
    int32_t physical; /* `enum Type` */
    int32_t statistics;
    const uint8_t *path; /* a list of its name, in Thrift */
    int64_t path_bytes;
};

struct small_files {
    const struct small_column *columns;
    int64_t count;
    int32_t packed, checksums;
    const uint8_t *head, *tail; /* of the footer, up to its second field and from its fifth on */
    int64_t head_bytes, tail_bytes;
    uint32_t *numbers; /* one for each row of the largest file */
    uint8_t *page;
    int64_t page_room;
    uint8_t *about; /* what footers say of the columns, until these are all there */
    int64_t about_room;
    uint8_t *file;
    int64_t file_room;
};

enum { I16 = 4, I32 = 5, I64 = 6, BINARY = 8, LIST = 9, STRUCT = 12, IS_TRUE = 1, IS_FALSE = 2 };
enum { PLAIN = 0, RLE = 3, RLE_DICTIONARY = 8, DATA_PAGE = 0, DICTIONARY_PAGE = 2, SNAPPY = 1 };
enum { MOST_DICTIONARY_BYTES = 1 << 20, MOST_PAGE_BYTES = 1 << 20, MOST_PLACES = 1 << 16, MOST_BOUND_BYTES = 4096 };
/* A header of a page, and what a footer says of a column beside its name and its bounds. */
enum { PAGE_HEADER_BYTES = 64, COLUMN_BYTES = 256 };

/* Thrift's compact protocol; whoever writes has looked for room. */
struct thrift {
    uint8_t *at;
    int field;
};

static void put_varint(struct thrift *out, uint64_t value) { out->at = write_varint(out->at, value); }

static void put_signed(struct thrift *out, int64_t value) {
    put_varint(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static void put_field(struct thrift *out, int field, int kind) {
    *out->at++ = (uint8_t)((field - out->field) << 4 | kind);
    out->field = field;
}

static void put_number(struct thrift *out, int field, int kind, int64_t value) {
    put_field(out, field, kind);
    put_signed(out, value);
}

static void put_bytes(struct thrift *out, const uint8_t *bytes, int64_t count) {
    memcpy(out->at, bytes, (size_t)count);
    out->at += count;
}

static void put_binary(struct thrift *out, int field, const uint8_t *bytes, int64_t count) {
    put_field(out, field, BINARY);
    put_varint(out, (uint64_t)count);
    put_bytes(out, bytes, count);
}

static void put_list(struct thrift *out, int field, int kind, int64_t count) {
    put_field(out, field, LIST);
    if (count < 15) {
        *out->at++ = (uint8_t)(count << 4 | kind);
    } else {
        *out->at++ = (uint8_t)(0xF0 | kind);
        put_varint(out, (uint64_t)count);
    }
}

/* A struct inside of another; its fields are counted anew, and then the other's go on. */
static int put_struct(struct thrift *out, int field) {
    put_field(out, field, STRUCT);
    out->field = 0;
    return field;
}

static void put_end(struct thrift *out, int field) {
    *out->at++ = 0;
    out->field = field;
}

/* A chunk under way. */
struct chunk {
    int64_t start, dictionary_at, data_at; /* bytes of the file; -1 if there is none */
    int64_t unpacked;
    int64_t values, nulls, by_number, plain;
};

/* What is written. */
struct target {
    const struct small_files *files;
    uint8_t *at;
    struct thrift about;
};

static int64_t place(const struct target *target) { return target->at - target->files->file; }

static bool has_room(const struct target *target, int64_t bytes) {
    return place(target) + bytes <= target->files->file_room;
}

static bool put_page(
    struct target *target, struct chunk *chunk, int kind, const uint8_t *body, int64_t bytes, int64_t values, int encoding) {
    const struct small_files *files = target->files;
    if (!has_room(target, PAGE_HEADER_BYTES + snappy_room(bytes))) return false;
    /* Behind the longest header there is: how long it is, its own bytes tell. */
    uint8_t *const packed = target->at + PAGE_HEADER_BYTES;
    int64_t length = bytes;
    if (files->packed) length = snappy_pack(body, bytes, packed);
    else if (bytes) memcpy(packed, body, (size_t)bytes);
    struct thrift out = {target->at, 0};
    put_number(&out, 1, I32, kind);
    put_number(&out, 2, I32, bytes);
    put_number(&out, 3, I32, length);
    if (files->checksums) put_number(&out, 4, I32, (int32_t)sf_crc32(packed, length));
    const int around = put_struct(&out, kind == DATA_PAGE ? 5 : 7);
    put_number(&out, 1, I32, values);
    put_number(&out, 2, I32, encoding);
    if (kind == DATA_PAGE) {
        put_number(&out, 3, I32, RLE);
        put_number(&out, 4, I32, RLE);
    } else {
        put_field(&out, 3, IS_FALSE);
    }
    put_end(&out, around);
    put_end(&out, 0);
    chunk->unpacked += out.at - target->at + bytes;
    memmove(out.at, packed, (size_t)length);
    target->at = out.at + length;
    return true;
}

static int64_t nulls_of(const struct piece *piece) {
    int64_t nulls = 0;
    for (int64_t row = 0; piece->validity && row < piece->rows; row += 64) {
        const int64_t some = piece->rows - row < 64 ? piece->rows - row : 64;
        nulls += some - __builtin_popcountll(bits_at(piece->validity, piece->offset + row, some));
    }
    return nulls;
}

static int64_t bounds_of_bits(const struct piece *piece, uint8_t *least, uint8_t *most) {
    bool ones = false, zeros = false;
    for (int64_t row = 0; row < piece->rows; row += 64) {
        const int64_t some = piece->rows - row < 64 ? piece->rows - row : 64;
        const uint64_t bits = bits_at(piece->data, piece->offset + row, some), all = some < 64 ? (1ull << some) - 1 : ~0ull;
        const uint64_t valid = piece->validity ? bits_at(piece->validity, piece->offset + row, some) : all;
        ones |= (bits & valid) != 0;
        zeros |= (~bits & valid) != 0;
    }
    *least = !zeros;
    *most = ones;
    return ones || zeros;
}

/* Which zero a bound is, nobody is to rely on. */
static void widen_zero(uint8_t *bound, int32_t width, bool negative) {
    const uint64_t sign = width == 8 ? 1ull << 63 : 1ull << 31;
    uint64_t bits = 0;
    memcpy(&bits, bound, (size_t)width);
    if (bits & ~sign) return;
    bits = negative ? sign : 0;
    memcpy(bound, &bits, (size_t)width);
}

static void put_statistics(
    struct thrift *out, int64_t nulls, int64_t found, struct text least, struct text most) {
    const int around = put_struct(out, 12);
    put_number(out, 3, I64, nulls);
    if (found && least.length <= MOST_BOUND_BYTES && most.length <= MOST_BOUND_BYTES) {
        put_binary(out, 5, most.at, most.length);
        put_binary(out, 6, least.at, least.length);
        put_field(out, 7, IS_TRUE);
        put_field(out, 8, IS_TRUE);
    }
    put_end(out, around);
}

static void put_count(struct thrift *out, int kind, int encoding, int64_t count) {
    if (!count) return;
    out->field = 0;
    put_number(out, 1, I32, kind);
    put_number(out, 2, I32, encoding);
    put_number(out, 3, I32, count);
    *out->at++ = 0;
}

/* `ColumnChunk`. */
static void put_about(
    struct target *target, const struct small_column *column, const struct chunk *chunk, int64_t found, struct text least,
    struct text most) {
    struct thrift *out = &target->about;
    const bool dictionary = chunk->dictionary_at >= 0;
    out->field = 0;
    put_number(out, 2, I64, 0);
    put_struct(out, 3);
    put_number(out, 1, I32, column->physical);
    put_list(out, 2, I32, dictionary ? 3 : 2);
    put_signed(out, PLAIN);
    put_signed(out, RLE);
    if (dictionary) put_signed(out, RLE_DICTIONARY);
    put_field(out, 3, LIST);
    put_bytes(out, column->path, column->path_bytes);
    put_number(out, 4, I32, target->files->packed ? SNAPPY : 0);
    put_number(out, 5, I64, chunk->values + chunk->nulls);
    put_number(out, 6, I64, chunk->unpacked);
    put_number(out, 7, I64, place(target) - chunk->start);
    put_number(out, 9, I64, chunk->data_at);
    if (dictionary) put_number(out, 11, I64, chunk->dictionary_at);
    if (column->statistics) put_statistics(out, chunk->nulls, found, least, most);
    put_list(out, 13, STRUCT, dictionary + (chunk->by_number > 0) + (chunk->plain > 0));
    put_count(out, DICTIONARY_PAGE, PLAIN, dictionary);
    put_count(out, DATA_PAGE, RLE_DICTIONARY, chunk->by_number);
    put_count(out, DATA_PAGE, PLAIN, chunk->plain);
    *out->at++ = 0;
    *out->at++ = 0;
}

/* Tell where integers lie close together: there, a dictionary needs no hashes. */
static void place_integers(struct dictionary *dictionary, int64_t rows, const uint8_t *least, const uint8_t *most) {
    uint64_t low, high;
    memcpy(&low, least, 8);
    memcpy(&high, most, 8);
    /* These places are cleared for each file. */
    const uint64_t places = 4 * rows + 256 < MOST_PLACES ? (uint64_t)(4 * rows + 256) : MOST_PLACES;
    if (high - low >= places) return;
    dictionary->least = (int64_t)low;
    dictionary->span = (int64_t)(high - low + 1);
}

static int bits_for(int64_t count) { return count < 3 ? 1 : 64 - __builtin_clzll((uint64_t)count - 1); }

static int write_pages(
    struct target *target, const struct rows *rows, const struct dictionary *dictionary, struct chunk *chunk, bool by_number) {
    const struct small_files *files = target->files;
    if (by_number) {
        chunk->dictionary_at = place(target);
        if (!put_page(target, chunk, DICTIONARY_PAGE, dictionary->stored, dictionary->bytes, dictionary->count, PLAIN)) {
            return NO_ROOM;
        }
    }
    chunk->data_at = place(target);
    struct page page = {.most_bytes = MOST_PAGE_BYTES, .out = files->page, .room = files->page_room};
    page.by_number = by_number;
    page.number_width = bits_for(dictionary->count);
    for (;;) {
        if (sf_parquet_page(rows, dictionary, &page) != DONE) return UNSURE;
        if (page.rows) {
            const int encoding = page.by_number ? RLE_DICTIONARY : PLAIN;
            const int64_t bytes = page.end - page.start;
            if (!put_page(target, chunk, DATA_PAGE, page.out + page.start, bytes, page.rows, encoding)) return NO_ROOM;
            if (page.by_number) chunk->by_number++;
            else chunk->plain++;
        } else if (page.by_number) {
            page.by_number = false; /* the dictionary was full here */
        } else {
            return DONE;
        }
    }
}

static int write_column(
    struct target *target, const struct small_column *column, const struct piece *piece, int64_t *unpacked) {
    const struct rows rows = {piece, 1, column->form, column->width, column->stored_width, column->nullable};
    struct chunk chunk = {.start = place(target), .dictionary_at = -1, .nulls = nulls_of(piece)};
    struct dictionary dictionary = {.most_bytes = MOST_DICTIONARY_BYTES, .numbers = target->files->numbers};
    uint8_t low[8] = {0}, high[8] = {0};
    struct text least = {low, column->stored_width}, most = {high, column->stored_width};
    chunk.values = piece->rows - chunk.nulls;
    int64_t found = 0;
    int outcome = DONE;
    if (column->form == BOOLEAN_FORM) {
        found = bounds_of_bits(piece, low, high);
    } else {
        if (column->form != TEXT_FORM) found = sf_parquet_bounds(&rows, low, high);
        if (found && column->form != FLOAT_FORM) place_integers(&dictionary, piece->rows, low, high);
        outcome = sf_parquet_number(&dictionary, &rows) == DONE ? DONE : UNSURE;
        if (outcome == DONE && column->form == TEXT_FORM) found = sf_parquet_text_bounds(&rows, &dictionary, &least, &most);
    }
    if (outcome == DONE) {
        const int64_t numbers_bytes = dictionary.numbered * bits_for(dictionary.count) / 8;
        const bool by_number = dictionary.count && dictionary.bytes + numbers_bytes < dictionary.numbered_bytes;
        outcome = write_pages(target, &rows, &dictionary, &chunk, by_number);
    }
    if (outcome == DONE && column->form == FLOAT_FORM) {
        widen_zero(low, column->width, true);
        widen_zero(high, column->width, false);
    }
    if (outcome == DONE) {
        const int64_t bounds = column->statistics ? 2 * MOST_BOUND_BYTES : 0;
        const int64_t taken = target->about.at - target->files->about;
        if (taken + COLUMN_BYTES + column->path_bytes + bounds > target->files->about_room) outcome = NO_ROOM;
        else put_about(target, column, &chunk, found, least, most);
    }
    sf_parquet_dictionary_close(&dictionary);
    *unpacked += chunk.unpacked;
    return outcome;
}

static struct piece part_of(const struct small_column *column, int64_t start, int64_t rows) {
    struct piece piece = column->piece;
    /* Of booleans, `offset` says where they are, and they have no width. */
    piece.data += start * column->width;
    piece.offset += start;
    piece.rows = rows;
    return piece;
}

/* Write the file of some rows; `*size` is how many bytes it has. */
int sf_parquet_small(const struct small_files *files, int64_t start, int64_t rows, int64_t *size) {
    struct target target = {files, files->file, {files->about, 0}};
    if (!has_room(&target, 4)) return NO_ROOM;
    memcpy(target.at, "PAR1", 4);
    target.at += 4;
    int64_t unpacked = 0;
    for (const struct small_column *column = files->columns; column < files->columns + files->count; column++) {
        const struct piece piece = part_of(column, start, rows);
        const int outcome = write_column(&target, column, &piece, &unpacked);
        if (outcome != DONE) return outcome;
    }
    const int64_t packed = place(&target) - 4, about = target.about.at - files->about;
    if (!has_room(&target, files->head_bytes + about + files->tail_bytes + COLUMN_BYTES)) return NO_ROOM;
    struct thrift out = {target.at, 2};
    put_bytes(&out, files->head, files->head_bytes);
    put_number(&out, 3, I64, rows);
    put_list(&out, 4, STRUCT, 1);
    out.field = 0;
    put_list(&out, 1, STRUCT, files->count);
    put_bytes(&out, files->about, about);
    put_number(&out, 2, I64, unpacked);
    put_number(&out, 3, I64, rows);
    put_number(&out, 5, I64, 4);
    put_number(&out, 6, I64, packed);
    put_number(&out, 7, I16, 0);
    *out.at++ = 0;
    put_bytes(&out, files->tail, files->tail_bytes);
    const uint32_t length = (uint32_t)(out.at - target.at);
    memcpy(out.at, &length, 4);
    memcpy(out.at + 4, "PAR1", 4);
    *size = out.at + 8 - files->file;
    return DONE;
}
