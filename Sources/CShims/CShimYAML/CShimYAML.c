#include "CShimYAML.h"
