/* SPDX-License-Identifier: Apache-2.0 */
/* A container's state.json: what is accepted can be told as runtime-spec's state. */
#include "base/buf.h"
#include "runtime/state.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct container_state s = CONTAINER_STATE_INIT;
	struct buf out = BUF_INIT(64 << 20);

	if (container_state_parse((const char *)data, n, &s, NULL) == 0 &&
	    (!s.id || s.status >= CONTAINER_STATUS_N || s.pid < 0 ||
	     container_state_json(&s, &out, NULL) < 0))
		abort();
	buf_done(&out);
	container_state_done(&s);
	return 0;
}
