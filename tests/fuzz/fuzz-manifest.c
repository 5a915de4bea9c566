/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes: what was accepted and written again reads the same, and the same bytes are
 * never both. */
#include "base/buf.h"
#include "oci/index.h"
#include "oci/manifest.h"

#include <stdlib.h>
#include <string.h>

static void again_manifest(const struct manifest *m)
{
	struct buf one = BUF_INIT(64 << 20), two = BUF_INIT(64 << 20);
	struct manifest copy = MANIFEST_INIT;

	if (manifest_write(m, &one, NULL) == 0 && one.len <= MANIFEST_SIZE_MAX) {
		if (manifest_parse(one.data, one.len, m->media_type, &copy, NULL) < 0 ||
		    manifest_write(&copy, &two, NULL) < 0 || one.len != two.len ||
		    memcmp(one.data, two.data, one.len) != 0)
			abort();
	}
	manifest_done(&copy);
	buf_done(&one);
	buf_done(&two);
}

static void select_all(const struct index *x)
{
	size_t *order = calloc(x->n_manifests + 1, sizeof(*order));
	struct platform want;
	struct buf out = BUF_INIT(64 << 20);

	platform_host(&want);
	if (!order || index_select(x, &want, order) > x->n_manifests ||
	    index_write(x, &out, NULL) < 0)
		abort();
	buf_done(&out);
	free(order);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct manifest m = MANIFEST_INIT;
	struct index x = INDEX_INIT;
	bool is_manifest = manifest_parse((const char *)data, n, NULL, &m, NULL) == 0;
	bool is_index = index_parse((const char *)data, n, NULL, &x, NULL) == 0;

	if (is_manifest && is_index)
		abort();
	if (is_manifest)
		again_manifest(&m);
	if (is_index)
		select_all(&x);
	manifest_done(&m);
	index_done(&x);
	return 0;
}
