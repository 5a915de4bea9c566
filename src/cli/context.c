/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "engine/engine.h"

struct engine *cli_engine(struct cli_context *c, struct err *e)
{
	struct engine_opts opts = {
		.root = c->root_dir, .run_root = c->run_root, .driver = c->driver};

	if (!c->engine && engine_open(&opts, &c->engine, e) < 0)
		c->engine = NULL;
	return c->engine;
}

struct store *cli_store(struct cli_context *c, struct err *e)
{
	struct engine *en = cli_engine(c, e);

	return en ? engine_store(en) : NULL;
}

void cli_engine_close(struct cli_context *c)
{
	if (c->engine)
		engine_free(c->engine);
	c->engine = NULL;
}

void cli_context_done(struct cli_context *c)
{
	cli_engine_close(c);
	arena_done(&c->arena);
}
