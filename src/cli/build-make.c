/* SPDX-License-Identifier: Apache-2.0 */
/* A build from its flags to its image: read, parse, lower, solve, assemble. */
#include "cli/build-input.h"
#include "cli/build-output.h"
#include "cli/build-progress.h"
#include "cli/pull.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "base/trace.h"
#include "build/lower.h"
#include "dockerfile/dockerfile.h"
#include "engine/engine.h"
#include "oci/media-type.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "store/build-image.h"
#include "store/build-layer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* One build. */
struct make {
	struct cli_context *c;
	const struct build_opts *o;
	struct build_input in;
	struct dockerfile d;
	struct lowered low;
	struct solve_result solved;
	struct build_progress *progress;
	struct build_session session;
	struct build_outputs outputs;
	struct key_value *annotations;
	const char **args; /* NAME=value */
	char id[IMAGE_ID_SIZE];
	struct digest manifest;
	int64_t now;
};

static void make_done(struct make *m)
{
	solve_result_done(&m->solved);
	if (m->progress)
		build_progress_free(m->progress);
	lowered_done(&m->low);
	dockerfile_done(&m->d);
	build_input_done(&m->in);
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "building");
}

/* ---- flags ---- */

static int choose_progress(struct make *m, struct err *e)
{
	const char *word = m->o->progress ? m->o->progress : getenv("BUILDKIT_PROGRESS");
	bool terminal = isatty(m->c->err_fd) == 1;
	enum progress_mode mode = PROGRESS_PLAIN;

	if (m->o->quiet || str_eq0(word, "quiet"))
		mode = PROGRESS_QUIET;
	else if (str_eq0(word, "rawjson"))
		mode = PROGRESS_RAWJSON;
	else if (!str_empty(word) && !str_eq(word, "auto") && !str_eq(word, "plain") &&
		 !str_eq(word, "tty"))
		return err_set(e, ERR_INVALID, 0, "invalid progress mode %s", word);
	else if (str_eq0(word, "tty") && !terminal)
		return err_set(
			e, ERR_INVALID, 0,
			"--progress tty: stderr is no terminal (auto draws where it is one)");
	else if (terminal && !str_eq0(word, "plain"))
		mode = PROGRESS_TTY;
	m->progress = build_progress_new(m->c->err, m->c->err_fd, mode);
	return m->progress ? 0 : no_memory(e);
}

/* "NAME" alone is the value that it has here. SOURCE_DATE_EPOCH comes along, as with buildx. */
static int collect_args(struct make *m, struct err *e)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	size_t n = 0;

	if (!str_empty(epoch)) {
		epoch = arena_printf(&m->c->arena, "SOURCE_DATE_EPOCH=%s", epoch);
		if (!epoch || arena_strv_push(&m->c->arena, &m->args, &n, epoch) < 0)
			return no_memory(e);
	}

	for (size_t i = 0; i < m->o->args.n; i++) {
		const char *s = m->o->args.v[i], *value;

		if (!strchr(s, '=')) {
			value = getenv(s);
			if (!value)
				continue;
			s = arena_printf(&m->c->arena, "%s=%s", s, value);
		}
		if (!s || arena_strv_push(&m->c->arena, &m->args, &n, s) < 0)
			return no_memory(e);
	}
	return 0;
}

/* "HOST:IP" and "HOST=IP" as the latter. */
static const char *const *hosts_of(struct make *m)
{
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < m->o->add_host.n; i++) {
		char *s = arena_strdup(&m->c->arena, m->o->add_host.v[i]);
		char *cut = s ? s + strcspn(s, "=:") : NULL;

		if (!s || arena_strv_push(&m->c->arena, &v, &n, s) < 0)
			return NULL;
		if (*cut)
			*cut = '=';
	}
	return v;
}

static int fill_labels(struct make *m, struct lower_opts *o, struct err *e)
{
	struct key_value *v = arena_array(&m->c->arena, m->o->labels.n, sizeof(*v));

	if (!v)
		return no_memory(e);
	for (size_t i = 0; i < m->o->labels.n; i++) {
		const char *value;

		v[i].key = str_cut(&m->c->arena, m->o->labels.v[i], '=', &value);
		v[i].value = value ? value : "";
		if (!v[i].key)
			return no_memory(e);
	}
	o->labels = v;
	o->n_labels = m->o->labels.n;
	return 0;
}

