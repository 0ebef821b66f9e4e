/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The header needs nothing before it, and may come twice. */
#include "planetkey.h"

#include "planetkey.h"

/* In C and C++ alike. */
int32_t header_alone(void);
int32_t header_alone(void) {
    return (int32_t)PLANETKEY_STATUS_INTERNAL + (int32_t)PLANETKEY_API_KEY_TRANSPORT_QUERY + (int32_t)PLANETKEY_LOG_LEVEL_TRACE;
}
