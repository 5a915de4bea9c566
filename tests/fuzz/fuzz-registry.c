/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry reads of a request: the first byte chooses the parser, the rest is its input. */
#include "base/str.h"
#include "registry/config.h"
#include "registry/document.h"
#include "registry/jwt.h"
#include "registry/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_words(const char *text, size_t n)
{
	struct content_digest d;
	struct route r;
	uint64_t a, b;
	char out[64];

	route_parse(text, n, &r);
	if (r.repository[0] && !name_is_repository(r.repository))
		abort();
	if (strstr(r.repository, "..") || (r.reference[0] && strchr(r.reference, '/')))
		abort();
	if (range_parse(text, n, &a, &b) == RANGE_PART && (b == 0 || a + b > n))
		abort();
	if (range_parse_content(text, &a, &b) && b < a)
		abort();
	if (content_digest_parse(text, &d, NULL) == 0 && strpbrk(d.text, "/."))
		abort();
	query_get(text, "digest", 0, out, sizeof(out));
	pattern_matches("a/**b*c/**", text);
	name_is_tag(text);
	name_is_upload(text);
}

static void fuzz_document(const char *text, size_t n)
{
	struct document d = DOCUMENT_INIT;
	struct content_digest digest;

	if (document_parse(text, n, NULL, &d, NULL) == 0) {
		content_digest_of(CONTENT_SHA256, text, n, &digest);
		json_decref(document_descriptor(&d, &digest, n));
	}
	document_done(&d);
}

static void fuzz_token(const char *text, size_t n)
{
	const struct jwt_keys none = {.n = 0};
	const struct jwt_expect want = {.issuer = "i", .audience = "a"};

	if (jwt_verify(&none, text, n, &want, NULL))
		abort();
}

static void fuzz_config(const char *text, size_t n)
{
	struct config c = CONFIG_INIT;

	config_parse(text, n, "the configuration", &c, NULL);
	config_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0 || size > 1 << 16)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	if (!text)
		return 0;
	switch (data[0] % 4) {
	case 0:
		fuzz_words(text, strlen(text));
		break;
	case 1:
		fuzz_document((const char *)data + 1, size - 1);
		break;
	case 2:
		fuzz_token((const char *)data + 1, size - 1);
		break;
	default:
		fuzz_config((const char *)data + 1, size - 1);
	}
	free(text);
	return 0;
}
