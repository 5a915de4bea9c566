/* SPDX-License-Identifier: Apache-2.0 */
/* When manifests were pulled, for rules by which goes what nobody pulls. Written only where there
 * is such a rule, and for one manifest at most once in a while. */
#ifndef KOGGE_REGISTRY_PULLS_H
#define KOGGE_REGISTRY_PULLS_H

#include "registry/registry.h"

/* Begins (ON) to note pulls, or ends it: what is not noted any more counts no longer. */
int pulls_begin(struct storage *s, bool on, struct err *e);

/* Notes that R pulls its manifest D, where the registry notes pulls (registry.pull_step). What
 * fails here fails no pull. */
void pulls_note(struct request *r, const struct content_digest *d);

/* When D of REPOSITORY was pulled last, or might have been without it being noted: nanoseconds
 * since 1970. INT64_MAX where pulls are not noted. */
int64_t pulls_last(struct storage *s, const char *repository, const struct content_digest *d);

/* Forgets D. */
void pulls_forget(struct storage *s, const char *repository, const struct content_digest *d);

#endif
