/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp section of config.json: parsed, validated, and compiled to a filter that is whole
 * instructions and within the kernel's limit. */
#include "base/buf.h"
#include "kernel/seccomp-compile.h"
#include "oci/runtime-config.h"

#include <linux/filter.h>
#include <stdlib.h>

static void compile(const struct runtime_config *c)
{
	struct buf filter = BUF_INIT(16 << 20);
	struct seccomp_fault fault = {.what = ""};

	if (seccomp_compile(&c->linux_.seccomp, &filter, &fault) == 0 &&
	    (filter.len == 0 || filter.len % sizeof(struct sock_filter) != 0 ||
	     filter.len / sizeof(struct sock_filter) > BPF_MAXINSNS))
		abort();
	buf_done(&filter);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct runtime_config c = RUNTIME_CONFIG_INIT;
	struct buf json = BUF_INIT(64 << 20);

	if (buf_printf(&json, "{\"ociVersion\":\"1.2.0\",\"linux\":{\"seccomp\":") == 0 &&
	    buf_put(&json, data, n) == 0 && buf_printf(&json, "}}") == 0 &&
	    runtime_config_parse(json.data, json.len, &c, NULL) == 0 && c.linux_.has_seccomp)
		compile(&c);
	runtime_config_done(&c);
	buf_done(&json);
	return 0;
}
