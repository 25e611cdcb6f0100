#include "CShimCurl.h"
