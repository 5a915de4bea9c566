/* SPDX-License-Identifier: Apache-2.0 */
/* `manifest`: lists of manifests are made here, as <root>/manifests/<name>.json (docs/formats/
 * manifest-list.md), and pushed as indexes. */
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/manifest.h"
#include "cli/pull.h"
#include "cli/verbs.h"
#include "oci/image-config.h"
#include "oci/manifest.h"
#include "oci/media-type.h"
#include "remote/copy.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MAX = 4 << 20 };

struct opts {
	bool amend, ignored, purge;
	const char *arch, *os, *os_version, *variant;
	struct cli_list os_features;
};

#define O(field) offsetof(struct opts, field)
#define INSECURE                                                                                   \
	{                                                                                          \
		"insecure", 0, CLI_BOOL, O(ignored),                                               \
			"Has no effect: the configuration says which registries are insecure"      \
	}

static const struct cli_option create_options[] = {
	{"amend", 'a', CLI_BOOL, O(amend), "Add to a list that is there"}, INSECURE, {NULL}};
static const struct cli_option annotate_options[] = {
	{"arch", 0, CLI_STRING, O(arch), "Set the architecture"},
	{"os", 0, CLI_STRING, O(os), "Set the operating system"},
	{"os-features", 0, CLI_LIST, O(os_features), "Set features of the operating system"},
	{"os-version", 0, CLI_STRING, O(os_version), "Set the version of the operating system"},
	{"variant", 0, CLI_STRING, O(variant), "Set the variant of the architecture"},
	{NULL},
};
static const struct cli_option push_options[] = {
	INSECURE,
	{"purge", 'p', CLI_BOOL, O(purge), "Remove the list after it was pushed"},
	{NULL}};
static const struct cli_option no_options[] = {{NULL}};

/* ---- lists on the disk ---- */

static void file_of(const struct reference *ref, char out[REFERENCE_TEXT_SIZE + 8])
{
	char text[REFERENCE_TEXT_SIZE];

	snprintf(out, REFERENCE_TEXT_SIZE + 8, "%s.json", reference_text(ref, text));
	for (char *s = out; *s; s++)
		*s = *s == '/' ? '%' : *s;
}

static int lists_dir(struct cli_context *c, struct err *e)
{
	struct store *s = cli_store(c, e);
	int fd = s ? path_mkdirs(store_root_fd(s), "manifests", 0700, 0) : -1;

	if (!s)
		return -1;
	return fd < 0 ? err_errno(e, fd, "opening the directory of manifest lists") : fd;
}

json_t *manifest_list_read(struct cli_context *c, const struct reference *ref, struct err *e)
{
	_cleanup_(fd_close) int dir = lists_dir(c, e);
	_cleanup_(fd_close) int fd = -1;
	_cleanup_(buf_done) struct buf b = BUF_INIT(LIST_MAX + 1);
	char name[REFERENCE_TEXT_SIZE + 8];
	int r;

	if (dir < 0)
		return NULL;
	file_of(ref, name);
	fd = path_open_own(dir, name, O_RDONLY, 0);
	if (fd == -ENOENT)
		return NULL;
	r = fd < 0 ? fd : fd_read_all(fd, &b, LIST_MAX);
	if (r < 0)
		return err_errno(e, r, "reading a manifest list"), NULL;
	return json_parse(buf_str(&b), b.len, "the manifest list", e);
}

static json_t *list_need(struct cli_context *c, const struct reference *ref, struct err *e)
{
	char text[REFERENCE_TEXT_SIZE];
	json_t *j = manifest_list_read(c, ref, e);

	if (!j && e->class == ERR_NONE)
		err_set(e, ERR_NOT_FOUND, 0, "No such manifest: %s", reference_text(ref, text));
	return j;
}

static int list_write(struct cli_context *c, const struct reference *ref, const json_t *j,
		      struct err *e)
{
	_cleanup_(fd_close) int dir = lists_dir(c, e);
	_cleanup_(buf_done) struct buf b = BUF_INIT(LIST_MAX);
	char name[REFERENCE_TEXT_SIZE + 8];
	int r;

