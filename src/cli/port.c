/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/engine.h"

#include <string.h>

/* "80" is "80/tcp". */
static const char *whole_port(struct cli_context *c, const char *port, struct err *e)
{
	const char *slash = strchr(port, '/');
	const char *proto = slash ? slash + 1 : "tcp";
	char *number =
		arena_strndup(&c->arena, port, slash ? (size_t)(slash - port) : strlen(port));
	uint64_t n;

	if (!number || num_u64(number, 1, 65535, &n) < 0) {
		(void)err_set(e, ERR_INVALID, 0, "invalid port specification: '%s'", port);
		return NULL;
	}
	return arena_printf(&c->arena, "%s/%s", number, proto);
}

static int print(struct cli_context *c, const char *title, const json_t *bindings)
{
	json_t *b;
	size_t i;

	json_array_foreach (bindings, i, b) {
		const char *ip = json_string_value(json_object_get(b, "HostIp"));
		const char *port = json_string_value(json_object_get(b, "HostPort"));

		fprintf(c->out, "%s%s%s%s:%s\n", title, ip && strchr(ip, ':') ? "[" : "",
			ip ? ip : "", ip && strchr(ip, ':') ? "]" : "", port ? port : "");
	}
	return 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct engine *en = cli_engine(c, e);
	_cleanup_(json_unref) json_t *j = en ? container_inspect(en, a->argv[0], false, e) : NULL;
	const json_t *ports = json_object_get(json_object_get(j, "NetworkSettings"), "Ports");
	const char *key, *wanted;
	json_t *bindings;

	if (!j)
		return 1;
	if (a->argc > 1) {
		wanted = whole_port(c, a->argv[1], e);
		bindings = wanted ? json_object_get(ports, wanted) : NULL;
		if (wanted && json_array_size(bindings) == 0)
			(void)err_set(e, ERR_NOT_FOUND, 0, "no public port '%s' published for %s",
				      wanted, a->argv[0]);
		return e->class ? 1 : print(c, "", bindings);
	}
	json_object_foreach ((json_t *)(uintptr_t)ports, key, bindings)
		print(c, arena_printf(&c->arena, "%s -> ", key), bindings);
	return 0;
}

#define PORT                                                                                       \
	.name = "port", .usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",                               \
	.summary = "List the published ports of a container", .aliases = "container port,port",    \
	.min_args = 1, .max_args = 2, .run = run

const struct cli_command cli_port = {PORT};
const struct cli_command cli_container_port = {PORT};
