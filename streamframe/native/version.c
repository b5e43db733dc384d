/* What belongs to no kernel alone. */
#include <stdint.h>

/* The checksum of these sources, so that a library of other ones is not used. */
uint32_t sf_sources(void) { return STREAMFRAME_SOURCES; }

/* Filled in by `kernels.py`, which computes them exactly. */
uint64_t sf_powers_of_ten[651][2];
