/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of netlink, three levels deep as links and connections have them. */
#include "kernel/netlink.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TYPES = 64, DEPTH = 3 };

static void walk(const void *data, size_t n, unsigned depth)
{
	struct nl_attr a[TYPES + 1];
	char text[16];

	if (nl_parse(data, n, a, TYPES) < 0)
		return;
	for (unsigned i = 0; i <= TYPES; i++) {
		(void)nl_u32(&a[i]);
		nl_str(&a[i], text, sizeof(text));
		if (strlen(text) >= sizeof(text))
			__builtin_trap();
		if (depth)
			walk(a[i].data, a[i].n, depth - 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct nl_attr a[TYPES + 1];
	struct nl_message m = {.data = data, .n = n};
	uint8_t head[16];

	walk(data, n, DEPTH);
	nl_parse_message(&m, head, sizeof(head), a, TYPES);
	return 0;
}
