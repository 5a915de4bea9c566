/* SPDX-License-Identifier: Apache-2.0 */
/* A pax header is written for what ustar cannot say, its records in the order of their keys, as
 * Go's writer has them, so that the bytes depend on the entry alone. */
#include "codec/tar-writer.h"

#include "base/buf.h"
#include "base/num.h"
#include "codec/tar-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ID_OCTAL_MAX = 07777777, COPY_SIZE = 128 * 1024 };
#define SIZE_OCTAL_MAX UINT64_C(077777777777)

static const char zeros[2 * TAR_BLOCK_SIZE];

void tar_writer_init(struct tar_writer *w, struct sink *out)
{
	*w = (struct tar_writer){.out = out};
}

/* Octal with zeros in front and a NUL at its end, filling the field. */
static void octal(char *field, size_t n, uint64_t v)
{
	field[n - 1] = '\0';
	for (size_t i = n - 1; i-- > 0; v >>= 3)
		field[i] = (char)('0' + (v & 7));
}

#define OCTAL(field, v) octal(field, sizeof(field), v)

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* Where ustar may cut NAME into prefix and name: the length of the prefix, 0 where the name fits
 * alone, -1 where it does not fit. */
static int split_name(const char *name)
{
	size_t n = strlen(name);

	if (n <= sizeof(((struct tar_header *)0)->name))
		return 0;
	for (size_t i = MIN(n - 1, (size_t)155); i > 0; i--)
		if (name[i] == '/' && n - i - 1 > 0 && n - i - 1 <= 100)
			return (int)i;
	return -1;
}

static bool name_fits(const char *name)
{
	return is_ascii(name) && split_name(name) >= 0;
}

static void finish_header(struct tar_header *h)
{
	unsigned sum = 0;
	const unsigned char *p = (const unsigned char *)h;

	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += p[i];
	octal(h->chksum, 7, sum);
}

static void put_name(struct tar_header *h, const char *name)
{
	int cut = split_name(name);

	if (cut > 0)
		memcpy(h->prefix, name, (size_t)cut);
	name += cut > 0 ? cut + 1 : 0;
	memcpy(h->name, name, strnlen(name, sizeof(h->name)));
}

/* Appends "LEN KEY=VALUE\n", where LEN counts itself. */
static int put_record(struct buf *b, const char *prefix, const char *key, const void *value,
		      size_t size)
{
	size_t rest = 1 + strlen(prefix) + strlen(key) + 1 + size + 1, len = rest + 1;
	char digits[24];
	int rc;

	while (rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len) != len)
		len = rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len);
	rc = buf_printf(b, "%zu %s%s=", len, prefix, key);
	if (rc == 0)
		rc = buf_put(b, value, size);
	return rc < 0 ? rc : buf_putc(b, '\n');
}

static int put_text(struct buf *b, const char *key, const char *value)
{
	return put_record(b, "", key, value, strlen(value));
}

static int put_number(struct buf *b, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return put_text(b, key, text);
}

static int put_time(struct buf *b, int64_t ns)
{
	uint64_t abs = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	uint64_t fraction = abs % NUM_NS_PER_S;
	char text[40];
	int n = snprintf(text, sizeof(text), "%s%" PRIu64, ns < 0 ? "-" : "", abs / NUM_NS_PER_S);

	if (fraction) {
		n += snprintf(text + n, sizeof(text) - (size_t)n, ".%09" PRIu64, fraction);
		while (text[n - 1] == '0')
			text[--n] = '\0';
	}
	return put_text(b, "mtime", text);
}

