/* SPDX-License-Identifier: Apache-2.0 */
/* The template interpreter: the input is a template; the data stand still. Executed as maps, as
 * structs and for a header line. */
#include "base/buf.h"
#include "template/template.h"

static const char document[] =
	"{\"Id\":\"sha256:ef96\",\"Tags\":[\"bb:1\",\"bb:2\"],\"Size\":1982328,\"R\":0.1,"
	"\"T\":true,\"N\":null,\"E\":[],\"C\":{\"Env\":[\"A=1\"],\"L\":{\"x\":\"y\"}},"
	"\"M\":[{\"Type\":\"bind\"},{\"Type\":\"tmpfs\"}]}";

static json_t *label(const json_t *self, const char *const *args, struct err *e)
{
	return json_string(args[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const maps[] = {"L", NULL};
	static const struct template_method methods[] = {{"Label", 1, label}, {NULL}};
	struct err e = ERR_INIT;
	_cleanup_(template_freep) struct template *t = template_parse((const char *)data, size, &e);

	if (!t)
		return 0;
	for (int world = 0; world < 3; world++) {
		_cleanup_(buf_done) struct buf out = BUF_INIT(1 << 20);
		struct template_data d = {.value = json_loads(document, 0, NULL),
					  .struct_type = world == 1 ? "fuzz" : NULL,
					  .maps = maps,
					  .methods = methods,
					  .steps_max = 20000,
					  .missing_is_error = world == 0,
					  .headers = world == 2};

		(void)template_execute(t, &d, &out, &e);
		json_decref(d.value);
	}
	return 0;
}
