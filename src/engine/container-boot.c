/* SPDX-License-Identifier: Apache-2.0 */
/* After a boot: what should run is started. Before the machine's end: what runs is stopped, each
 * container by a process of its own, since each may take its time. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "engine/container-control.h"
#include "engine/engine-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static bool starts_at_boot(const struct container *c)
{
	return c->state != ENGINE_RUNNING && c->started && container_wants_restart(c);
}

struct boot {
	struct engine *en;
	const char **ids;
	size_t n;
	struct arena arena;
};

static int boot_note(void *arg, const struct container_row *row, struct err *e)
{
	struct boot *b = arg;
	char *id = arena_strdup(&b->arena, row->id);

	return id && arena_strv_push(&b->arena, &b->ids, &b->n, id) == 0
		       ? 0
		       : err_set(e, ERR_LIMIT, ENOMEM, "listing containers");
}

static int boot_one(struct engine *en, const char *id, engine_boot_fn fn, void *arg, struct err *e)
{
	static const struct attach_opts none = {.in = -1, .out = -1, .err_out = -1, .detach = true};
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct container_exit end;

	if (container_load_now(en, id, &c, e) < 0)
		return e->class == ERR_NOT_FOUND ? 0 : -1;
	if (!starts_at_boot(&c))
		return 0;
	if (container_start(en, id, &none, &end, e) < 0)
		return -1;
	fn(arg, c.name, NULL);
	return 0;
}

int engine_boot(struct engine *en, engine_boot_fn fn, void *arg, struct err *e)
{
	struct boot b = {.en = en, .arena = ARENA_INIT};
	int r = engine_reconcile(en, e);

	if (r == 0)
		r = container_row_each(en->store, boot_note, &b, e);
	for (size_t i = 0; r == 0 && i < b.n; i++) {
		struct err why = ERR_INIT;

		if (boot_one(en, b.ids[i], fn, arg, &why) < 0)
			fn(arg, b.ids[i], &why);
	}
	arena_done(&b.arena);
	return r;
}

/* ---- the end ---- */

static int clear_by_hand(struct container *c, void *arg, struct err *e)
{
	c->by_hand = false;
	return 0;
}

int container_halt(struct engine *en, const char *id, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	const struct stop_opts opts = {.timeout = STOP_TIMEOUT_DEFAULT};

	if (container_load_now(en, id, &c, e) < 0)
		return e->class == ERR_NOT_FOUND ? 0 : -1;
	if (c.state != ENGINE_RUNNING)
		return 0;
	if (container_stop(en, c.id, &opts, e) < 0)
		return -1;
	if (c.spec.auto_remove)
		return 0;
	/* It was not its user who stopped it: "unless-stopped" starts it after the boot. */
	return container_change(en, c.id, clear_by_hand, NULL, e);
}

static int halt_note(void *arg, const struct container_brief *b, struct err *e)
{
	struct boot *list = arg;
	char *id = arena_strdup(&list->arena, b->id);

	return id && arena_strv_push(&list->arena, &list->ids, &list->n, id) == 0
		       ? 0
		       : err_set(e, ERR_LIMIT, ENOMEM, "listing containers");
}

static int halt_spawn(struct engine *en, const char *id, struct process *ret)
{
	_cleanup_(fd_close) int exe = path_open_host("/proc/self/exe", O_PATH, 0);
	const char *argv[] = {"kogge",      "--root", en->root, "--run-root",
			      en->run_root, "__halt", id,       NULL};
	struct process_spawn s = PROCESS_SPAWN_INIT;

	s.exe = exe;
	s.argv = argv;
	s.fds = (int[]){-1, 2, 2};
	s.n_fds = 3;
	return process_spawn(&s, ret);
}

int engine_halt(struct engine *en, struct err *e)
{
	struct boot b = {.en = en, .arena = ARENA_INIT};
	int r = container_brief_each(en, false, halt_note, &b, e), failed = 0, status;
	struct process *v = r < 0 ? NULL : calloc(b.n + 1, sizeof(*v));

	if (r == 0 && !v)
		r = err_errno(e, ENOMEM, "stopping containers");
	for (size_t i = 0; r == 0 && i < b.n; i++) {
		v[i] = PROCESS_INIT;
		failed += halt_spawn(en, b.ids[i], &v[i]) < 0;
	}
	for (size_t i = 0; r == 0 && i < b.n; i++) {
		if (v[i].pidfd >= 0 && (process_wait(&v[i], &status) < 0 || status != 0))
			failed++;
		process_done(&v[i]);
	}
	free(v);
	arena_done(&b.arena);
	if (r == 0 && failed)
		return err_set(e, ERR_CONFLICT, 0, "%d containers could not be stopped", failed);
	return r;
}
