/* SPDX-License-Identifier: Apache-2.0 */
/* Making a container: the image's defaults are merged into the spec (moby: runconfig's and the
 * daemon's merge), a name is found, and row and writable layer come into being in one
 * transaction. */
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "engine/mount-internal.h"
#include "engine/network-internal.h"
#include "oci/image-config.h"
#include "oci/platform.h"
#include "store/image-store.h"
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { NAME_TRIES = 6 };

/* The image's entries whose key the user did not give, after the user's. */
static int merge_env(struct container_spec *s, const struct image_run *image, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; s->env && s->env[i] && r == 0; i++)
		r = arena_strv_push(&s->arena, &v, &n, s->env[i]);
	for (size_t i = 0; image->env && image->env[i] && r == 0; i++) {
		size_t key = strcspn(image->env[i], "=");
		bool given = false;

		for (size_t k = 0; s->env && s->env[k]; k++)
			given |= strncmp(s->env[k], image->env[i], key) == 0 &&
				 (s->env[k][key] == '=' || s->env[k][key] == '\0');
		if (!given)
			r = arena_strv_push(&s->arena, &v, &n,
					    arena_strdup(&s->arena, image->env[i]));
	}
	s->env = v;
	return r < 0 ? err_set(e, ERR_LIMIT, ENOMEM, "merging the environment") : 0;
}

static int merge_labels(struct container_spec *s, const struct image_run *image, struct err *e)
{
	struct spec_pair *v = arena_array(&s->arena, s->n_labels + image->n_labels, sizeof(*v));
	size_t n = 0;

	if (!v)
		return err_set(e, ERR_LIMIT, ENOMEM, "merging labels");
	for (size_t i = 0; i < image->n_labels; i++) {
		bool given = false;

		for (size_t k = 0; k < s->n_labels; k++)
			given |= str_eq(s->labels[k].key, image->labels[i].key);
		if (!given)
			v[n++] = (struct spec_pair){
				arena_strdup(&s->arena, image->labels[i].key),
				arena_strdup(&s->arena, image->labels[i].value),
			};
	}
	for (size_t i = 0; i < s->n_labels; i++)
		v[n++] = s->labels[i];
	s->labels = v;
	s->n_labels = n;
	return 0;
}

/* A copy of a vector that lives with the image. */
static const char *const *copy_strv(struct arena *a, const char **v)
{
	const char **copy = NULL;
	size_t n = 0;

	for (size_t i = 0; v && v[i]; i++)
		if (arena_strv_push(a, &copy, &n, arena_strdup(a, v[i])) < 0)
			return NULL;
	return copy;
}

static const char *or_image(struct arena *a, const char *given, const char *image)
{
	return str_empty(given) && image ? arena_strdup(a, image) : given;
}

/* What the user did not say of the health check is the image's. */
static void merge_health(struct container_spec *s, const struct image_run *image)
{
	struct spec_health *h = &s->health;
	const struct image_health *i = &image->health;

	if (!image->has_health)
		return;
	if (!h->test)
		h->test = copy_strv(&s->arena, i->test);
	h->interval = h->interval ? h->interval : i->interval;
	h->timeout = h->timeout ? h->timeout : i->timeout;
	h->start_period = h->start_period ? h->start_period : i->start_period;
	h->start_interval = h->start_interval ? h->start_interval : i->start_interval;
	h->retries = h->retries ? h->retries : i->retries;
}

static bool is_ascii(const char *s)
{
	while (*s && (unsigned char)*s < 0x80)
		s++;
	return !*s;
}

static char *recorded(struct arena *a, const char *word)
{
	json_t *j = json_text(word);
	char *s = j ? arena_strdup(a, json_string_value(j)) : NULL;

	json_decref(j);
	return s;
}

/* The record of a container is JSON, where what is no UTF-8 becomes U+FFFD, as with Docker. The
 * first start has the same words as every later one, which reads them there. */
