/* SPDX-License-Identifier: Apache-2.0 */
/* commit: the container's own configuration (moby: Config of the container) on that of its image,
 * then the changes of --change. The container is frozen while its files are read, not longer. */
#include "engine/container-control.h"
#include "engine/container-tree.h"
#include "engine/engine-internal.h"
#include "engine/event.h"

#include "base/str.h"
#include "oci/image-change.h"
#include "oci/image-config.h"
#include "store/image-commit.h"

#include <errno.h>
#include <string.h>

struct commit {
	struct engine *en;
	const struct container_commit *opts;
	struct container c;
	bool frozen; /* by us */
};

static int copy_vector(struct image_config *c, const char *const *from, bool whole,
		       const char ***to)
{
	const char **v = from ? arena_array(&c->arena, strv_len(from) + 1, sizeof(*v)) : NULL;
	size_t n = 0;

	if (from && !v)
		return -ENOMEM;
	for (; from && *from; from++) {
		if (whole && !strchr(*from, '='))
			continue;
		v[n] = arena_strdup(&c->arena, *from);
		if (!v[n++])
			return -ENOMEM;
	}
	*to = v;
	return 0;
}

static int copy_labels(struct image_config *c, const struct container_spec *s, struct err *e)
{
	c->run.labels = NULL;
	c->run.n_labels = 0;
	for (size_t i = 0; i < s->n_labels; i++)
		if (image_run_set_label(c, s->labels[i].key, s->labels[i].value, e) < 0)
			return -1;
	return 0;
}

static int copy_strings(struct image_config *c, const struct container_spec *s)
{
	const struct {
		const char *from;
		const char **to;
	} strings[] = {
		{s->hostname, &c->run.hostname},
		{s->domainname, &c->run.domainname},
		{s->user, &c->run.user},
		{s->workdir, &c->run.working_dir},
		{s->stop_signal, &c->run.stop_signal},
	};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		*strings[i].to = NULL;
		if (str_empty(strings[i].from))
			continue;
		*strings[i].to = arena_strdup(&c->arena, strings[i].from);
		if (!*strings[i].to)
			return -ENOMEM;
	}
	return 0;
}

static int configure(void *arg, struct image_config *c, struct err *e)
{
	const struct commit *m = arg;
	const struct container_spec *s = &m->c.spec;
	struct image_run *r = &c->run;

	if (copy_strings(c, s) < 0 || copy_vector(c, s->env, true, &r->env) < 0 ||
	    copy_vector(c, s->cmd, false, &r->cmd) < 0 ||
	    copy_vector(c, s->entrypoint, false, &r->entrypoint) < 0)
		return err_errno(e, ENOMEM, "copying the configuration");
	r->on_build = NULL;
	r->tty = s->tty;
	r->open_stdin = s->interactive;
	r->stdin_once = s->interactive && s->attach_in;
	r->attach_stdin = s->attach_in;
	r->attach_stdout = s->attach_out;
	r->attach_stderr = s->attach_err;
	r->has_stop_timeout = s->stop_timeout >= 0;
	r->stop_timeout = r->has_stop_timeout ? s->stop_timeout : 0;
	/* With those of -v that have no name; what is in them is not part of the image. */
	if (copy_labels(c, s, e) < 0 ||
	    image_config_set_add(c, &r->volumes, s->volumes, strv_len(s->volumes), e) < 0)
		return -1;
	return image_change_apply(c, m->opts->changes, e);
}

static void thaw(void *arg)
{
	struct commit *m = arg;
	struct err ignored = ERR_INIT;

	if (m->frozen)
		container_unpause(m->en, m->c.id, &ignored);
	m->frozen = false;
}

static int freeze(struct commit *m, struct err *e)
{
	struct err why = ERR_INIT;

	if (!m->opts->pause || m->c.state != ENGINE_RUNNING || m->c.paused)
		return 0;
	if (container_pause(m->en, m->c.id, &why) < 0) {
		/* It ended meanwhile, or somebody else has paused it. */
		if (why.class == ERR_CONFLICT)
			return 0;
		*e = why;
		return -1;
	}
	m->frozen = true;
	return 0;
}

static void commit_done(struct commit *m)
{
	thaw(m);
	container_done(&m->c);
}

int container_commit(struct engine *en, const char *ref, const struct container_commit *o,
		     char *ret_id, struct err *e)
{
	_cleanup_(commit_done) struct commit m = {.en = en, .opts = o, .c = CONTAINER_INIT};
	struct image_commit image = {
		.ignored = container_made_for_mounts,
		.name = o->name,
		.author = o->author,
		.comment = o->message,
		.configure = configure,
		.read = thaw,
		.arg = &m,
	};
	const char *extra[] = {"comment",  o->message ? o->message : "", "imageID", ret_id,
			       "imageRef", o->name ? o->name : "",       NULL};

	if (container_load_now(en, ref, &m.c, e) < 0)
		return -1;
	image.parent = m.c.image_id;
	image.snapshot = m.c.snapshot;
	image.created_by = m.c.spec.cmd ? str_join(&m.c.spec.arena, m.c.spec.cmd, " ") : NULL;
	if (freeze(&m, e) < 0 || image_commit(en->store, &image, ret_id, e) < 0)
		return err_wrap(e, "committing container %s", ref);
	event_container(en, &m.c, "commit", extra);
	return 0;
}
