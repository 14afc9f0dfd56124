// The one place that names oneDNN; private to .cpp files of device, ops and loss. Serves 2.6 (Debian 12) and 3.x.
#pragma once
#include <oneapi/dnnl/dnnl.h>
