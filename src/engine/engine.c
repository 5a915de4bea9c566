/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine-internal.h"

#include "base/str.h"

#include <errno.h>
#include <unistd.h>

void engine_free(struct engine *en)
{
	journal_done(&en->journal);
	if (en->has_cgroups)
		cgroup_host_done(&en->cgroups);
	store_free(en->store);
	free(en->root);
	free(en->run_root);
	free(en);
}

int engine_open(const struct engine_opts *opts, struct engine **ret, struct err *e)
{
	_cleanup_(engine_freep) struct engine *en = calloc(1, sizeof(*en));
	struct store_opts so = {
		.root = opts->root, .run_root = opts->run_root, .driver = opts->driver};

	if (!en)
		return err_set(e, ERR_LIMIT, ENOMEM, "opening the engine");
	en->journal = JOURNAL_INIT(-1);
	if (geteuid() != 0)
		return err_set(e, ERR_DENIED, 0,
			       "kogge must run as root in this version (use sudo)");
	if (store_open(&so, &en->store, e) < 0)
		return -1;
	en->journal.run_root = store_run_fd(en->store);
	en->root = strdup(store_root_path(en->store));
	en->run_root = strdup(store_run_path(en->store));
	if (!en->root || !en->run_root)
		return err_set(e, ERR_LIMIT, ENOMEM, "opening the engine");
	*ret = TAKE_PTR(en);
	return 0;
}

int engine_cgroups(struct engine *en, const struct cgroup_host **ret, struct err *e)
{
	int r = en->has_cgroups ? 0 : cgroup_host_open(&en->cgroups);

	if (r < 0)
		return err_errno(e, r, "looking for cgroups");
	en->has_cgroups = true;
	*ret = &en->cgroups;
	return 0;
}

void engine_leave_service(struct engine *en)
{
	const struct cgroup_host *host;
	struct err ignored = ERR_INIT;

	if (engine_cgroups(en, &host, &ignored) == 0)
		(void)cgroup_leave(host, "kogge/monitors");
}

struct store *engine_store(struct engine *en)
{
	return en->store;
}

int container_resolve(struct engine *en, const char *ref, char ret_id[ID_SIZE], struct err *e)
{
	return container_row_resolve(en->store, ref, ret_id, e);
}
