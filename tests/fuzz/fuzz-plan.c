/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what the check accepts can be walked, unpacked and printed. */
#include "runtime/plan.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct buf out = BUF_INIT(1 << 20);
	struct plan_cursor c;
	struct plan_step s;
	const char *v[16];

	if (plan_check(data, n, 4) < 0 || plan_open(data, n, &c) < 0)
		return 0;
	while (plan_next(&c, &s) > 0) {
		plan_print(&s, &out);
		for (size_t i = 0; i < s.n_str; i++)
			if (s.str[i].len && s.str[i].data[s.str[i].len - 1] == '\0')
				plan_unpack(s.str[i], v, 16);
	}
	buf_done(&out);
	return 0;
}