static int as_recorded(struct arena *a, const char *const **words, struct err *e)
{
	const char *const *v = *words;
	const char **copy = NULL;
	size_t n = 0, same = 0;

	while (v && v[same] && is_ascii(v[same]))
		same++;
	if (!v || !v[same])
		return 0;
	for (; v[n];)
		if (arena_strv_push(a, &copy, &n, recorded(a, v[n])) < 0)
			return err_set(e, ERR_LIMIT, ENOMEM, "creating a container");
	*words = copy;
	return 0;
}

static int merge(struct container_spec *s, const struct image_run *image, struct err *e)
{
	struct arena *a = &s->arena;

	if (!s->entrypoint) {
		if (!s->cmd || !s->cmd[0])
			s->cmd = copy_strv(a, image->cmd);
		s->entrypoint = copy_strv(a, image->entrypoint);
	}
	if (s->entrypoint && s->entrypoint[0] && !s->entrypoint[0][0] && !s->entrypoint[1])
		s->entrypoint = NULL; /* --entrypoint "" takes the image's away */
	s->user = or_image(a, s->user, image->user);
	s->workdir = or_image(a, s->workdir, image->working_dir);
	s->stop_signal = or_image(a, s->stop_signal, image->stop_signal);
	merge_health(s, image);
	if (s->stop_timeout < 0 && image->has_stop_timeout)
		s->stop_timeout = (int)image->stop_timeout;
	if (merge_env(s, image, e) < 0 || merge_labels(s, image, e) < 0)
		return -1;
	return as_recorded(a, &s->cmd, e) < 0 || as_recorded(a, &s->entrypoint, e) < 0
		       ? -1
		       : as_recorded(a, &s->env, e);
}

/* Docker's host name: the first 12 digits of the identifier; the host's own where the UTS or
 * network namespace is the host's. */
static int default_hostname(struct container *c, struct err *e)
{
	struct container_spec *s = &c->spec;
	char host[256];

	if (!str_empty(s->hostname))
		return 0;
	if (s->uts.mode == SPEC_NS_HOST || s->network.mode == SPEC_NS_HOST) {
		if (gethostname(host, sizeof(host)) < 0)
			return err_errno(e, errno, "asking for the host's name");
		host[sizeof(host) - 1] = '\0';
		s->hostname = arena_strdup(&s->arena, host);
	} else {
		s->hostname = arena_strndup(&s->arena, c->id, ID_SHORT_SIZE - 1);
	}
	return s->hostname ? 0 : err_set(e, ERR_LIMIT, ENOMEM, "naming the container's host");
}

static int check_platform(const struct image *img, const char *wanted, struct err *e)
{
	struct platform want, have;
	char have_text[PLATFORM_TEXT_SIZE], want_text[PLATFORM_TEXT_SIZE];
	char text[128];

	snprintf(text, sizeof(text), "%s/%s%s%s", img->os, img->arch, *img->variant ? "/" : "",
		 img->variant);
	if (platform_parse(text, &have, e) < 0)
		return -1;
	if (!wanted)
		platform_host(&want);
	else if (platform_parse(wanted, &want, e) < 0)
		return -1;
	if (platform_match(&want, &have))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, 0,
		       "it is for %s and %s is %s (load an image for that platform)",
		       platform_text(&have, have_text), wanted ? "--platform" : "this machine",
		       platform_text(&want, want_text));
}

/* The image's volumes after those of the user. */
static int merge_volumes(struct container_spec *s, const struct image_run *image, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; s->volumes && s->volumes[i] && r == 0; i++)
		r = arena_strv_push(&s->arena, &v, &n, s->volumes[i]);
	for (size_t i = 0; image->volumes && image->volumes[i] && r == 0; i++)
		if (!strv_has((const char *const *)v, image->volumes[i]))
			r = arena_strv_push(&s->arena, &v, &n,
					    arena_strdup(&s->arena, image->volumes[i]));
	s->volumes = (const char *const *)v;
	return r < 0 ? err_set(e, ERR_LIMIT, ENOMEM, "merging volumes") : 0;
}

