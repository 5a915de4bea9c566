/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket is a time: that at which it would be full again (the "generic cell rate algorithm"). An
 * address has its place by a hash under a secret of the process; who shares a place shares its
 * bucket, which at worst slows both down. */
#include "registry/limiter.h"

#include "base/hash.h"
#include "base/id.h"
#include "base/num.h"

#include <pthread.h>
#include <string.h>

#define PLACES 8192U

struct limiter {
	pthread_mutex_t mutex;
	int64_t step, burst; /* nanoseconds: of one request, and of all that may come at once */
	unsigned char secret[16];
	int64_t full[PLACES];
};

struct limiter *limiter_new(unsigned per_second, unsigned burst)
{
	struct limiter *l = calloc(1, sizeof(*l));

	if (!l || random_bytes(l->secret, sizeof(l->secret)) < 0) {
		free(l);
		return NULL;
	}
	pthread_mutex_init(&l->mutex, NULL);
	l->step = (int64_t)NUM_NS_PER_S / MAX(per_second, 1U);
	l->burst = l->step * MAX(burst, 1U);
	return l;
}

void limiter_free(struct limiter *l)
{
	if (!l)
		return;
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

static size_t place_of(const struct limiter *l, const char *client)
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, l->secret, sizeof(l->secret));
	sha256_add(&h, client, strlen(client));
	sha256_end(&h, digest);
	return ((size_t)digest[0] << 8 | digest[1]) % PLACES;
}

unsigned limiter_take(struct limiter *l, const char *client, int64_t now)
{
	int64_t *full = &l->full[place_of(l, client)], wait;

	pthread_mutex_lock(&l->mutex);
	*full = MAX(*full, now);
	wait = *full + l->step - now - l->burst;
	if (wait <= 0)
		*full += l->step;
	pthread_mutex_unlock(&l->mutex);
	return wait <= 0 ? 0 : (unsigned)(wait / (int64_t)NUM_NS_PER_S) + 1;
}