	if (dir < 0)
		return -1;
	file_of(ref, name);
	r = json_write(j, JSON_INDENT(2), &b);
	if (r == 0)
		r = path_write_file(dir, name, buf_str(&b), b.len, 0600);
	return r < 0 ? err_errno(e, r, "writing a manifest list") : 0;
}

static int list_remove(struct cli_context *c, const struct reference *ref, struct err *e)
{
	_cleanup_(fd_close) int dir = lists_dir(c, e);
	char name[REFERENCE_TEXT_SIZE + 8], text[REFERENCE_TEXT_SIZE];

	if (dir < 0)
		return -1;
	file_of(ref, name);
	if (unlinkat(dir, name, 0) == 0)
		return 0;
	return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, 0, "No such manifest: %s",
					 reference_text(ref, text))
			       : err_errno(e, errno, "removing a manifest list");
}

/* ---- entries ---- */

const char *manifest_name(const struct reference *ref)
{
	return digest_is_set(&ref->digest) ? ref->digest.text : ref->tag;
}

static json_t *platform_json(const struct platform *p)
{
	json_t *j = json_pack("{s:s, s:s}", "architecture", p->architecture, "os", p->os);

	if (j && p->variant[0])
		json_object_set_new(j, "variant", json_string(p->variant));
	return j;
}

int manifest_fetch(struct cli_context *c, const struct reference *ref, struct remote *r,
		   struct remote_document *ret, struct err *e)
{
	struct digest d;

	if (registry_open(c, ref, false, r, e) < 0 ||
	    remote_get_manifest(r, manifest_name(ref), MANIFEST_SIZE_MAX, ret, e) < 0)
		return -1;
	digest_of(ret->data, ret->n, &d);
	if (digest_is_set(&ref->digest) && !digest_eq(&d, &ref->digest))
		return err_set(e, ERR_CORRUPT, 0, "what came is another document (%s)", d.text);
	return 0;
}

json_t *manifest_describe(struct remote *r, const struct remote_document *doc, struct err *e)
{
	_cleanup_(remote_document_done) struct remote_document config = REMOTE_DOCUMENT_INIT;
	_cleanup_(manifest_done) struct manifest m = MANIFEST_INIT;
	_cleanup_(image_config_done) struct image_config ic = IMAGE_CONFIG_INIT;
	struct digest d;
	json_t *j;

	if (manifest_parse(doc->data, doc->n, doc->info.type[0] ? doc->info.type : NULL, &m, e) <
		    0 ||
	    remote_get_document(r, &m.config.digest, IMAGE_CONFIG_SIZE_MAX, &config, e) < 0 ||
	    image_config_parse(config.data, config.n, &ic, e) < 0)
		return NULL;
	digest_of(doc->data, doc->n, &d);
	j = json_pack("{s:s, s:s, s:I, s:o}", "mediaType", m.media_type, "digest", d.text, "size",
		      (json_int_t)doc->n, "platform", platform_json(&ic.platform));
	return j ? j : (err_errno(e, ENOMEM, "describing a manifest"), NULL);
}

/* What REF names, as an entry of a list. */
static json_t *describe(struct cli_context *c, const struct reference *ref, struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	_cleanup_(remote_document_done) struct remote_document doc = REMOTE_DOCUMENT_INIT;
	char text[REFERENCE_TEXT_SIZE];
	json_t *j;

	if (manifest_fetch(c, ref, &r, &doc, e) < 0)
		return NULL;
	if (media_type_find(doc.info.type)->kind == MEDIA_INDEX)
		return err_set(e, ERR_INVALID, 0, "%s is a manifest list",
			       reference_text(ref, text)),
		       NULL;
	j = manifest_describe(&r, &doc, e);
	if (j)
		json_object_set_new(j, "ref", json_string(reference_text(ref, text)));
	return j;
}