static int compare_xattrs(const void *a, const void *b)
{
	return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

static int put_xattrs(struct buf *b, const struct tar_entry *t)
{
	_cleanup_(freep) struct tar_xattr *sorted = NULL;

	if (t->n_xattrs == 0)
		return 0;
	sorted = calloc(t->n_xattrs, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, t->xattrs, t->n_xattrs * sizeof(*sorted));
	qsort(sorted, t->n_xattrs, sizeof(*sorted), compare_xattrs);
	for (size_t i = 0; i < t->n_xattrs; i++) {
		int rc = put_record(b, "SCHILY.xattr.", sorted[i].name, sorted[i].value,
				    sorted[i].size);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool time_fits(int64_t ns)
{
	return ns >= 0 && ns % (int64_t)NUM_NS_PER_S == 0 &&
	       (uint64_t)ns / NUM_NS_PER_S <= SIZE_OCTAL_MAX;
}

/* The records of T, in the order of their keys; none where ustar says it all. */
static int put_records(struct buf *b, const struct tar_entry *t, const char *name)
{
	int rc = put_xattrs(b, t);

	if (rc == 0 && t->gid > ID_OCTAL_MAX)
		rc = put_number(b, "gid", t->gid);
	if (rc == 0 && *t->linkname && (!is_ascii(t->linkname) || strlen(t->linkname) > 100))
		rc = put_text(b, "linkpath", t->linkname);
	if (rc == 0 && !time_fits(t->mtime_ns))
		rc = put_time(b, t->mtime_ns);
	if (rc == 0 && !name_fits(name))
		rc = put_text(b, "path", name);
	if (rc == 0 && t->size > SIZE_OCTAL_MAX)
		rc = put_number(b, "size", t->size);
	if (rc == 0 && t->uid > ID_OCTAL_MAX)
		rc = put_number(b, "uid", t->uid);
	return rc;
}

/* Bytes that are no ASCII are shown as '?', and what is too long is cut: the pax header has it. */
static void put_short(char *field, size_t n, const char *s)
{
	for (size_t i = 0; i < n && s[i]; i++)
		field[i] = (unsigned char)s[i] < 0x80 ? s[i] : '?';
}

static int write_pax(struct tar_writer *w, const struct buf *records, const char *name,
		     struct err *e)
{
	struct tar_header h = {.typeflag = 'x'};
	const char *last = strrchr(name, '/');
	size_t pad = (TAR_BLOCK_SIZE - records->len % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE;

	memcpy(h.name, "PaxHeaders.0/", 13);
	put_short(h.name + 13, sizeof(h.name) - 13, last && last[1] ? last + 1 : name);
	OCTAL(h.mode, 0644);
	OCTAL(h.uid, 0);
	OCTAL(h.gid, 0);
	OCTAL(h.size, records->len);
	OCTAL(h.mtime, 0);
	finish_header(&h);
	if (sink_write(w->out, &h, sizeof(h), e) < 0 ||
	    sink_write(w->out, records->data, records->len, e) < 0)
		return -1;
	return sink_write(w->out, zeros, pad, e);
}

static int write_header(struct tar_writer *w, const struct tar_entry *t, const char *name,
			struct err *e)
{
	static const char flags[] = {
		[TAR_FILE] = '0',  [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
		[TAR_BLOCK] = '4', [TAR_DIR] = '5',      [TAR_FIFO] = '6',
	};
	struct tar_header h = {.typeflag = flags[t->type]};

	if (name_fits(name))
		put_name(&h, name);
	else
		put_short(h.name, sizeof(h.name), name);
	put_short(h.linkname, sizeof(h.linkname), t->linkname);
	OCTAL(h.mode, t->mode & 07777);
	OCTAL(h.uid, t->uid > ID_OCTAL_MAX ? 0 : t->uid);
	OCTAL(h.gid, t->gid > ID_OCTAL_MAX ? 0 : t->gid);
	OCTAL(h.size, t->size > SIZE_OCTAL_MAX ? 0 : t->size);
	OCTAL(h.mtime, time_fits(t->mtime_ns) ? (uint64_t)t->mtime_ns / NUM_NS_PER_S : 0);
	OCTAL(h.devmajor, t->major);
	OCTAL(h.devminor, t->minor);
	finish_header(&h);
	return sink_write(w->out, &h, sizeof(h), e);
}

int tar_writer_entry(struct tar_writer *w, const struct tar_entry *entry, struct err *e)
{
	_cleanup_(buf_done) struct buf records = BUF_INIT(TAR_META_MAX);
	_cleanup_(buf_done) struct buf name = BUF_INIT(TAR_META_MAX);
	struct tar_entry t = *entry;
	size_t n = strlen(t.name);

	if (w->left > 0)
		return err_set(e, ERR_INTERNAL, 0, "writing a tar archive: data is missing");
	if (t.type != TAR_FILE)
		t.size = 0;
	if (!t.linkname)
		t.linkname = "";
	if (buf_puts(&name, t.name) < 0 ||
	    (t.type == TAR_DIR && (n == 0 || t.name[n - 1] != '/') && buf_putc(&name, '/') < 0) ||
	    put_records(&records, &t, buf_str(&name)) < 0)
		return err_set(e, ERR_LIMIT, 0,
			       "writing a tar archive: an entry has too long "
			       "names or attributes");
	if (records.len > 0 && write_pax(w, &records, buf_str(&name), e) < 0)
		return -1;
	if (write_header(w, &t, buf_str(&name), e) < 0)
		return -1;
	w->left = t.size;
	w->pad = (TAR_BLOCK_SIZE - t.size % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE;
	return 0;
}

int tar_writer_data(struct tar_writer *w, const void *data, size_t n, struct err *e)
{
	if (n > w->left)
		return err_set(e, ERR_INTERNAL, 0, "writing a tar archive: data is too long");
	if (n == 0)
		return 0;
	if (sink_write(w->out, data, n, e) < 0)
		return -1;
	w->left -= n;
	return w->left == 0 ? sink_write(w->out, zeros, (size_t)w->pad, e) : 0;
}

int tar_writer_sent(struct tar_writer *w, uint64_t n, struct err *e)
{
	if (n > w->left)
		return err_set(e, ERR_INTERNAL, 0, "writing a tar archive: data is too long");
	if (n == 0)
		return 0;
	w->left -= n;
	return w->left == 0 ? sink_write(w->out, zeros, (size_t)w->pad, e) : 0;
}

int tar_writer_copy(struct tar_writer *w, struct stream *in, struct err *e)
{
	_cleanup_(freep) char *data = malloc(COPY_SIZE);

	if (!data)
		return err_errno(e, ENOMEM, "writing a tar archive");
	while (w->left > 0) {
		ssize_t r = stream_read(in, data, (size_t)MIN(w->left, (uint64_t)COPY_SIZE), e);

		if (r < 0)
			return -1;
		if (r == 0)
			return err_set(e, ERR_IO, 0,
				       "writing a tar archive: a file became shorter");
		if (tar_writer_data(w, data, (size_t)r, e) < 0)
			return -1;
	}
	return 0;
}

int tar_writer_file(struct tar_writer *w, const char *name, const void *data, size_t n,
		    int64_t mtime_ns, struct err *e)
{
	struct tar_entry t = {
		.type = TAR_FILE, .name = name, .mode = 0644, .size = n, .mtime_ns = mtime_ns};

	if (tar_writer_entry(w, &t, e) < 0)
		return -1;
	return tar_writer_data(w, data, n, e);
}

int tar_writer_dir(struct tar_writer *w, const char *name, int64_t mtime_ns, struct err *e)
{
	struct tar_entry t = {.type = TAR_DIR, .name = name, .mode = 0755, .mtime_ns = mtime_ns};

	return tar_writer_entry(w, &t, e);
}

int tar_writer_end(struct tar_writer *w, struct err *e)
{
	if (w->left > 0)
		return err_set(e, ERR_INTERNAL, 0, "writing a tar archive: data is missing");
	return sink_write(w->out, zeros, sizeof(zeros), e);
}
