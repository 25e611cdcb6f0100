#ifndef SLIPWAY_CSHIM_YAML_H
#define SLIPWAY_CSHIM_YAML_H
#include <yaml.h>
#endif
