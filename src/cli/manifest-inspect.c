/* SPDX-License-Identifier: Apache-2.0 */
/* `manifest inspect`: a manifest as it came, or with --verbose what docker/cli calls ImageManifest:
 * its reference, its descriptor, and it, as bytes and as JSON. */
#include "base/base64.h"
#include "base/buf.h"
#include "base/str.h"
#include "cli/manifest.h"
#include "cli/pull.h"
#include "cli/verbs.h"
#include "oci/manifest.h"
#include "oci/media-type.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 64 << 20 };

struct opts {
	bool ignored, verbose;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"insecure", 0, CLI_BOOL, O(ignored),
	 "Has no effect: the configuration says which registries are insecure"},
	{"verbose", 'v', CLI_BOOL, O(verbose), "Also show what is known of each image"},
	{NULL},
};

/* A document as it came, a member a line, as Go's json.Indent with tabs. */
static void print_indented(FILE *out, const char *s, size_t n)
{
	static const char tabs[] = "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t";
	bool text = false;
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		bool empty = i + 1 < n && (s[i + 1] == '}' || s[i + 1] == ']');

		if (!text && strchr(" \t\r\n", s[i]))
			continue;
		if (s[i] == '"')
			text = !text;
		if (text && s[i] == '\\' && i + 1 < n)
			fputc(s[i++], out);
		if (!text && (s[i] == '}' || s[i] == ']') && i > 0 && s[i - 1] != '{' &&
		    s[i - 1] != '[')
			fprintf(out, "\n%.*s", --depth, tabs);
		fputc(s[i], out);
		if (!text && (s[i] == '{' || s[i] == '[') && !empty)
			fprintf(out, "\n%.*s", ++depth, tabs);
		else if (!text && s[i] == ',')
			fprintf(out, "\n%.*s", depth, tabs);
		else if (!text && s[i] == ':')
			fputc(' ', out);
	}
	fputc('\n', out);
}

static int put_json(struct buf *out, const json_t *j)
{
	return j ? json_write(j, JSON_COMPACT, out) : -ENOMEM;
}

static int put_raw(struct buf *out, const struct remote_document *doc)
{
	_cleanup_(freep) char *text = malloc(BASE64_SIZE(doc->n));

	if (!text)
		return -ENOMEM;
	base64_encode(doc->data, doc->n, text);
	return buf_printf(out, "\"Raw\":\"%s\"", text);
}

/* One image; DESCRIPTOR is borrowed. */
static int put_image(struct buf *out, const struct reference *ref, const json_t *descriptor,
		     const struct remote_document *doc, struct err *e)
{
	const char *type = json_string_value(json_object_get(descriptor, "mediaType"));
	bool oci = type && str_after(type, "application/vnd.oci.");
	char text[REFERENCE_TEXT_SIZE];
	int r;

	/* Parsed for its depth and its form alone. */
	json_t *checked = json_parse(doc->data, doc->n, "the manifest", e);

	if (!checked)
		return -1;
	json_decref(checked);
	r = buf_printf(out, "{\"Ref\":\"%s\",\"Descriptor\":", reference_text(ref, text));
	r = r < 0 ? r : put_json(out, descriptor);
	r = r < 0 ? r : buf_putc(out, ',');
	r = r < 0 ? r : put_raw(out, doc);
	r = r < 0 ? r : buf_printf(out, ",\"%s\":", oci ? "OCIManifest" : "SchemaV2Manifest");
	r = r < 0 ? r : buf_put(out, doc->data, doc->n);
	r = r < 0 ? r : buf_putc(out, '}');
	return r < 0 ? err_errno(e, r, "printing a manifest") : 0;
}

/* The image that an entry of the index of REF names. */
static int put_entry(struct cli_context *c, struct buf *out, const struct reference *ref,
		     const json_t *descriptor, struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	_cleanup_(remote_document_done) struct remote_document doc = REMOTE_DOCUMENT_INIT;
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	struct reference one = *ref;

	if (!digest)
		return err_set(e, ERR_INVALID, 0,
			       "the manifest list has an entry without a digest");
	if (digest_parse(digest, &one.digest, e) < 0 || manifest_fetch(c, &one, &r, &doc, e) < 0)
		return -1;
	return put_image(out, &one, descriptor, &doc, e);
}

static int put_index(struct cli_context *c, struct buf *out, const struct reference *ref,
		     const json_t *index, struct err *e)
{
	const json_t *entry;
	size_t i;

	if (buf_putc(out, '[') < 0)
		return err_errno(e, ENOMEM, "printing a manifest list");
	json_array_foreach (json_object_get(index, "manifests"), i, entry)
		if ((i && buf_putc(out, ',') < 0) || put_entry(c, out, ref, entry, e) < 0)
			return e->class == ERR_NONE
				       ? err_errno(e, ENOMEM, "printing a manifest list")
				       : -1;
	return buf_putc(out, ']') < 0 ? err_errno(e, ENOMEM, "printing a manifest list") : 0;
}

/* A list that was made here. */
static int put_list(struct cli_context *c, struct buf *out, const struct reference *ref,
		    const json_t *list, bool verbose, struct err *e)
{
	_cleanup_(json_unref) json_t *index = manifest_list_index(list);

	if (index && verbose)
		return put_index(c, out, ref, index, e);
	return put_json(out, index) < 0 ? err_errno(e, ENOMEM, "printing a manifest list") : 0;
}

/* What a registry has. */
static int put_remote(struct cli_context *c, struct buf *out, const struct reference *ref,
		      bool verbose, struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	_cleanup_(remote_document_done) struct remote_document doc = REMOTE_DOCUMENT_INIT;
	_cleanup_(json_unref) json_t *j = NULL;

	if (manifest_fetch(c, ref, &r, &doc, e) < 0)
		return -1;
	j = json_parse(doc.data, doc.n, "the manifest", e);
	if (!j)
		return -1;
	if (!verbose)
		return buf_put(out, doc.data, doc.n) < 0
			       ? err_errno(e, ENOMEM, "printing a manifest")
			       : 0;
	if (media_type_find(doc.info.type)->kind == MEDIA_INDEX)
		return put_index(c, out, ref, j, e);
	json_decref(j);
	j = manifest_describe(&r, &doc, e);
	return j ? put_image(out, ref, j, &doc, e) : -1;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(TEXT_MAX);
	_cleanup_(json_unref) json_t *list = NULL;
	const struct opts *o = a->opts;
	struct reference ref;

	if (reference_parse_tagged(a->argv[a->argc - 1], &ref, e) < 0)
		return 1;
	list = manifest_list_read(c, &ref, e);
	if (e->class != ERR_NONE)
		return 1;
	if ((list ? put_list(c, &out, &ref, list, o->verbose, e)
		  : put_remote(c, &out, &ref, o->verbose, e)) < 0)
		return 1;
	print_indented(c->out, buf_str(&out), out.len);
	return 0;
}

const struct cli_command cli_manifest_inspect = {.name = "inspect",
						 .usage = "[OPTIONS] [MANIFEST_LIST] MANIFEST",
						 .summary = "Show a manifest or manifest list",
						 .min_args = 1,
						 .max_args = 2,
						 .options = options,
						 .opts_size = sizeof(struct opts),
						 .run = run};
