/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: what is accepted, written and read again gives the same text. And its parts that
 * come alone. */
#include "base/buf.h"
#include "oci/runtime-config.h"

#include <stdlib.h>
#include <string.h>

static void again(const struct runtime_config *c)
{
	struct buf one = BUF_INIT(64 << 20), two = BUF_INIT(64 << 20);
	struct runtime_config copy = RUNTIME_CONFIG_INIT;

	if (runtime_config_write(c, &one, NULL) == 0 && one.len <= RUNTIME_CONFIG_MAX) {
		if (runtime_config_parse(one.data, one.len, &copy, NULL) < 0 ||
		    runtime_config_write(&copy, &two, NULL) < 0 || one.len != two.len ||
		    memcmp(one.data, two.data, one.len) != 0)
			abort();
	}
	runtime_config_done(&copy);
	buf_done(&one);
	buf_done(&two);
}

/* The same bytes as the file of `exec --process` and of `update --resources`. */
static void parts(const char *data, size_t n)
{
	struct arena a = ARENA_INIT;
	struct oci_process process = {.terminal = false};
	struct oci_resources resources = {.n_devices = 0};

	if (runtime_config_parse_process(data, n, &a, &process, NULL) == 0)
		runtime_config_validate_process(&process, NULL);
	runtime_config_parse_resources(data, n, &a, &resources, NULL);
	arena_done(&a);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct runtime_config c = RUNTIME_CONFIG_INIT;

	if (runtime_config_parse((const char *)data, n, &c, NULL) == 0)
		again(&c);
	runtime_config_done(&c);
	parts((const char *)data, n);
	return 0;
}
