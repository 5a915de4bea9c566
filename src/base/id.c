/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include "base/hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int random_bytes(void *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = getrandom((char *)data + done, n - done, 0);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0)
			done += (size_t)r;
	}
	return 0;
}

int id_new(char ret[ID_SIZE])
{
	unsigned char bits[32];

	do {
		int r = random_bytes(bits, sizeof(bits));

		if (r < 0)
			return r;
		hex_encode(bits, sizeof(bits), ret);
	} while (strspn(ret, "0123456789") >= ID_SHORT_SIZE - 1);
	return 0;
}

bool id_is_prefix(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n > 0 && n < ID_SIZE && s[n] == '\0';
}

bool id_is_full(const char *s)
{
	return id_is_prefix(s) && strlen(s) == ID_SIZE - 1;
}
