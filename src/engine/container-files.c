/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/hostname, /etc/hosts and /etc/resolv.conf of a container, as Docker writes them. moby:
 * libnetwork/etchosts, libnetwork/resolvconf, libnetwork/sandbox_dns_unix.go. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/network-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static int fail_oom(struct err *e, const char *name)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "writing %s", name);
}

static int put_file(int run_dir, const char *name, const struct buf *text, struct err *e)
{
	int r = path_write_file(run_dir, name, buf_str(text), text->len, 0644);

	return r < 0 ? err_errno(e, r, "writing %s of the container", name) : 0;
}

static int write_hostname(const struct container *c, int run_dir, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_MAX);

	if (buf_printf(&text, "%s\n", c->spec.hostname) < 0)
		return fail_oom(e, "hostname");
	return put_file(run_dir, "hostname", &text, e);
}

/* A file of the host; one that it does not have is empty. */
static void read_host_file(const char *path, struct buf *out)
{
	_cleanup_(fd_close) int fd = path_open_host(path, O_RDONLY, 0);

	if (fd >= 0 && fd_read_all(fd, out, FILE_MAX - 1) < 0)
		buf_clear(out);
}

/* ---- hosts ---- */

/* The container's own address on a network, with its names. */
int container_hosts_line(const struct container *c, const struct endpoint *ep, struct buf *out)
{
	const struct net_ip *ips[] = {&ep->at.ip4, &ep->at.ip6};
	const struct container_spec *s = &c->spec;
	char ip[NET_IP_TEXT];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ips) && r == 0; i++) {
		if (!ips[i]->family)
			continue;
		r = str_empty(s->domainname)
			    ? buf_printf(out, "%s\t%s\n", net_ip_text(ips[i], ip), s->hostname)
			    : buf_printf(out, "%s\t%s.%s %s\n", net_ip_text(ips[i], ip),
					 s->hostname, s->domainname, s->hostname);
	}
	return r;
}

/* The host's address as the container sees it: the gateway of its default route. "" without one. */
static const char *host_gateway(const struct endpoints *eps, char out[NET_IP_TEXT])
{
	int i = endpoints_gateway(eps);
	struct net_ip ip = {.family = 0};

	out[0] = '\0';
	if (i >= 0)
		ip = net_host_gateway(&eps->v[i].net.net, AF_INET);
	if (i >= 0 && !ip.family)
		ip = net_host_gateway(&eps->v[i].net.net, AF_INET6);
	return ip.family ? net_ip_text(&ip, out) : out;
}

static int put_extra(const struct container *c, const struct endpoints *eps, struct buf *text,
		     struct err *e)
{
	char gateway[NET_IP_TEXT];
	int r = 0;

	for (size_t i = 0; i < c->spec.n_extra_hosts && r == 0; i++) {
		const char *ip = c->spec.extra_hosts[i].value;

		if (str_eq(ip, "host-gateway"))
			ip = c->spec.network.mode == SPEC_NS_HOST ? "127.0.0.1"
								  : host_gateway(eps, gateway);
		if (!*ip)
			return err_set(
				e, ERR_INVALID, 0,
				"unable to derive the IP value for host-gateway: the container "
				"is on no network with a gateway");
		r = buf_printf(text, "%s\t%s\n", ip, c->spec.extra_hosts[i].key);
	}
	return r < 0 ? fail_oom(e, "hosts") : 0;
}

static int write_hosts(const struct container *c, const struct endpoints *eps, int run_dir,
		       struct err *e)
{
	static const char fixed[] = "127.0.0.1\tlocalhost\n"
				    "::1\tlocalhost ip6-localhost ip6-loopback\n"
				    "fe00::0\tip6-localnet\n"
				    "ff00::0\tip6-mcastprefix\n"
				    "ff02::1\tip6-allnodes\n"
				    "ff02::2\tip6-allrouters\n";
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_MAX);
	int r = 0;

	if (c->spec.network.mode == SPEC_NS_HOST)
		read_host_file("/etc/hosts", &text);
	else
		r = buf_puts(&text, fixed);
	if (r < 0)
		return fail_oom(e, "hosts");
	if (put_extra(c, eps, &text, e) < 0)
		return -1;
	for (size_t i = 0; i < eps->n && r == 0; i++)
		r = container_hosts_line(c, &eps->v[i], &text);
	return r < 0 ? fail_oom(e, "hosts") : put_file(run_dir, "hosts", &text, e);
}

/* ---- resolv.conf ---- */

/* What a resolv.conf says; vectors in an arena. */
struct resolv {
	struct arena arena;
	const char **servers, **search, **options;
	size_t n_servers, n_search, n_options;
};

static int resolv_line(struct resolv *r, const char *line)
{
	static const char blank[] = " \t\r";
	size_t n = strcspn(line, blank);
	const char *key = arena_strndup(&r->arena, line, n), *rest = line + n;
	bool first = true;

	if (!key)
		return -ENOMEM;
	if (str_eq(key, "search") || str_eq(key, "domain"))
		r->n_search = 0, r->search = NULL;
	for (;;) {
		const char *word;
		int x = 0;

		rest += strspn(rest, blank);
		n = strcspn(rest, blank);
		if (n == 0)
			return 0;
		word = arena_strndup(&r->arena, rest, n);
		rest += n;
		if (!word)
			return -ENOMEM;
		if (str_eq(key, "nameserver") && first)
			x = arena_strv_push(&r->arena, &r->servers, &r->n_servers, word);
		else if (str_eq(key, "search") || str_eq(key, "domain"))
			x = arena_strv_push(&r->arena, &r->search, &r->n_search, word);
		else if (str_eq(key, "options"))
			x = arena_strv_push(&r->arena, &r->options, &r->n_options, word);
		if (x < 0)
			return x;
		first = false;
	}
}

