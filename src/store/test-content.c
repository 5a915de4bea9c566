/* SPDX-License-Identifier: Apache-2.0 */
#include "store/test-store.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "oci/digest.h"
#include "store/check.h"
#include "store/content.h"
#include "store/gc.h"

#include <dirent.h>
#include <sys/wait.h>

static int put(struct test_store *t, const char *text, struct digest *ret)
{
	struct ingest *in = NULL;

	if (ingest_begin(store_content(t->s), &in, &t->e) < 0)
		return -1;
	if (ingest_write(in, text, strlen(text), &t->e) < 0) {
		ingest_abort(in);
		return -1;
	}
	return ingest_commit(in, NULL, strlen(text), ret, &t->e);
}

static size_t count_files(int parent)
{
	int fd = path_open_own(parent, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fdopendir(fd);
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static void publish(struct test_store *t, const struct digest *d, uint64_t size)
{
	test_ok(t, store_sync(t->s, &t->e));
	test_ok(t, store_begin(t->s, true, &t->e));
	test_ok(t, content_publish(store_content(t->s), d->text, size, &t->e));
	test_ok(t, store_lease_release(t->s, store_lease(t->s, &t->e), &t->e));
	test_ok(t, store_commit(t->s, &t->e));
}

static void a_committed_blob_reads_back(void **state)
{
	struct test_store t;
	struct digest d, want;
	char *text = NULL;
	uint64_t size = 0;
	size_t n = 0;

	test_new(&t, "vfs");
	test_ok(&t, put(&t, "hello", &d));
	digest_of("hello", 5, &want);
	assert_string_equal(d.text, want.text);
	test_ok(&t, content_stat(store_content(t.s), &d, &size, &t.e));
	assert_int_equal(size, 5);
	publish(&t, &d, 5);
	test_close(&t);
	test_open(&t, NULL);
	test_ok(&t, content_read(store_content(t.s), &d, 100, &text, &n, &t.e));
	assert_string_equal(text, "hello");
	free(text);
	assert_int_equal(content_read(store_content(t.s), &d, 4, &text, &n, &t.e), -1);
	assert_int_equal(t.e.class, ERR_LIMIT);
	test_done(&t);
}

static void commit_refuses_a_wrong_digest_or_size(void **state)
{
	struct ingest *in = NULL;
	struct test_store t;
	struct digest other;

	test_new(&t, "vfs");
	digest_of("other", 5, &other);
	test_ok(&t, ingest_begin(store_content(t.s), &in, &t.e));
	test_ok(&t, ingest_write(in, "hello", 5, &t.e));
	assert_int_equal(ingest_commit(in, &other, 5, NULL, &t.e), -1);
	assert_int_equal(t.e.class, ERR_CORRUPT);
	test_ok(&t, ingest_begin(store_content(t.s), &in, &t.e));
	test_ok(&t, ingest_write(in, "hello", 5, &t.e));
	assert_int_equal(ingest_commit(in, NULL, 6, NULL, &t.e), -1);
	assert_int_equal(t.e.class, ERR_CORRUPT);
	assert_int_equal(count_files(t.s->content.ingest), 0);
	assert_int_equal(count_files(t.s->content.blobs), 0);
	test_done(&t);
}

static void an_absent_blob_is_not_found(void **state)
{
	struct test_store t;
	struct digest d;

	test_new(&t, "vfs");
	digest_of("nothing", 7, &d);
	assert_int_equal(content_open(store_content(t.s), &d, &t.e), -1);
	assert_int_equal(t.e.class, ERR_NOT_FOUND);
	assert_int_equal(content_remove(store_content(t.s), &d, &t.e), 0);
	test_done(&t);
}

static void what_was_not_published_goes_with_its_process(void **state)
{
	struct test_store t;
	struct digest d;
	int status;
	pid_t pid;

	test_new(&t, "vfs");
	test_close(&t);
	pid = fork();
	if (pid == 0) { /* dies with one blob committed and one on its way */
		struct ingest *in = NULL;

		test_open(&t, NULL);
		if (put(&t, "committed", &d) < 0 ||
		    ingest_begin(store_content(t.s), &in, &t.e) < 0 ||
		    ingest_write(in, "half", 4, &t.e) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	test_open(&t, NULL);
	assert_int_equal(count_files(t.s->content.ingest), 0);
	assert_int_equal(count_files(t.s->content.blobs), 0);
	digest_of("committed", 9, &d);
	assert_int_equal(content_stat(store_content(t.s), &d, NULL, &t.e), -1);
	test_done(&t);
}

static void the_collector_leaves_a_live_lease_alone(void **state)
{
	struct test_store t, other;
	struct digest d;

	test_new(&t, "vfs");
	test_ok(&t, put(&t, "mine", &d));
	other = t;
	test_open(&other, NULL);
	test_ok(&other, gc_run(other.s, NULL, NULL, NULL, &other.e));
	test_ok(&other, gc_orphans(other.s, NULL, &other.e));
	test_close(&other);
	test_ok(&t, content_verify(store_content(t.s), &d, &t.e));
	test_done(&t);
}

static void the_collector_takes_what_nothing_uses(void **state)
{
	struct gc_result gc;
	struct test_store t;
	struct digest d;

	test_new(&t, "vfs");
	test_ok(&t, put(&t, "unused", &d));
	publish(&t, &d, 6);
	test_ok(&t, gc_run(t.s, NULL, NULL, &gc, &t.e));
	assert_int_equal(gc.blobs, 1);
	assert_int_equal(gc.bytes, 6);
	assert_int_equal(count_files(t.s->content.blobs), 0);
	test_done(&t);
}

static void count_damage(void *arg, const struct check_finding *f)
{
	*(int *)arg += f->severity == CHECK_DAMAGED && strcmp(f->kind, "blob") == 0;
}

static void a_damaged_blob_is_noticed(void **state)
{
	struct check_counts counts;
	struct test_store t;
	struct digest d;
	int damaged = 0;
	char *text;
	size_t n;
	int fd;

	test_new(&t, "vfs");
	test_ok(&t, put(&t, "flip a bit of me", &d));
	publish(&t, &d, 16);
	fd = path_open_own(t.s->content.blobs, digest_hex(&d), O_WRONLY, 0);
	assert_int_equal(pwrite(fd, "F", 1, 0), 1);
	fd_close(&fd);
	assert_int_equal(content_verify(store_content(t.s), &d, &t.e), -1);
	assert_int_equal(t.e.class, ERR_CORRUPT);
	assert_int_equal(content_read(store_content(t.s), &d, 100, &text, &n, &t.e), -1);
	assert_int_equal(t.e.class, ERR_CORRUPT);
	test_ok(&t, store_check(t.s, 0, count_damage, &damaged, &counts, &t.e));
	assert_int_equal(damaged, 1);
	assert_true(counts.damaged >= 1);
	test_done(&t);
}

/* A file left by a power cut before its row was written is not believed, and is replaced. */
static void a_file_without_a_row_is_not_believed(void **state)
{
	struct test_store t;
	struct digest d;
	int fd;

	test_new(&t, "vfs");
	digest_of("whole", 5, &d);
	fd = path_open_own(t.s->content.blobs, digest_hex(&d), O_WRONLY | O_CREAT, 0600);
	fd_close(&fd);
	assert_int_equal(content_stat(store_content(t.s), &d, NULL, &t.e), -1);
	test_ok(&t, put(&t, "whole", &d));
	publish(&t, &d, 5);
	test_ok(&t, content_verify(store_content(t.s), &d, &t.e));
	test_done(&t);
}

static void a_newer_format_is_refused(void **state)
{
	struct test_store t;
	struct store_opts o;

	test_new(&t, "vfs");
	o = (struct store_opts){.root = t.root, .run_root = t.run};
	test_ok(&t, db_run(t.s->db, NULL, &t.e, "PRAGMA user_version=999", ""));
	test_close(&t);
	assert_int_equal(store_open(&o, &t.s, &t.e), -1);
	assert_int_equal(t.e.class, ERR_UNSUPPORTED);
	assert_non_null(strstr(t.e.msg, "999"));
	test_done(&t);
}

static void a_damaged_database_is_named(void **state)
{
	struct test_store t;
	struct store_opts o;
	int fd;

	test_new(&t, "vfs");
	o = (struct store_opts){.root = t.root, .run_root = t.run};
	db_checkpoint(t.s->db, 0);
	fd = path_open_own(t.s->root, "kogge.db", O_WRONLY, 0);
	test_close(&t);
	assert_int_equal(pwrite(fd, "not a database at all", 21, 0), 21);
	fd_close(&fd);
	assert_int_equal(store_open(&o, &t.s, &t.e), -1);
	assert_int_equal(t.e.class, ERR_CORRUPT);
	assert_non_null(strstr(t.e.msg, t.root));
	test_done(&t);
}

/* One blob put and published; used by the fault test. 0, or -1 with E of T set. */
static int put_and_publish(struct test_store *t, const char *text)
{
	struct digest d;

	if (put(t, text, &d) < 0 || store_sync(t->s, &t->e) < 0 ||
	    store_begin(t->s, true, &t->e) < 0)
		return -1;
	if (content_publish(store_content(t->s), d.text, strlen(text), &t->e) < 0 ||
	    db_run(t->s->db, NULL, &t->e, "INSERT INTO image_blobs VALUES('x', ?)", "t", d.text) <
		    0 ||
	    store_lease_release(t->s, store_lease(t->s, &t->e), &t->e) < 0) {
		store_abort(t->s);
		return -1;
	}
	return store_commit(t->s, &t->e);
}

/* F03: whichever write fails, the error comes out, the store stays whole, and it works again. */
static void test_F03_every_nth_write_fails(void **state)
{
	const char *errors[] = {"ENOSPC", "EIO"};

	for (size_t k = 0; k < 2; k++) {
		for (int nth = 1;; nth++) {
			/* until nothing fails any more */
			struct check_counts counts;
			struct store_opts o;
			struct test_store t;
			char spec[64];
			bool failed;

			test_new(&t, "vfs");
			test_close(&t);
			snprintf(spec, sizeof(spec), "io.write=error(%s)@%d*1", errors[k], nth);
			assert_int_equal(failpoint_set(spec), 0);
			o = (struct store_opts){.root = t.root, .run_root = t.run};
			failed = store_open(&o, &t.s, &t.e) < 0 ||
				 put_and_publish(&t, "the content") < 0;
			failpoint_set(NULL);
			test_close(&t);
			test_open(&t, NULL);
			if (failed)
				test_ok(&t, put_and_publish(&t, "the content"));
			test_ok(&t, store_check(t.s, 0, NULL, NULL, &counts, &t.e));
			assert_int_equal(counts.blobs, 1);
			assert_int_equal(counts.orphans, 0);
			test_done(&t);
			if (!failed)
				break;
		}
	}
}

static void opening_is_cheap(void **state)
{
	struct test_store t;
	int64_t best = INT64_MAX;

	test_new(&t, "vfs");
	test_close(&t);
	for (int i = 0; i < 20; i++) {
		int64_t start = clock_monotonic();

		test_open(&t, NULL);
		best = MIN(best, clock_monotonic() - start);
		test_close(&t);
	}
	print_message("store_open: %lld us\n",
		      (long long)(best / 1000)); /* printed, not asserted */
	test_open(&t, NULL);
	test_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_committed_blob_reads_back),
		cmocka_unit_test(commit_refuses_a_wrong_digest_or_size),
		cmocka_unit_test(an_absent_blob_is_not_found),
		cmocka_unit_test(what_was_not_published_goes_with_its_process),
		cmocka_unit_test(the_collector_leaves_a_live_lease_alone),
		cmocka_unit_test(the_collector_takes_what_nothing_uses),
		cmocka_unit_test(a_damaged_blob_is_noticed),
		cmocka_unit_test(a_file_without_a_row_is_not_believed),
		cmocka_unit_test(a_newer_format_is_refused),
		cmocka_unit_test(a_damaged_database_is_named),
		cmocka_unit_test(test_F03_every_nth_write_fails),
		cmocka_unit_test(opening_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
