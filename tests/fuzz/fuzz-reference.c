/* SPDX-License-Identifier: Apache-2.0 */
/* A reference that is accepted keeps its meaning when it is printed and read again. */
#include "oci/platform.h"
#include "oci/reference.h"

#include <stdlib.h>
#include <string.h>

static void check(const struct reference *r, const char *text)
{
	struct reference again;
	char out[REFERENCE_TEXT_SIZE];

	if (reference_parse(text, &again, NULL) < 0 || !reference_eq(r, &again))
		abort();
	if (strcmp(reference_text(&again, out), text) != 0 &&
	    strcmp(reference_familiar(&again, out), text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	char out[REFERENCE_TEXT_SIZE], platform_out[PLATFORM_TEXT_SIZE];
	char *s = strndup((const char *)data, n);
	struct platform platform, again;
	struct reference r;
	const char *hex;

	if (!s)
		return 0;
	if (reference_parse(s, &r, NULL) == 0) {
		check(&r, reference_text(&r, out));
		if (r.domain[0])
			check(&r, reference_familiar(&r, out));
	}
	reference_maybe_id(s, &hex);
	if (platform_parse(s, &platform, NULL) == 0 &&
	    (platform_parse(platform_text(&platform, platform_out), &again, NULL) < 0 ||
	     strcmp(platform.architecture, again.architecture) != 0))
		abort();
	free(s);
	return 0;
}
