/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp filter's bytes. Apart from the steps that load it, so that programs which bring a
 * compiled filter (kogge-monitor) do not link the compiler. */
#include "runtime/plan-build-internal.h"

#include "base/buf.h"
#include "base/path.h"
#include "kernel/seccomp-compile.h"

bool plan_filter_notifies(const struct seccomp_profile *p)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].action == SECCOMP_DO_NOTIFY)
			return true;
	return false;
}

static int compile(const struct seccomp_profile *profile, struct buf *out, struct err *e)
{
	struct seccomp_fault fault = {.what = ""};
	int r;

	if (profile->compiled)
		r = buf_put(out, profile->compiled, profile->n_compiled);
	else
		r = seccomp_compile(profile, out, &fault);
	if (r < 0)
		return err_errno(e, r, "compiling the seccomp profile: %s '%s'", fault.what,
				 fault.name);
	return 0;
}

int plan_compile_filter(struct plan_builder *b, struct buf *out, struct err *e)
{
	const struct runtime_opts *o = b->in->o;
	const struct oci_linux *l = &b->c->linux_;

	if (!o->seccomp && !l->has_seccomp)
		return 0;
	b->filter_flags = l->seccomp.flags;
	b->filter = (struct plan_blob){.data = o->seccomp, .len = (uint32_t)o->n_seccomp};
	if (o->seccomp)
		return 0;
	if (compile(&l->seccomp, out, e) < 0)
		return -1;
	if (plan_filter_notifies(&l->seccomp))
		b->filter_flags |= PLAN_FILTER_NOTIFY;
	b->filter = (struct plan_blob){.data = out->data, .len = (uint32_t)out->len};
	return 0;
}

int plan_keep_filter(const struct plan_builder *b, struct err *e)
{
	int dir = b->in->state_fd, r;

	if (dir < 0 || !b->filter.len)
		return 0;
	r = path_write_file(dir, CONTAINER_FILTER_FILE, b->filter.data, b->filter.len, 0600);
	return r < 0 ? err_errno(e, r, "keeping the seccomp filter") : 0;
}
