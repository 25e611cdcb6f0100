#include "CShimZlib.h"
