/* SPDX-License-Identifier: Apache-2.0 */
/* Logs as `kogge logs` reads them: a file of records in either format. */
#include "monitor/log.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[4096];
	struct log_record r;
	ssize_t n;

	for (size_t at = 0; at < size; at += (size_t)n) {
		const char *end = memchr(data + at, '\n', size - at);

		n = log_json_get((const char *)data + at, size - at, &r, text, sizeof(text));
		if (n == 0)
			break;
		if (n < 0)
			n = end - (const char *)(data + at) + 1;
	}
	for (size_t at = 0; at < size; at += (size_t)n) {
		n = log_local_get((const char *)data + at, size - at, &r);
		if (n <= 0)
			break;
	}
	return 0;
}
