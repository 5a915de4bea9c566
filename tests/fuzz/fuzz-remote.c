/* SPDX-License-Identifier: Apache-2.0 */
/* What servers and users' files say to the client of registries: WWW-Authenticate, Retry-After,
 * config.json. */
#include "remote/challenge.h"
#include "remote/credentials.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct arena a = ARENA_INIT;
	const char *text = (const char *)data;
	struct credentials found;
	struct challenge c;

	if (challenge_parse(text, n, &c, NULL) == 0 && c.scheme == CHALLENGE_BEARER &&
	    (!c.realm[0] || strlen(c.realm) >= CHALLENGE_VALUE_MAX))
		abort();
	if (retry_after_parse(text, n, 60) > 60)
		abort();
	if (credentials_parse(text, n, "registry.example", &a, &found, NULL) == 0 && found.helper &&
	    strchr(found.helper, '/'))
		abort();
	arena_done(&a);
	return 0;
}
