/* What the footer of a Parquet file says of a column chunk. */
#ifndef STREAMFRAME_PARQUET_FACTS_H
#define STREAMFRAME_PARQUET_FACTS_H

#include <stdint.h>

/* `parquet_footer.py` knows this. */
struct chunk_facts {
    int64_t values, data_page_offset, dictionary_page_offset; /* -1 without a dictionary */
    int64_t packed_bytes, bytes;
    int64_t codec, type;
    int64_t elsewhere;   /* in another file */
    int64_t bounds;      /* the least and the greatest value are told */
    int64_t least, most; /* of integers whose `bounds` are 2 */
};

#endif
