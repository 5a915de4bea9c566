/* SPDX-License-Identifier: Apache-2.0 */
/* Build graphs: what was read and written again has the same digests and bytes. */
#include "build/graph.h"

#include <stdlib.h>
#include <string.h>

static void again(const struct graph *g, const size_t *targets, size_t n_targets)
{
	struct buf one = BUF_INIT(GRAPH_SIZE_MAX), two = BUF_INIT(GRAPH_SIZE_MAX);
	struct graph copy = GRAPH_INIT;
	const size_t *t;
	size_t n;

	if (graph_write(g, targets, n_targets, &one, NULL) < 0)
		goto out;
	if (graph_parse(one.data, one.len, &copy, &t, &n, NULL) < 0 || n != n_targets ||
	    copy.n != g->n || graph_write(&copy, t, n, &two, NULL) < 0 || one.len != two.len ||
	    memcmp(one.data, two.data, one.len) != 0)
		abort();
	for (size_t i = 0; i < g->n; i++)
		if (!digest_eq(&g->v[i].digest, &copy.v[i].digest))
			abort();
out:
	graph_done(&copy);
	buf_done(&one);
	buf_done(&two);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct graph g = GRAPH_INIT;
	const size_t *targets;
	size_t n_targets;

	if (n <= 65536 && graph_parse((const char *)data, n, &g, &targets, &n_targets, NULL) == 0)
		again(&g, targets, n_targets);
	graph_done(&g);
	return 0;
}
