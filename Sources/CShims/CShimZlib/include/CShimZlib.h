#ifndef SLIPWAY_CSHIM_ZLIB_H
#define SLIPWAY_CSHIM_ZLIB_H
#include <zlib.h>
#endif
