/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `manifest` share: lists that were made here, and manifests of registries. */
#ifndef KOGGE_CLI_MANIFEST_H
#define KOGGE_CLI_MANIFEST_H

#include "base/json.h"
#include "cli/cli.h"
#include "oci/reference.h"
#include "remote/remote.h"

/* The list REF that was made here (docs/formats/manifest-list.md), owned by the caller; NULL,
 * without E where there is none. */
json_t *manifest_list_read(struct cli_context *c, const struct reference *ref, struct err *e);

/* The index that LIST stands for, owned by the caller: Docker's kind where all of its manifests
 * are. NULL when out of memory. */
json_t *manifest_list_index(const json_t *list);

/* How a registry knows REF: its digest, or its tag. Borrowed from REF. */
const char *manifest_name(const struct reference *ref);

/* Opens the registry of REF as R and fetches its manifest; a digest in REF is checked. R and RET
 * are to be closed in any case. */
int manifest_fetch(struct cli_context *c, const struct reference *ref, struct remote *r,
		   struct remote_document *ret, struct err *e);

/* The descriptor of the image manifest DOC, with the platform that its configuration says, owned by
 * the caller; NULL with E set. */
json_t *manifest_describe(struct remote *r, const struct remote_document *doc, struct err *e);

#endif