static int fill_contexts(struct make *m, struct lower_opts *o, struct err *e)
{
	struct lower_context *v = arena_array(&m->c->arena, m->o->contexts.n, sizeof(*v));

	if (!v)
		return no_memory(e);
	for (size_t i = 0; i < m->o->contexts.n; i++) {
		v[i].name = str_cut(&m->c->arena, m->o->contexts.v[i], '=', &v[i].value);
		if (!v[i].name)
			return no_memory(e);
	}
	o->contexts = v;
	o->n_contexts = m->o->contexts.n;
	return 0;
}

static bool allows(const struct build_opts *o, const char *what)
{
	for (size_t i = 0; i < o->allow.n; i++)
		if (str_eq(o->allow.v[i], what))
			return true;
	return false;
}

/* ---- errors ---- */

enum { SOURCE_LINES_MAX = 40 };

/* The lines AT of the Dockerfile with two more around them, as BuildKit shows them. */
static void print_source(const struct make *m, struct df_range at)
{
	const char *line = buf_str(&m->in.text), *end = line + m->in.text.len;
	unsigned first = at.first > 2 ? at.first - 2 : 1;

	build_progress_end(m->progress, false);
	fprintf(m->c->err, "%s:%u\n--------------------\n", m->in.name, at.first);
	/* Of an instruction of a million lines its beginning. */
	at.last = MIN(at.last, at.first + SOURCE_LINES_MAX);
	for (unsigned n = 1; line < end && n <= at.last + 2; n++) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		int len = (int)((eol ? eol : end) - line);

		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (n >= first)
			fprintf(m->c->err, "%4u | %s %.*s\n", n,
				n >= at.first && n <= at.last ? ">>>" : "   ", len, line);
		line = eol ? eol + 1 : end;
	}
	fputs("--------------------\n", m->c->err);
}

static int failed_at(const struct make *m, struct df_range at, struct err *e)
{
	if (at.first) {
		print_source(m, at);
		err_wrap(e, "%s:%u", m->in.name, at.first);
	}
	return err_wrap(e, "failed to solve");
}

static struct df_range range_of_line(const struct make *m, unsigned line)
{
	for (size_t i = 0; i < m->d.n; i++)
		if (m->d.instructions[i].at.first <= line && line <= m->d.instructions[i].at.last)
			return m->d.instructions[i].at;
	return (struct df_range){line, line};
}

/* ---- lowering ---- */

static int pull_base(struct make *m, const char *ref, const char *platform, struct err *e)
{
	const struct pull_opts o = {.platform = platform, .quiet = true};
	struct reference name;
	struct digest digest;
	bool new;

	*e = ERR_INIT;
	return reference_parse_tagged(ref, &name, e) < 0
		       ? -1
		       : pull_image(m->c, &name, &o, &new, &digest, e);
}

static int resolve_image(void *arg, const char *ref, const char *platform, struct lower_image *ret,
			 struct err *e)
{
	struct make *m = arg;
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct store *s = cli_store(m->c, e);
	char name[512];

	if (!s)
		return -1;
	if (m->o->pull && pull_base(m, ref, platform, e) < 0)
		return -1;
	if (image_resolve(s, ref, IMAGE_SHOWN_ID, &img, e) < 0 &&
	    (e->class != ERR_NOT_FOUND || pull_base(m, ref, platform, e) < 0 ||
	     image_resolve(s, ref, IMAGE_SHOWN_ID, &img, e) < 0))
		return -1;
	if (image_config_parse(img.config, img.config_len, &ret->config, e) < 0)
		return err_wrap(e, "image '%s'", ref);
	snprintf(ret->id, sizeof(ret->id), "%s", img.id);
	snprintf(name, sizeof(name), "[internal] load metadata for %.400s", ref);
	build_progress_note(m->progress, name, NULL, 0);
	return 0;
}

