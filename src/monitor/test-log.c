/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of logs. */
#include "monitor/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static struct log_record record(int stream, const char *data, size_t n, bool partial)
{
	return (struct log_record){.time = INT64_C(1770000000123456700),
				   .stream = stream,
				   .partial = partial,
				   .data = data,
				   .n = n};
}

static void json_is(const struct log_record *r, const char *want)
{
	char out[LOG_RECORD_MAX + 1];

	out[log_json_put(r, out)] = '\0';
	assert_string_equal(out, want);
}

static void json_is_written_as_docker_does(void **state)
{
	struct log_record r = record(1, "a\"b\\c\t<&>\r", 10, false);

	json_is(&r, "{\"log\":\"a\\\"b\\\\c\\u0009\\u003c\\u0026\\u003e\\r\\n\","
		    "\"stream\":\"stdout\",\"time\":\"2026-02-02T02:40:00.1234567Z\"}\n");
	r = record(2, "\xC3\xA9\xFF\xE2\x80\xA8\xED\xA0\x80\xC3", 10, true);
	json_is(&r,
		"{\"log\":"
		"\"\xC3\xA9\xEF\xBF\xBD\\u2028\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\","
		"\"stream\":\"stderr\",\"time\":\"2026-02-02T02:40:00.1234567Z\"}\n");
}

static void back_and_forth(bool json, const struct log_record *r)
{
	char out[LOG_RECORD_MAX + 8], text[LOG_RECORD_MAX];
	struct log_record got;
	size_t n = json ? log_json_put(r, out) : log_local_put(r, out);

	for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 1000)
		assert_true((json ? log_json_get(out, cut, &got, text, sizeof(text))
				  : log_local_get(out, cut, &got)) == 0);
	assert_int_equal(json ? log_json_get(out, n, &got, text, sizeof(text))
			      : log_local_get(out, n, &got),
			 (ssize_t)n);
	assert_int_equal(got.time, r->time);
	assert_int_equal(got.stream, r->stream);
	assert_int_equal(got.partial, r->partial);
	assert_int_equal(got.n, r->n);
	assert_memory_equal(got.data, r->data, r->n);
}

static void what_was_written_is_read(void **state)
{
	static char zeros[LOG_PART_MAX];
	const char *texts[] = {"", "x", "a\tb\"\\\r<>&", "\xF0\x9F\x9A\xA2 \xE2\x80\xA9"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (int stream = 1; stream <= 2; stream++) {
			struct log_record r =
				record(stream, texts[i], strlen(texts[i]), stream == 2);

			back_and_forth(true, &r);
			back_and_forth(false, &r);
		}
	}
	struct log_record longest = record(1, zeros, sizeof(zeros), false);

	back_and_forth(true, &longest);
	back_and_forth(false, &longest);
}

static void json_of_others_is_read(void **state)
{
	static const char line[] =
		" {\"attrs\":{\"a\":\"}\\\"\",\"b\":[1,2]}, "
		"\"time\":\"2026-02-02T02:40:00+01:00\", "
		"\"log\":\"\\ud83d\\ude80\\/\\u00e9\\n\" , \"stream\":\"stderr\"}\n";
	struct log_record r;
	char text[64];

	assert_int_equal(log_json_get(line, strlen(line), &r, text, sizeof(text)),
			 (ssize_t)strlen(line));
	assert_int_equal(r.stream, 2);
	assert_int_equal(r.time, INT64_C(1769996400000000000));
	assert_false(r.partial);
	assert_int_equal(r.n, 7);
	assert_memory_equal(r.data, "\xF0\x9F\x9A\x80/\xC3\xA9", 7);
}

/* A blank in front leads to the reader of any JSON. */
static void plain_records_are_read_as_all_others(void **state)
{
	static const char *const texts[] = {
		"",
		"x",
		"x\\n",
		"\\n",
		"x\\\\n",
		"x\\\\\\n",
		"\\\"",
		"\\\",\\n",
		"n",
		"\\u0041",
		"a\\tb",
		"\\\"\\n",
		"x\",\"stream\":\"stderr\",\"a\":\"",
		"x\\q\\n",
	};
	char line[256], text[64], other_text[64];
	struct log_record r, other;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int n = snprintf(line, sizeof(line),
				 " {\"log\":\"%s\",\"stream\":\"stdout\","
				 "\"time\":\"2026-02-28T02:40:00.25Z\"}\n",
				 texts[i]);
		ssize_t want = log_json_get(line, (size_t)n, &other, other_text, sizeof(text));
		ssize_t got = log_json_get(line + 1, (size_t)n - 1, &r, text, sizeof(text));

		assert_int_equal(got, want < 0 ? want : want - 1);
		if (got < 0)
			continue;
		assert_int_equal(r.stream, other.stream);
		assert_int_equal(r.time, other.time);
		assert_int_equal(r.partial, other.partial);
		assert_int_equal(r.n, other.n);
		assert_memory_equal(r.data, other.data, r.n);
	}
}

static void damaged_records_are_told(void **state)
{
	static const char *const bad[] = {"{\n",
					  "x\n",
					  "{\"log\":\"a\"}\n",
					  "{\"log\":\"a\\q\",\"time\":\"2026-02-02T02:40:00Z\"}\n",
					  "{\"log\":\"a\",\"time\":\"2026-99-02T02:40:00Z\"}\n",
					  "{\"log\":\"\\u12\n",
					  "\n"};
	struct log_record r;
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(log_json_get(bad[i], strlen(bad[i]), &r, text, sizeof(text)) < 0);
	assert_true(log_local_get("\xFF\xFF\xFF\xFF", 4, &r) < 0);
	assert_true(log_local_get("\0\0\0\1\x0A\0\0\0\2", 9, &r) < 0);
}

static void every_day_has_its_time(void **state)
{
	struct log_record r;
	char line[128], text[16];

	/* A year's days, over a leap day, against the calendar's own order. */
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t want = INT64_C(1704067200000000000); /* 2024-01-01 */

	for (int m = 1; m <= 12; m++) {
		for (int d = 1; d <= days[m - 1]; d++) {
			int n = snprintf(line, sizeof(line),
					 "{\"log\":\"\",\"time\":\"2024-%02d-%02dT00:00:00Z\"}\n",
					 m, d);

			assert_int_equal(log_json_get(line, (size_t)n, &r, text, sizeof(text)), n);
			assert_int_equal(r.time, want);
			want += INT64_C(86400000000000);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_written_as_docker_does),
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(json_of_others_is_read),
		cmocka_unit_test(plain_records_are_read_as_all_others),
		cmocka_unit_test(damaged_records_are_told),
		cmocka_unit_test(every_day_has_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
