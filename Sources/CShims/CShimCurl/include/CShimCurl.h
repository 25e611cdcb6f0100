#ifndef SLIPWAY_CSHIM_CURL_H
#define SLIPWAY_CSHIM_CURL_H
#include <curl/curl.h>
#endif