static int lower_all(struct make *m, struct err *e)
{
	const struct build_opts *b = m->o;
	struct lower_opts o = {
		.project = m->in.project,
		.target = b->target,
		.build_args = m->args,
		.no_cache = b->no_cache,
		.no_cache_filter = b->no_cache_filter.v,
		.network = b->network,
		.extra_hosts = hosts_of(m),
		.ulimits = b->ulimits.v,
		.cgroup_parent = b->cgroup_parent,
		.shm_size = (uint64_t)MAX(b->shm_size, 0),
		.allow_insecure = allows(b, "security.insecure"),
		.allow_host = allows(b, "network.host") || str_eq0(b->network, "host"),
		.now = m->now,
		.resolve = resolve_image,
		.arg = m,
	};

	platform_host(&o.build_platform);
	o.platform = o.build_platform;
	if (b->platform && platform_parse(b->platform, &o.platform, e) < 0)
		return -1;
	if (fill_labels(m, &o, e) < 0 || fill_contexts(m, &o, e) < 0)
		return -1;
	if (lower(&m->d, &o, &m->low, e) < 0)
		return failed_at(m, m->low.failed_at, e);
	TRACE("lowered");
	return 0;
}

/* ---- solving ---- */

static int fill_session(struct make *m, struct err *e)
{
	const struct build_opts *b = m->o;

	m->session = (struct build_session){
		.engine = {.root = m->c->root_dir,
			   .run_root = m->c->run_root,
			   .driver = m->c->driver},
		.store = cli_store(m->c, e),
		.contexts = m->in.contexts,
		.n_contexts = m->in.n_contexts,
		.secrets = m->in.secrets,
		.n_secrets = m->in.n_secrets,
		.ssh = m->in.ssh,
		.n_ssh = m->in.n_ssh,
		.resources = {.memory = (uint64_t)MAX(b->memory, 0),
			      .memory_swap = b->memory_swap,
			      .memory_swappiness = -1,
			      .cpu_shares = (uint64_t)MAX(b->cpu_shares, 0),
			      .cpu_period = b->cpu_period,
			      .cpu_quota = b->cpu_quota,
			      .cpuset_cpus = b->cpuset_cpus,
			      .cpuset_mems = b->cpuset_mems},
		.newest = m->in.newest,
	};
	return m->session.store ? 0 : -1;
}

static int solve_all(struct make *m, struct err *e)
{
	struct solve_opts o = {
		.graph = &m->low.graph,
		.targets = &m->low.target,
		.n_targets = 1,
		.ops = build_ops,
		.op_arg = &m->session,
		.store = m->session.store,
		.cancel_fd = -1,
		.explain = m->o->explain,
		.event = build_progress_event,
		.tick = isatty(m->c->err_fd) == 1 ? build_progress_tick : NULL,
		.arg = m->progress,
	};
	unsigned line;

	if (build_progress_graph(m->progress, &m->low.graph) < 0)
		return no_memory(e);
	if (solve(&o, &m->solved, e) == 0)
		return 0;
	if (m->solved.failed >= 0) {
		build_progress_failed(m->progress, (size_t)m->solved.failed);
		line = m->low.graph.v[m->solved.failed].line;
		if (line)
			print_source(m, range_of_line(m, line));
	}
	return err_wrap(e, "failed to solve");
}

/* ---- the image ---- */

/* Whether the line H of the history made a layer, which goes to L. */
static int layer_of(struct make *m, const struct lower_history *h, struct build_layer *l,
		    struct err *e)
{
	return h->vertex < 0                                                 ? 0
	       : build_result_layer(&m->solved.results[h->vertex], l, e) < 0 ? -1
									     : 1;
}