/* The entry of LIST that came from REF, borrowed. */
static json_t *find_entry(const json_t *list, const struct reference *ref)
{
	char text[REFERENCE_TEXT_SIZE];
	json_t *entry;
	size_t i;

	reference_text(ref, text);
	json_array_foreach (json_object_get(list, "manifests"), i, entry)
		if (str_eq(json_string_value(json_object_get(entry, "ref")), text))
			return entry;
	return NULL;
}

static int add_entry(struct cli_context *c, json_t *list, const char *name, struct err *e)
{
	struct reference ref;
	json_t *old, *entry;

	if (reference_parse_tagged(name, &ref, e) < 0)
		return -1;
	entry = describe(c, &ref, e);
	if (!entry)
		return e->class == ERR_NONE ? err_errno(e, ENOMEM, "describing a manifest")
					    : err_wrap(e, "manifest %s", name);
	old = find_entry(list, &ref);
	if (old) {
		json_object_update(old, entry);
		json_decref(entry);
		return 0;
	}
	return json_array_append_new(json_object_get(list, "manifests"), entry) < 0
		       ? err_errno(e, ENOMEM, "making a manifest list")
		       : 0;
}

json_t *manifest_list_index(const json_t *list)
{
	json_t *manifests = json_deep_copy(json_object_get(list, "manifests")), *entry;
	const char *type = "application/vnd.docker.distribution.manifest.list.v2+json";
	size_t i;

	json_array_foreach (manifests, i, entry) {
		const char *t = json_string_value(json_object_get(entry, "mediaType"));

		if (t && str_after(t, "application/vnd.oci."))
			type = "application/vnd.oci.image.index.v1+json";
		json_object_del(entry, "ref");
	}
	return json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", type, "manifests",
			 manifests);
}

/* ---- verbs ---- */

static int run_create(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(json_unref) json_t *list = NULL;
	const struct opts *o = a->opts;
	char text[REFERENCE_TEXT_SIZE];
	struct reference ref;

	if (reference_parse_tagged(a->argv[0], &ref, e) < 0)
		return 1;
	list = manifest_list_read(c, &ref, e);
	if (e->class != ERR_NONE)
		return 1;
	if (list && !o->amend)
		return err_set(e, ERR_EXISTS, 0,
			       "refusing to amend an existing manifest list with no --amend flag"),
		       1;
	if (!list)
		list = json_pack("{s:[]}", "manifests");
	for (size_t i = 1; i < a->argc; i++)
		if (add_entry(c, list, a->argv[i], e) < 0)
			return 1;
	if (list_write(c, &ref, list, e) < 0)
		return 1;
	fprintf(c->out, "Created manifest list %s\n", reference_text(&ref, text));
	return 0;
}

static void set(json_t *platform, const char *key, const char *value)
{
	if (!str_empty(value))
		json_object_set_new(platform, key, json_string(value));
}

static int run_annotate(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(json_unref) json_t *list = NULL;
	const struct opts *o = a->opts;
	struct reference ref, of;
	json_t *entry, *platform;

	if (reference_parse_tagged(a->argv[0], &ref, e) < 0 ||
	    reference_parse_tagged(a->argv[1], &of, e) < 0)
		return 1;
	list = list_need(c, &ref, e);
	if (!list)
		return 1;
	entry = find_entry(list, &of);
	platform = json_object_get(entry, "platform");
	if (!platform)
		return err_set(e, ERR_NOT_FOUND, 0, "manifest for image %s does not exist in %s",
			       a->argv[1], a->argv[0]),
		       1;
	set(platform, "architecture", o->arch);
	set(platform, "os", o->os);
	set(platform, "os.version", o->os_version);
	set(platform, "variant", o->variant);
	if (o->os_features.n > 0) {
		json_t *features = json_array();

		for (size_t i = 0; i < o->os_features.n; i++)
			json_array_append_new(features, json_string(o->os_features.v[i]));
		json_object_set_new(platform, "os.features", features);
	}
	return list_write(c, &ref, list, e) < 0;
}

