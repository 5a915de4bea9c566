/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations, and changes to them: the first byte chooses. Writing is a fixed point. */
#include "base/buf.h"
#include "oci/image-change.h"

#include <stdlib.h>
#include <string.h>

static void again(const struct image_config *c)
{
	struct buf one = BUF_INIT(64 << 20), two = BUF_INIT(64 << 20);
	struct image_config copy = IMAGE_CONFIG_INIT;

	if (image_config_write(c, &one, NULL) == 0 && one.len <= IMAGE_CONFIG_SIZE_MAX) {
		if (image_config_parse(one.data, one.len, &copy, NULL) < 0 ||
		    image_config_write(&copy, &two, NULL) < 0 || one.len != two.len ||
		    memcmp(one.data, two.data, one.len) != 0)
			abort();
	}
	json_decref(image_run_json(&c->run));
	image_config_done(&copy);
	buf_done(&one);
	buf_done(&two);
}

static void change(const unsigned char *data, size_t n)
{
	struct image_config c = IMAGE_CONFIG_INIT;
	char *line = strndup((const char *)data, n);
	const char *changes[] = {line, NULL};

	if (line)
		image_change_apply(&c, changes, NULL);
	free(line);
	image_config_done(&c);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct image_config c = IMAGE_CONFIG_INIT;

	if (n && data[0] != '{' && data[0] != ' ') {
		change(data, n);
		return 0;
	}
	if (image_config_parse((const char *)data, n, &c, NULL) == 0)
		again(&c);
	image_config_done(&c);
	return 0;
}
