#ifndef SLIPWAY_CSHIM_ZLIB_H
#define SLIPWAY_CSHIM_ZLIB_H
#include <zlib.h>

// deflateInit2, inflateInit and inflateInit2 are macros, which Swift cannot call.

static inline int slipway_deflate_init(z_stream *stream, int level, int window_bits, int memory_level) {
    return deflateInit2(stream, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY);
}

static inline int slipway_inflate_init(z_stream *stream) {
    return inflateInit(stream);
}

static inline int slipway_raw_inflate_init(z_stream *stream) {
    return inflateInit2(stream, -MAX_WBITS);
}

#endif
