/* SPDX-License-Identifier: Apache-2.0 */
/* How often a client may ask: a bucket of tokens for each address, in a table of fixed size. */
#ifndef KOGGE_REGISTRY_LIMITER_H
#define KOGGE_REGISTRY_LIMITER_H

#include "base/macro.h"

struct limiter;

/* PER_SECOND requests for each client, and at most BURST at once. NULL when out of memory. */
struct limiter *limiter_new(unsigned per_second, unsigned burst);

/* Frees L; NULL is allowed. */
void limiter_free(struct limiter *l);

/* Takes a token for CLIENT at the monotonic time NOW (nanoseconds): 0, or after how many seconds
 * there is one. */
unsigned limiter_take(struct limiter *l, const char *client, int64_t now);

#endif
