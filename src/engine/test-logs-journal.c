/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "engine/logs-journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int read_line(const char *line, struct buf *text, struct log_record *r)
{
	struct err e = ERR_INIT;
	_cleanup_(json_unref) json_t *doc = json_parse(line, strlen(line), "test", &e);

	assert_non_null(doc);
	return logs_journal_record(doc, text, r);
}

static void a_record_has_stream_time_and_text(void **state)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(4096);
	struct log_record r;

	assert_int_equal(read_line("{\"MESSAGE\":\"hello\",\"PRIORITY\":\"6\","
				   "\"SYSLOG_TIMESTAMP\":\"1700000000.000000042\"}",
				   &text, &r),
			 0);
	assert_int_equal(r.stream, 1);
	assert_false(r.partial);
	assert_true(r.time == INT64_C(1700000000000000042));
	assert_string_equal(r.data, "hello");
	assert_int_equal(read_line("{\"MESSAGE\":\"no\",\"PRIORITY\":\"3\","
				   "\"CONTAINER_PARTIAL_MESSAGE\":\"true\","
				   "\"__REALTIME_TIMESTAMP\":\"1700000000000001\"}",
				   &text, &r),
			 0);
	assert_int_equal(r.stream, 2);
	assert_true(r.partial);
	assert_true(r.time == INT64_C(1700000000000001000));
}

static void bytes_that_are_no_utf8_come_as_numbers(void **state)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(4096);
	struct log_record r;

	assert_int_equal(read_line("{\"MESSAGE\":[255,0,65]}", &text, &r), 0);
	assert_int_equal(r.n, 3);
	assert_memory_equal(r.data, "\xff\0A", 3);
}

static void what_has_no_message_is_no_record(void **state)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(8);
	struct log_record r;

	assert_true(read_line("{}", &text, &r) < 0);
	assert_true(read_line("{\"MESSAGE\":null}", &text, &r) < 0);
	assert_true(read_line("{\"MESSAGE\":\"longer than there is room\"}", &text, &r) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_has_stream_time_and_text),
		cmocka_unit_test(bytes_that_are_no_utf8_come_as_numbers),
		cmocka_unit_test(what_has_no_message_is_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