static int add_layers(struct make *m, struct arena *a, struct build_image *img, struct err *e)
{
	struct image_layer *base = NULL, *v;
	size_t n = 0;

	if (*m->low.base_id &&
	    build_image_layers(m->session.store, m->low.base_id, a, &base, &n, e) < 0)
		return -1;
	v = arena_array(a, n + m->low.n_history, sizeof(*v));
	if (!v)
		return no_memory(e);
	if (n > 0)
		memcpy(v, base, n * sizeof(*v));
	for (size_t i = 0; i < m->low.n_history; i++) {
		struct image_history line = m->low.history[i].h;
		struct build_layer l;
		int r = layer_of(m, &m->low.history[i], &l, e);

		line.created = m->low.config.created;
		if (r < 0 ||
		    image_config_add_layer(&m->low.config, r ? &l.diff : NULL, &line, e) < 0)
			return -1;
		if (r > 0)
			v[n++] =
				(struct image_layer){.blob = l.diff,
						     .diff_id = l.diff,
						     .media_type = media_type_of_layer(MEDIA_PLAIN),
						     .size = (int64_t)l.blob_size};
	}
	img->layers = v;
	img->n_layers = n;
	return 0;
}

/* When the image was made: SOURCE_DATE_EPOCH, else the time of the newest file that it was made
 * from, so that the same files make the same image. */
static int set_created(struct make *m, struct err *e)
{
	int64_t ns = m->low.epoch >= 0 ? m->low.epoch * (int64_t)NUM_NS_PER_S : m->now;
	char text[CLOCK_TEXT_SIZE];

	m->low.config.created = arena_strdup(&m->low.config.arena, clock_format(ns, text));
	return m->low.config.created ? 0 : no_memory(e);
}

/* The image's names in the store: an output of its own has its own, or those of --tag. */
static const char *const *names_of(const struct make *m)
{
	for (size_t i = 0; i < m->outputs.n; i++)
		if (m->outputs.v[i].kind == BUILD_OUTPUT_IMAGE)
			return m->outputs.v[i].names;
	return m->outputs.image ? m->o->tags.v : NULL;
}

/* "manifest:KEY=VALUE" as with buildx, or without what it is for. */
static int read_annotation(struct make *m, const char *text, struct key_value *ret, struct err *e)
{
	size_t word = strcspn(text, ":=");
	const char *whole = text;

	if (text[word] == ':' && (str_after(text, "index") || str_after(text, "manifest"))) {
		if (!str_after(text, "manifest:"))
			return err_set(e, ERR_UNSUPPORTED, 0,
				       "--annotation %s: an image for one platform has annotations "
				       "of its manifest alone (manifest:KEY=VALUE)",
				       whole);
		text += word + 1;
	}
	ret->key = str_cut(&m->c->arena, text, '=', &ret->value);
	if (!ret->key)
		return no_memory(e);
	return *ret->key && ret->value
		       ? 0
		       : err_set(e, ERR_INVALID, 0, "invalid annotation %s, expected key=value",
				 whole);
}

static int read_annotations(struct make *m, struct err *e)
{
	m->annotations =
		arena_array(&m->c->arena, m->o->annotations.n + 1, sizeof(*m->annotations));
	if (!m->annotations)
		return no_memory(e);
	for (size_t i = 0; i < m->o->annotations.n; i++)
		if (read_annotation(m, m->o->annotations.v[i], &m->annotations[i], e) < 0)
			return -1;
	return 0;
}

static int make_image(struct make *m, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(buf_done) struct buf config = BUF_INIT(IMAGE_CONFIG_SIZE_MAX);
	struct build_image img = {.names = names_of(m),
				  .annotations = m->annotations,
				  .n_annotations = m->o->annotations.n};
	int64_t started = clock_monotonic();
	char line[128];

	if (set_created(m, e) < 0 || add_layers(m, &a, &img, e) < 0 ||
	    image_config_write(&m->low.config, &config, e) < 0)
		return -1;
	img.config = buf_str(&config);
	img.n_config = config.len;
	if (build_image_make(m->session.store, &img, m->id, &m->manifest, e) < 0)
		return -1;
	snprintf(line, sizeof(line), "writing image %s done", m->id);
	if (m->outputs.image)
		build_progress_note(m->progress, "exporting to image", line,
				    clock_monotonic() - started);
	TRACE("image made");
	return 0;
}

/* ---- what the caller gets ---- */

static int write_file(const char *path, const char *text, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	int r = fd < 0 ? fd : fd_write_full(fd, text, strlen(text));

	return r < 0 ? err_errno(e, r, "writing %s", path) : 0;
}

