/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image-view.h"
#include "cli/verbs.h"

#include "store/image-store.h"

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct store *s = cli_store(c, e);
	struct err ignored = ERR_INIT;

	if (!s || image_tag(s, a->argv[0], a->argv[1], e) < 0)
		return 1;
	if (image_resolve(s, a->argv[1], 0, &img, &ignored) == 0)
		image_event(c, "tag", img.id, a->argv[1]);
	return 0;
}

#define IMAGE_TAG                                                                                  \
	.name = "tag", .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",                           \
	.summary = "Give an image another name", .aliases = "image tag,tag", .min_args = 2,        \
	.max_args = 2, .run = run

const struct cli_command cli_image_tag = {IMAGE_TAG};
const struct cli_command cli_tag = {IMAGE_TAG};