static int resolv_parse(struct resolv *r, const char *text)
{
	const char **lines = str_split(&r->arena, text, '\n', NULL);

	for (; lines && *lines; lines++)
		if (!strchr("#;", **lines) && resolv_line(r, *lines) < 0)
			return -ENOMEM;
	return lines ? 0 : -ENOMEM;
}

static int put_words(struct buf *out, const char *key, const char *const *v)
{
	int r = v && v[0] ? buf_puts(out, key) : 0;

	for (size_t i = 0; v && v[i] && r == 0; i++)
		r = buf_printf(out, " %s", v[i]);
	return v && v[0] && r == 0 ? buf_putc(out, '\n') : r;
}

/* "." is none at all. */
static const char *const *search_of(const struct container_spec *s, const struct resolv *host)
{
	if (!s->dns_search)
		return (const char *const *)host->search;
	return str_eq(s->dns_search[0], ".") ? NULL : s->dns_search;
}

static bool is_loopback(const char *server)
{
	return str_after(server, "127.") || str_eq(server, "::1");
}

/* The servers that a container can reach: those of its own, else the host's without loopback and,
 * where it has no IPv6, without those; else Docker's. */
static int put_servers(struct buf *out, const struct container *c, const struct endpoints *eps,
		       const struct resolv *host)
{
	static const char *const fallback[] = {"8.8.8.8", "8.8.4.4", NULL};
	bool own = c->spec.network.mode != SPEC_NS_HOST, v6 = !own;
	const char *const *v = c->spec.dns ? c->spec.dns : (const char *const *)host->servers;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < eps->n; i++)
		v6 |= eps->v[i].at.ip6.family != 0;
	for (size_t i = 0; v && v[i] && r == 0; i++) {
		if (!c->spec.dns && own && (is_loopback(v[i]) || (!v6 && strchr(v[i], ':'))))
			continue;
		r = buf_printf(out, "nameserver %s\n", v[i]);
		n++;
	}
	for (size_t i = 0; n == 0 && eps->n && fallback[i] && r == 0; i++)
		r = buf_printf(out, "nameserver %s\n", fallback[i]);
	return r;
}

/* With networks that users made it asks our resolver, at Docker's address. */
bool endpoints_have_names(const struct endpoints *eps)
{
	for (size_t i = 0; i < eps->n; i++)
		if (!network_is_predefined(eps->v[i].net.name))
			return true;
	return false;
}

static int put_options(struct buf *out, const struct container *c, const struct resolv *host,
		       bool resolver, struct arena *a)
{
	const char *const *v =
		c->spec.dns_options ? c->spec.dns_options : (const char *const *)host->options;
	const char **all = NULL;
	bool has_ndots = false;
	size_t n = 0;

	for (; v && *v; v++) {
		has_ndots |= str_after(*v, "ndots:") != NULL;
		if (arena_strv_push(a, &all, &n, *v) < 0)
			return -ENOMEM;
	}
	if (resolver && !has_ndots && arena_strv_push(a, &all, &n, "ndots:0") < 0)
		return -ENOMEM;
	return put_words(out, "options", (const char *const *)all);
}

static int resolv_text(const struct container *c, const struct endpoints *eps, struct buf *text,
		       struct err *e)
{
	_cleanup_(buf_done) struct buf host = BUF_INIT(FILE_MAX);
	bool given = c->spec.dns || c->spec.dns_search || c->spec.dns_options;
	struct resolv parsed = {.arena = ARENA_INIT};
	bool resolver = endpoints_have_names(eps);
	int r;

	read_host_file("/etc/resolv.conf", &host);
	if (!eps->n && !given)
		return buf_put(text, buf_str(&host), host.len) < 0 ? fail_oom(e, "resolv.conf") : 0;
	r = resolv_parse(&parsed, buf_str(&host));
	if (r == 0)
		r = resolver ? buf_puts(text, "nameserver " RESOLVER_ADDRESS "\n")
			     : put_servers(text, c, eps, &parsed);
	if (r == 0)
		r = put_words(text, "search", search_of(&c->spec, &parsed));
	if (r == 0)
		r = put_options(text, c, &parsed, resolver, &parsed.arena);
	arena_done(&parsed.arena);
	return r < 0 ? fail_oom(e, "resolv.conf") : 0;
}

static int write_resolv(const struct container *c, const struct endpoints *eps, int run_dir,
			struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_MAX);

	return resolv_text(c, eps, &text, e) < 0 ? -1 : put_file(run_dir, "resolv.conf", &text, e);
}

int container_resolv_update(const struct container *c, const struct endpoints *eps, int run_dir,
			    struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_MAX);
	_cleanup_(fd_close) int fd = path_open_own(run_dir, "resolv.conf", O_WRONLY, 0);
	int r = fd < 0 ? fd : 0;

	if (r == 0 && resolv_text(c, eps, &text, e) < 0)
		return -1;
	if (r == 0)
		r = ftruncate(fd, 0) < 0 ? -errno : fd_write_full(fd, text.data, text.len);
	return r < 0 ? err_errno(e, r, "changing /etc/resolv.conf of container %s", c->name) : 0;
}

int container_files_write(const struct container *c, const struct endpoints *eps, int run_dir,
			  struct err *e)
{
	static const struct endpoints none = {.n = 0};

	if (!eps)
		eps = &none;
	if (write_hostname(c, run_dir, e) < 0 || write_hosts(c, eps, run_dir, e) < 0)
		return -1;
	return write_resolv(c, eps, run_dir, e);
}