static int write_metadata(struct make *m, struct err *e)
{
	const char *name = m->o->tags.n ? m->o->tags.v[0] : NULL;
	char full[REFERENCE_TEXT_SIZE];
	struct reference ref;
	const char *text;

	if (name && reference_parse_tagged(name, &ref, e) < 0)
		return -1;
	text = arena_printf(&m->c->arena,
			    "{\n  \"containerimage.config.digest\": \"%s\",\n"
			    "  \"containerimage.digest\": \"%s\"%s%s%s\n}\n",
			    m->id, m->manifest.text, name ? ",\n  \"image.name\": \"" : "",
			    name ? reference_text(&ref, full) : "", name ? "\"" : "");
	return text ? write_file(m->o->metadata_file, text, e) : no_memory(e);
}

static int tell(struct make *m, struct err *e)
{
	if (m->o->iidfile && write_file(m->o->iidfile, m->id, e) < 0)
		return -1;
	if (m->o->metadata_file && write_metadata(m, e) < 0)
		return -1;
	if (m->o->quiet)
		fprintf(m->c->out, "%s\n", m->id);
	return 0;
}

/* The image itself goes again where only what was made of it is wanted. Its layers stay, as results
 * of the build. */
static void drop_image(struct make *m, int64_t began)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct err ignored = ERR_INIT;

	if (!m->outputs.image &&
	    image_resolve(m->session.store, m->id, IMAGE_NAMES, &img, &ignored) == 0 &&
	    img.n_names == 0 && img.n_containers == 0 && img.imported >= began)
		(void)image_remove(m->session.store, m->id, 0, NULL, NULL, &ignored);
}

static int hand_out(struct make *m, struct err *e)
{
	int64_t began = clock_now();
	int r = make_image(m, e);

	if (r < 0)
		return -1;
	r = build_outputs_write(m->c, &m->outputs, m->id, m->progress, e);
	drop_image(m, began);
	return r;
}

static int check_tags(const struct make *m, struct err *e)
{
	for (size_t i = 0; i < m->o->tags.n; i++) {
		struct reference ref;

		if (reference_parse_tagged(m->o->tags.v[i], &ref, e) < 0)
			return err_wrap(e, "invalid argument \"%s\" for \"-t, --tag\" flag",
					m->o->tags.v[i]);
	}
	return 0;
}

static int parse(struct make *m, struct err *e)
{
	char text[300], size[32];

	snprintf(text, sizeof(text), "transferring dockerfile: %s done",
		 num_human_size((double)m->in.text.len, size));
	build_progress_note(m->progress, "[internal] load build definition from Dockerfile", text,
			    0);
	if (dockerfile_parse(buf_str(&m->in.text), m->in.text.len, &m->d, e) < 0)
		return failed_at(m, m->d.failed_at, e);
	return 0;
}

static int make(struct make *m, const char *context, struct err *e)
{
	if (check_tags(m, e) < 0 || read_annotations(m, e) < 0 ||
	    build_outputs_parse(m->c, &m->o->outputs, &m->o->tags, &m->outputs, e) < 0 ||
	    choose_progress(m, e) < 0 || collect_args(m, e) < 0 ||
	    build_input_read(m->c, m->o, context, &m->in, e) < 0)
		return -1;
	m->now = m->in.newest ? m->in.newest : clock_now();
	if (!cli_engine(m->c, e) || parse(m, e) < 0 || lower_all(m, e) < 0 ||
	    fill_session(m, e) < 0 || solve_all(m, e) < 0 || hand_out(m, e) < 0)
		return -1;
	return tell(m, e);
}

int build_make(struct cli_context *c, const struct build_opts *o, const char *context,
	       struct err *e)
{
	_cleanup_(make_done) struct make m = {.c = c,
					      .o = o,
					      .in = {.text = BUF_INIT(1), .ignore = IGNORE_INIT},
					      .d = DOCKERFILE_INIT,
					      .low = LOWERED_INIT,
					      .solved = SOLVE_RESULT_INIT};

	int r = make(&m, context, e);

	if (m.progress)
		build_progress_end(m.progress, r == 0);
	return r < 0 ? 1 : 0;
}
