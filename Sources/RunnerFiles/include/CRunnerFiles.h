#ifndef SLIPWAY_CRUNNER_FILES_H
#define SLIPWAY_CRUNNER_FILES_H
#include <stddef.h>

/// One file of the Python runner, embedded in the binary.
struct slipway_runner_file {
    const char *name;
    const unsigned char *bytes;
    size_t size;
};

/// The runner's files; the array has `slipway_runner_file_count` entries.
extern const struct slipway_runner_file *const slipway_runner_files;
extern const size_t slipway_runner_file_count;

/// The files of the builder of environments; the array has `slipway_builder_file_count` entries.
extern const struct slipway_runner_file *const slipway_builder_files;
extern const size_t slipway_builder_file_count;

#endif
