/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's life is guided by: restart policy, log, health check. As text, as JSON in
 * Docker's form, and as its monitor gets it. */
#ifndef KOGGE_ENGINE_SPEC_LIFE_H
#define KOGGE_ENGINE_SPEC_LIFE_H

#include "base/err.h"
#include "base/json.h"
#include "engine/container-spec.h"
#include "monitor/log.h"

/* "no", "always", "unless-stopped", "on-failure", "on-failure:N" (Docker's --restart). */
int spec_restart_parse(const char *s, struct spec_restart *ret, struct err *e);
const char *spec_restart_name(enum spec_restart_policy p);

/* The log that S asks for, with defaults filled in: driver, sizes. -1 with E set for a driver or an
 * option that is not known, as Docker says it. */
int spec_log_config(const struct spec_log *s, struct log_config *ret, struct err *e);

/* -1 with E set where it cannot be used on this machine now. */
int spec_log_usable(const struct log_config *c, struct err *e);

/* Whether a check is to be run at all. */
bool spec_health_on(const struct spec_health *h);

json_t *spec_restart_json(const struct spec_restart *s);
json_t *spec_log_json(const struct spec_log *s);
json_t *spec_health_json(const struct spec_health *s); /* NULL: left out */
int spec_restart_read(const struct json_reader *r, const char *key, struct spec_restart *ret,
		      struct err *e);
int spec_log_read(const struct json_reader *r, const char *key, struct spec_log *ret,
		  struct err *e);
int spec_health_read(const struct json_reader *r, const char *key, struct spec_health *ret,
		     struct err *e);

#endif
