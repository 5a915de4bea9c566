/* SPDX-License-Identifier: Apache-2.0 */
/* -v and --mount: what is accepted has a place below the root, and reads the same again from its
 * JSON. */
#include "base/json.h"
#include "base/str.h"
#include "cli/run-options.h"
#include "engine/mount-internal.h"
#include "engine/spec-json.h"

#include <stdlib.h>
#include <string.h>

static void check(struct arena *a, const struct spec_mount *m)
{
	json_t *doc = json_pack("{s:o}", "Mounts", spec_mounts_to_json(m, 1)), *again;
	const struct spec_mount *read = NULL;
	struct json_reader r;
	size_t n = 0;

	/* What is not UTF-8 cannot be stored, and is refused where it would be. */
	if (!doc)
		return;
	if (m->target[0] != '/' || str_eq(m->target, "/") ||
	    json_reader_init(&r, doc, "mounts", a, NULL) < 0 ||
	    spec_mounts_from_json(&r, "Mounts", &read, &n, NULL) < 0 || n != 1)
		abort();
	again = json_pack("{s:o}", "Mounts", spec_mounts_to_json(read, 1));
	if (!again || !json_equal(doc, again))
		abort();
	json_decref(again);
	json_decref(doc);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	char *s = strndup((const char *)data, n);
	struct spec_mount m;
	const char *text;
	bool bind;

	if (!s)
		return 0;
	if (run_parse_volume(&a, s, &bind, &text, NULL) == 0 &&
	    mount_parse_bind(&a, text, NULL, &m, NULL) == 0)
		check(&a, &m);
	if (run_parse_mount(&a, s, &m, NULL) == 0 && mount_check(&a, &m, NULL) == 0)
		check(&a, &m);
	free(s);
	return 0;
}
