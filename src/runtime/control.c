/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/control.h"

#include "base/arena.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "kernel/pidfd.h"
#include "runtime/systemd.h"

#include <errno.h>
#include <signal.h>

enum { FREEZE_TIMEOUT_MS = 10000 };

int runtime_cgroup_open(const struct container_state *s, struct runtime_cgroup **ret, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	int r;

	*ret = NULL;
	if (!s->cgroup_path)
		return 0;
	if (runtime_cgroup_new(NULL, &c, e) < 0)
		return -1;
	if (c->host.mode == CGROUP_NONE)
		return 0;
	r = cgroup_open(&c->host, s->cgroup_path, &c->cg);
	if (r < 0)
		return err_errno(e, r, "opening the cgroup '%s'", s->cgroup_path);
	*ret = TAKE_PTR(c);
	return 0;
}

int runtime_refresh(struct container_state *s, int *ret_pidfd, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	enum container_status thawed;

	if (container_state_refresh(s, ret_pidfd, e) < 0)
		return -1;
	if (s->status != CONTAINER_RUNNING && s->status != CONTAINER_PAUSED)
		return 0;
	/* The state says "paused" of what was created and then paused (runtime_freeze) */
	thawed = s->status == CONTAINER_PAUSED ? CONTAINER_CREATED : CONTAINER_RUNNING;
	/* Without a cgroup nothing is frozen */
	s->status = thawed;
	if (runtime_cgroup_open(s, &c, NULL) < 0 || !c)
		return 0;
	s->status = cgroup_frozen(&c->cg) > 0 ? CONTAINER_PAUSED : thawed;
	return 0;
}

static int need_cgroup(const struct container_state *s, struct runtime_cgroup **ret, struct err *e)
{
	struct err why = ERR_INIT;

	if (runtime_cgroup_open(s, ret, &why) < 0 && why.class != ERR_NOT_FOUND) {
		*e = why;
		return -1;
	}
	if (!*ret)
		return err_set(e, ERR_UNSUPPORTED, 0, "container '%s' has no cgroup", s->id);
	return 0;
}

int runtime_freeze(const struct container_state *s, bool frozen, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	int r;

	if (need_cgroup(s, &c, e) < 0 || FAILPOINT("runtime.freeze.before", e) < 0)
		return -1;
	r = cgroup_freeze(&c->cg, frozen, FREEZE_TIMEOUT_MS);
	if (r == -ENODEV)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "this machine has no freezer (cgroup version 2, or the controller "
			       "'freezer')");
	if (r < 0 && frozen)
		cgroup_freeze(&c->cg, false, 0); /* half frozen is worse than running */
	if (r < 0)
		return err_errno(e, r, "%s the processes of container '%s'",
				 frozen ? "freezing" : "thawing", s->id);
	return FAILPOINT("runtime.freeze.after", e);
}

/* A PID may be given to another process between the list and the signal: the descriptor is opened
 * first, and what it holds is in the cgroup where the second list still has its PID. */
static int signal_pids(const struct cgroup *cg, int signo)
{
	_cleanup_(freep) pid_t *pids = NULL, *again = NULL;
	_cleanup_(freep) int *fds = NULL;
	size_t n = 0, n_again = 0;
	int r = cgroup_pids(cg, &pids, &n);

	if (r < 0)
		return r;
	fds = calloc(n + 1, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		fds[i] = pidfd_of(-1, pids[i], 0);
	r = cgroup_pids(cg, &again, &n_again);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; r >= 0 && fds[i] >= 0 && k < n_again; k++)
			if (again[k] == pids[i])
				pidfd_kill(fds[i], signo);
		fd_close(&fds[i]);
	}
	return r;
}

int runtime_signal_all(const struct container_state *s, int signo, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	struct err why = ERR_INIT;
	int r;

	if (runtime_cgroup_open(s, &c, &why) < 0 && why.class != ERR_NOT_FOUND) {
		if (e)
			*e = why;
		return -1;
	}
	if (!c)
		return 0;
	r = signo == SIGKILL ? cgroup_kill(&c->cg) : signal_pids(&c->cg, signo);
	return r < 0 && r != -ENOENT
		       ? err_errno(e, r, "sending signal %d to container '%s'", signo, s->id)
		       : 1;
}

int runtime_update(const struct container_state *s, const struct oci_resources *res, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;

	if (need_cgroup(s, &c, e) < 0 || FAILPOINT("runtime.update.before", e) < 0 ||
	    (s->scope && systemd_scope_update(s->scope, c->host.mode, res, e) < 0) ||
	    runtime_cgroup_update(c, res, e) < 0)
		return -1;
	return FAILPOINT("runtime.update.after", e);
}

int runtime_remove_unknown(const char *id, const struct runtime_config *config, struct err *e)
{
	static const struct runtime_config none;
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const struct runtime_opts o = {.id = id, .config = config ? config : &none};
	const char *path = runtime_cgroup_path(&o, &a, e);

	return path ? runtime_cgroup_destroy(NULL, path, e) : -1;
}

int runtime_pids(const struct container_state *s, pid_t **ret, size_t *ret_n, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	int r;

	if (need_cgroup(s, &c, e) < 0)
		return -1;
	r = cgroup_pids(&c->cg, ret, ret_n);
	return r < 0 ? err_errno(e, r, "listing the processes of container '%s'", s->id) : 0;
}
