/* SPDX-License-Identifier: Apache-2.0 */
/* Images as the JSON that lists and inspect print. */
#ifndef KOGGE_CLI_IMAGE_VIEW_H
#define KOGGE_CLI_IMAGE_VIEW_H

#include "cli/cli.h"
#include "store/image-store.h"

#include <jansson.h>

/* "sha256:" cut off, 12 digits; the whole ID where NO_TRUNC. Returns OUT. */
const char *image_show_id(const char *id, bool no_trunc, char out[IMAGE_ID_SIZE]);

/* "3 weeks ago"; "N/A" for 0. Returns OUT. */
const char *time_show_since(int64_t ns, char out[64]);

/* "2026-11-22 19:58:05 +0000 UTC". Returns OUT. */
const char *time_show_at(int64_t ns, char out[64]);

/* How `images` shows its rows. */
struct image_style {
	bool no_trunc, digests;
	const char *const *reference; /* patterns: only names that match one; NULL: all */
};

/* Appends the rows of `images` for IMG: one for each name, with the columns of Docker's formatter.
 * 0, or -1 with E set. */
int image_rows(json_t *rows, const struct image *img, const struct image_style *style,
	       struct err *e);

/* Docker's JSON for `image inspect`. NULL with E set. */
json_t *image_view(struct store *s, const struct image *img, struct err *e);

/* Where PLATFORM (NULL: any) is not that of IMG: -1 with Docker's words. The store has one variant
 * of an image. */
int image_need_platform(const struct image *img, const char *ref, const char *platform,
			struct err *e);

/* The same for the image that REF finds in S. */
int image_find_platform(struct store *s, const char *ref, const char *platform, struct err *e);

/* Tells the event ACTION ("tag", "load", ...) of the image ID; NAME NULL: its ID. For what was done
 * with the context's engine. */
void image_event(struct cli_context *c, const char *action, const char *id, const char *name);

/* "prune" of images or containers (TYPE) that freed BYTES. */
void prune_event(struct cli_context *c, const char *type, uint64_t bytes);

/* Fills F from --filter values of images and prune. */
int image_filter_read(struct cli_context *c, const struct cli_list *filters, struct image_filter *f,
		      struct err *e);

#endif
