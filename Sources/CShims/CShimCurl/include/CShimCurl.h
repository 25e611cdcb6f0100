/* What Swift cannot call in libcurl: variadic functions, unions and pointer-valued macros. No logic. */
#ifndef SLIPWAY_CSHIM_CURL_H
#define SLIPWAY_CSHIM_CURL_H
/* Handles become distinct opaque types, as they are by default in newer releases. */
#ifndef CURL_STRICTER
#define CURL_STRICTER
#endif
#include <curl/curl.h>

static inline CURLcode slipway_easy_set_long(CURL *easy, CURLoption option, long value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode slipway_easy_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode slipway_easy_set_string(CURL *easy, CURLoption option, const char *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode slipway_easy_set_pointer(CURL *easy, CURLoption option, void *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode slipway_easy_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode slipway_easy_set_write(CURL *easy, CURLoption option, curl_write_callback value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode slipway_easy_set_read(CURL *easy, CURLoption option, curl_read_callback value) {
    return (curl_easy_setopt)(easy, option, value);
}

/* The string form replaced the bit mask in 7.85; the mask is all that older releases have. */
static inline CURLcode slipway_easy_allow_only_http(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
    return (curl_easy_setopt)(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return (curl_easy_setopt)(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static inline CURLcode slipway_easy_get_long(CURL *easy, CURLINFO info, long *value) {
    return (curl_easy_getinfo)(easy, info, value);
}

static inline CURLcode slipway_easy_get_socket(CURL *easy, curl_socket_t *value) {
    return (curl_easy_getinfo)(easy, CURLINFO_ACTIVESOCKET, value);
}

static inline CURLMcode slipway_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return (curl_multi_setopt)(multi, option, value);
}

static inline CURLcode slipway_message_result(const CURLMsg *message) {
    return message->data.result;
}

static inline CURLcode slipway_global_init(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum {
    slipway_write_pause = CURL_WRITEFUNC_PAUSE,
    slipway_read_pause = CURL_READFUNC_PAUSE,
    slipway_read_abort = CURL_READFUNC_ABORT,
    slipway_pause_none = CURLPAUSE_CONT,
    slipway_wait_in = CURL_WAIT_POLLIN,
    slipway_wait_out = CURL_WAIT_POLLOUT,
    slipway_error_size = CURL_ERROR_SIZE
};

#endif
