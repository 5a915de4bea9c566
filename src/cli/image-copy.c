/* SPDX-License-Identifier: Apache-2.0 */
/* `image copy A B`: from registry to registry, nothing in the local store. */
#include "base/str.h"
#include "cli/pull.h"
#include "cli/verbs.h"
#include "remote/copy.h"

struct opts {
	bool quiet;
};

static const struct cli_option options[] = {
	{"quiet", 'q', CLI_BOOL, offsetof(struct opts, quiet), "Print the digest alone"}, {NULL}};

static void step(void *arg, const struct digest *layer, enum remote_step step, int64_t n,
		 int64_t size)
{
	static const char *const words[] = {[REMOTE_PRESENT] = "Already exists",
					    [REMOTE_PUSHED] = "Copied",
					    [REMOTE_ELSEWHERE] = "Mounted"};
	FILE *out = arg;

	(void)n;
	(void)size;
	if (step < ARRAY_SIZE(words) && words[step]) {
		fprintf(out, "%.12s: %s\n", digest_hex(layer), words[step]);
		fflush(out);
	}
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(remote_close) struct remote from = REMOTE_INIT;
	_cleanup_(remote_close) struct remote to = REMOTE_INIT;
	const struct opts *o = a->opts;
	const struct remote_progress progress = {.step = step, .arg = c->out};
	struct remote_copy copy = {
		.from = &from, .to = &to, .progress = o->quiet ? NULL : &progress};
	struct reference src, dst;
	char text[REFERENCE_TEXT_SIZE];

	if (reference_parse_tagged(a->argv[0], &src, e) < 0 ||
	    reference_parse_tagged(a->argv[1], &dst, e) < 0)
		return 1;
	if (digest_is_set(&dst.digest))
		return err_set(e, ERR_INVALID, 0, "cannot copy to a digest reference"), 1;
	if (registry_open(c, &src, false, &from, e) < 0 || registry_open(c, &dst, true, &to, e) < 0)
		return 1;
	if (str_eq(src.domain, dst.domain) && !str_eq(src.path, dst.path))
		copy.mount = src.path;
	if (remote_copy(&copy, digest_is_set(&src.digest) ? src.digest.text : src.tag, dst.tag, e) <
	    0)
		return err_wrap(e, "copying %s", reference_familiar(&src, text)), 1;
	if (o->quiet)
		fprintf(c->out, "%s\n", copy.digest.text);
	else
		fprintf(c->out, "%s: digest: %s size: %lld\n", dst.tag, copy.digest.text,
			(long long)copy.size);
	return 0;
}

const struct cli_command cli_image_copy = {
	.name = "copy",
	.usage = "[OPTIONS] SOURCE_IMAGE[:TAG|@DIGEST] TARGET_IMAGE[:TAG]",
	.summary = "Copy an image with all its platforms from registry to registry",
	.min_args = 2,
	.max_args = 2,
	.options = options,
	.opts_size = sizeof(struct opts),
	.run = run};
