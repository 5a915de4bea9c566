/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile is parsed and checked; the same bytes are a .dockerignore, matched against what they
 * themselves say. */
#include "base/str.h"
#include "dockerfile/ignore.h"
#include "dockerfile/lint.h"

static const char *const *base_env(void *arg, const char *image)
{
	static const char *const env[] = {"PATH=/bin", "A=b c", NULL};

	return strlen(image) % 2 ? env : NULL;
}

static bool is_image(void *arg, const char *name)
{
	return *name;
}

static void check(const struct dockerfile *d)
{
	static const char *const args[] = {"V=1", NULL};
	struct df_lint_opts o = {.platform = "linux/amd64",
				 .target_platform = "linux/arm64/v8",
				 .build_args = args,
				 .base_env = base_env,
				 .is_image = is_image};
	_cleanup_(df_lint_done) struct df_lint l = DF_LINT_INIT;
	struct err e = ERR_INIT;

	if (df_lint_run(d, &o, &l, &e) < 0 && e.class == ERR_NONE)
		abort();
	for (size_t i = 0; i < l.n; i++)
		if (!df_rule_info(l.warnings[i].rule) || !l.warnings[i].message)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(dockerfile_done) struct dockerfile d = DOCKERFILE_INIT;
	_cleanup_(ignore_done) struct ignore ig = IGNORE_INIT;
	const char *text = (const char *)data;
	struct err e = ERR_INIT;

	if (dockerfile_parse(text, size, &d, &e) == 0)
		check(&d);
	else if (e.class == ERR_NONE)
		abort();
	if (ignore_parse(text, size, &ig, NULL) == 0)
		for (size_t i = 0; i < ig.n && i < 16; i++)
			(void)ignore_matches(&ig, ig.patterns[i].text);
	return 0;
}