/* Row and snapshot at once; a name of our own making is tried again where it is taken. */
static int insert(struct engine *en, struct container *c, const char *chain, struct err *e)
{
	bool named = c->name != NULL;
	int sync = mount_points_need_sync(en, c, e);
	const char **made = NULL;
	char name[64];

	if (sync < 0)
		return -1;

	for (int i = 0;; i++) {
		if (!named)
			c->name = arena_strdup(&c->spec.arena, container_name_new(i, name));
		if (!c->name)
			return err_set(e, ERR_LIMIT, ENOMEM, "naming the container");
		if (store_begin(en->store, sync, e) < 0)
			return -1;
		if (snapshot_prepare(en->store, chain, c->snapshot, e) == 0 &&
		    mount_points_publish(en, c, &made, e) == 0 && endpoints_create(en, c, e) == 0 &&
		    container_store(en, c, true, e) == 0) {
			if (store_commit(en->store, e) < 0)
				return -1;
			for (; made && *made; made++)
				volume_event(en, *made, "create");
			return 0;
		}
		store_abort(en->store);
		if (named || e->class != ERR_CONFLICT || i == NAME_TRIES)
			return -1;
		*e = ERR_INIT; /* the next name is another matter */
	}
}

/* Where it cannot be made whole, nothing stays of it. */
static int insert_and_fill(struct engine *en, struct container *c, const char *chain, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (insert(en, c, chain, e) < 0)
		return -1;
	if (mount_points_fill(en, c, chain, e) == 0)
		return 0;
	container_forget(en, c, true, &ignored);
	return -1;
}

/* Another container's namespace is that container's whatever it is called later. */
static int pin_namespace(struct engine *en, struct container_spec *s, struct spec_ns *ns,
			 struct err *e)
{
	char id[ID_SIZE];

	if (ns->mode != SPEC_NS_CONTAINER)
		return 0;
	if (container_resolve(en, ns->ref, id, e) < 0)
		return -1;
	ns->ref = arena_strdup(&s->arena, id);
	return ns->ref ? 0 : err_set(e, ERR_LIMIT, ENOMEM, "creating a container");
}

/* What container_create and container_run share. With LEASED the row says that this process is
 * half way with it. */
int container_make(struct engine *en, const struct container_spec *spec, bool leased,
		   struct container *ret, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	_cleanup_(image_config_done) struct image_config config = IMAGE_CONFIG_INIT;
	struct container c = {.spec = *spec, .error = "", .state = ENGINE_CREATED};
	int r;

	/* The spec stays the caller's; what is added lives in an arena of our own. */
	c.spec.arena = ARENA_INIT;
	if (image_resolve(en->store, spec->image, 0, &img, e) < 0)
		return -1;
	if (check_platform(&img, spec->platform, e) < 0 ||
	    image_config_parse(img.config, img.config_len, &config, e) < 0)
		return err_wrap(e, "image '%s'", spec->image);
	r = id_new(c.id);
	if (r < 0)
		return err_errno(e, r, "making an identifier");
	c.created = clock_now();
	c.image_id = arena_strdup(&c.spec.arena, img.id);
	c.name = str_empty(spec->name) ? NULL : arena_strdup(&c.spec.arena, spec->name);
	c.lease = leased ? store_lease(en->store, e) : 0;
	if (!c.image_id || (leased && !c.lease) || merge(&c.spec, &config.run, e) < 0 ||
	    pin_namespace(en, &c.spec, &c.spec.pid, e) < 0 ||
	    pin_namespace(en, &c.spec, &c.spec.ipc, e) < 0 ||
	    merge_volumes(&c.spec, &config.run, e) < 0 ||
	    container_network_merge(en, &c, &config.run, e) < 0 || default_hostname(&c, e) < 0 ||
	    !container_args(&c, e) || mount_points_make(en, &c, e) < 0 ||
	    insert_and_fill(en, &c, img.chain, e) < 0) {
		container_done(&c);
		return -1;
	}
	event_container(en, &c, "create", NULL);
	*ret = c;
	return 0;
}

int container_create(struct engine *en, const struct container_spec *spec, char ret_id[ID_SIZE],
		     struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	if (engine_reconcile(en, e) < 0 || container_make(en, spec, false, &c, e) < 0)
		return -1;
	memcpy(ret_id, c.id, ID_SIZE);
	return 0;
}
