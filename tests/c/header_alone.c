/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The header needs no other header before it, and may be included twice. */
#include "planetkey.h"

#include "planetkey.h"

/* The same in C and C++. */
int32_t header_alone(void);
int32_t header_alone(void) {
    return (int32_t)PLANETKEY_STATUS_INTERNAL + (int32_t)PLANETKEY_API_KEY_TRANSPORT_QUERY +
           (int32_t)PLANETKEY_LOG_LEVEL_TRACE;
}
