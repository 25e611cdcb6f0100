#include "CRunnerFiles.h"

static const unsigned char init_py[] = {
#embed "slipway_runner/__init__.py"
};

const struct slipway_runner_file slipway_runner_files[] = {
    {"__init__.py", init_py, sizeof init_py},
};
const size_t slipway_runner_file_count = sizeof slipway_runner_files / sizeof slipway_runner_files[0];