/* A manifest of another repository of the registry is copied with its blobs. */
static int push_entry(struct cli_context *c, struct remote *to, const struct reference *list,
		      const json_t *entry, struct err *e)
{
	_cleanup_(remote_close) struct remote from = REMOTE_INIT;
	struct remote_copy copy = {.from = &from, .to = to};
	const char *text = json_string_value(json_object_get(entry, "ref"));
	const char *digest = json_string_value(json_object_get(entry, "digest"));
	struct remote_info info;
	struct reference ref;
	int r;

	if (!text || !digest || reference_parse(text, &ref, e) < 0)
		return -1;
	if (!str_eq(ref.domain, list->domain))
		return err_set(e, ERR_INVALID, 0,
			       "cannot use source images from a different registry than the target "
			       "image: %s != %s",
			       ref.domain, list->domain);
	r = remote_head(to, "manifests", digest, &info, e);
	if (r != 0)
		return r < 0 ? -1 : 0;
	copy.mount = ref.path;
	if (registry_open(c, &ref, false, &from, e) < 0 ||
	    remote_copy(&copy, digest, digest, e) < 0)
		return err_wrap(e, "copying %s", text);
	fprintf(c->out, "Pushed ref %s with digest: %s\n", text, digest);
	return 0;
}

static int push_index(struct cli_context *c, struct remote *to, const struct reference *ref,
		      const json_t *list, struct err *e)
{
	_cleanup_(json_unref) json_t *j = manifest_list_index(list);
	_cleanup_(buf_done) struct buf b = BUF_INIT(LIST_MAX);
	struct digest d;

	if (!j || json_write(j, JSON_INDENT(3), &b) < 0)
		return err_errno(e, ENOMEM, "pushing a manifest list");
	digest_of(buf_str(&b), b.len, &d);
	if (remote_put_manifest(to, ref->tag, json_string_value(json_object_get(j, "mediaType")),
				buf_str(&b), b.len, e) < 0)
		return -1;
	fprintf(c->out, "%s\n", d.text);
	return 0;
}

static int run_push(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(remote_close) struct remote to = REMOTE_INIT;
	_cleanup_(json_unref) json_t *list = NULL;
	const struct opts *o = a->opts;
	struct reference ref;
	json_t *entry;
	size_t i;

	if (reference_parse_tagged(a->argv[0], &ref, e) < 0)
		return 1;
	list = list_need(c, &ref, e);
	if (!list || registry_open(c, &ref, true, &to, e) < 0)
		return 1;
	json_array_foreach (json_object_get(list, "manifests"), i, entry)
		if (push_entry(c, &to, &ref, entry, e) < 0)
			return 1;
	if (push_index(c, &to, &ref, list, e) < 0)
		return 1;
	return o->purge && list_remove(c, &ref, e) < 0;
}

static int run_rm(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	for (size_t i = 0; i < a->argc; i++) {
		struct reference ref;

		if (reference_parse_tagged(a->argv[i], &ref, e) < 0 || list_remove(c, &ref, e) < 0)
			return 1;
	}
	return 0;
}

#define VERB(name_, usage_, summary_, min, max, options_, run_)                                    \
	{                                                                                          \
		.name = name_, .usage = usage_, .summary = summary_, .min_args = min,              \
		.max_args = max, .options = options_, .opts_size = sizeof(struct opts),            \
		.run = run_                                                                        \
	}

const struct cli_command cli_manifest_annotate =
	VERB("annotate", "[OPTIONS] MANIFEST_LIST MANIFEST", "Change an entry of a manifest list",
	     2, 2, annotate_options, run_annotate);
const struct cli_command cli_manifest_create =
	VERB("create", "[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]",
	     "Make a manifest list here, to annotate and push", 2, -1, create_options, run_create);
const struct cli_command cli_manifest_push =
	VERB("push", "[OPTIONS] MANIFEST_LIST", "Push a manifest list to its repository", 1, 1,
	     push_options, run_push);
const struct cli_command cli_manifest_rm =
	VERB("rm", "MANIFEST_LIST [MANIFEST_LIST...]", "Remove manifest lists that were made here",
	     1, -1, no_options, run_rm);
