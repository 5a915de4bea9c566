/* SPDX-License-Identifier: Apache-2.0 */
/* The registry as a program: command line, storage, server, signals. */
#include "registry/collect.h"
#include "registry/config.h"
#include "registry/limiter.h"
#include "registry/pulls.h"
#include "registry/server.h"
#include "registry/storage-directory.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define LISTEN_DEFAULT "127.0.0.1:5000"
#define ROOT_DEFAULT   "kogge-registry"
#define CLOCK_SLACK_NS ((int64_t)NUM_NS_PER_S)

struct options {
	const char *listen, *root, *log, *config, *grace;
	bool read_only, no_delete, dry_run;
};

static const struct option {
	const char *name, *value, *help;
} options_help[] = {
	{"--listen", "ADDRESS:PORT", "where to listen (" LISTEN_DEFAULT ")"},
	{"--root", "DIRECTORY", "where the content is kept (./" ROOT_DEFAULT ")"},
	{"--config", "FILE", "users, tokens, rules, TLS and more (JSON)"},
	{"--log", "all|changes|none", "which requests are logged (changes)"},
	{"--grace", "DURATION", "collect: leave alone what is younger (24h)"},
	{"--dry-run", "", "collect: tell what would go"},
	{"--read-only", "", "serve what is there and take nothing"},
	{"--no-delete", "", "refuse to delete manifests, tags and blobs"},
};

static void help(void)
{
	puts("usage: kogge-registry serve [OPTION...]    serve an OCI registry\n"
	     "       kogge-registry collect [OPTION...]  remove what nothing refers to\n"
	     "       kogge-registry scrub [OPTION...]    read and check everything\n");
	for (size_t i = 0; i < ARRAY_SIZE(options_help); i++)
		printf("  %-10s %-17s %s\n", options_help[i].name, options_help[i].value,
		       options_help[i].help);
	puts("\nkogge-registry --version prints the version.");
}

static int usage(const char *what, const char *arg)
{
	fprintf(stderr, "kogge-registry: %s '%s' (--help tells more)\n", what, arg);
	return 2;
}

static const char **text_option(struct options *o, const char *name, size_t n)
{
	if (n == strlen("--listen") && strncmp(name, "--listen", n) == 0)
		return &o->listen;
	if (n == strlen("--root") && strncmp(name, "--root", n) == 0)
		return &o->root;
	if (n == strlen("--log") && strncmp(name, "--log", n) == 0)
		return &o->log;
	if (n == strlen("--config") && strncmp(name, "--config", n) == 0)
		return &o->config;
	if (n == strlen("--grace") && strncmp(name, "--grace", n) == 0)
		return &o->grace;
	return NULL;
}

/* 0, or the exit code. */
static int parse(int argc, char **argv, struct options *o)
{
	for (int i = 2; i < argc; i++) {
		size_t n = strcspn(argv[i], "=");
		const char **value = text_option(o, argv[i], n);

		if (value && argv[i][n])
			*value = argv[i] + n + 1;
		else if (value && i + 1 < argc)
			*value = argv[++i];
		else if (value)
			return usage("no value for", argv[i]);
		else if (str_eq(argv[i], "--read-only"))
			o->read_only = true;
		else if (str_eq(argv[i], "--no-delete"))
			o->no_delete = true;
		else if (str_eq(argv[i], "--dry-run"))
			o->dry_run = true;
		else
			return usage("unknown argument", argv[i]);
	}
	return 0;
}

static int parse_log(const char *s)
{
	static const char *const words[] = {"none", "changes", "all"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(s, words[i]))
			return (int)i;
	return -1;
}

static int fail(const struct err *e)
{
	fprintf(stderr, "kogge-registry: %s\n", e->msg);
	return 1;
}

/* Every connection is a descriptor, and every blob that is sent. */
static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* Everything that runs. */
struct program {
	struct config config;
	struct registry registry;
	struct storage *storage;
	struct server_tls *tls;
	struct server *server;
};

static void program_done(struct program *p)
{
	struct err e = ERR_INIT;

	if (p->server)
		server_stop(p->server);
	server_tls_free(p->tls);
	if (events_end(p->registry.events, &e) < 0)
		fail(&e);
	cache_free(p->registry.cache);
	limiter_free(p->registry.limiter);
	storage_free(p->storage);
	config_done(&p->config);
}

/* What the command line does not say comes from the file, and then from here. */
static void merge(struct options *o, const struct config *c)
{
	if (!o->listen)
		o->listen = c->listen ? c->listen : LISTEN_DEFAULT;
	if (!o->root)
		o->root = c->root ? c->root : ROOT_DEFAULT;
	if (!o->log)
		o->log = c->log ? c->log : "changes";
	o->read_only |= c->read_only;
	o->no_delete |= c->no_delete;
}

static int start(struct program *p, const struct options *o, struct err *e)
{
	struct config *c = &p->config;
	struct server_options so = {
		.registry = &p->registry, .listen = o->listen, .log_fd = STDERR_FILENO};
	int log = parse_log(o->log);

	if (log < 0)
		return err_set(e, ERR_INVALID, 0, "unknown log '%s'", o->log);
	so.log = (enum server_log)log;
	p->registry.read_only = o->read_only;
	p->registry.no_delete = o->no_delete;
	p->registry.access = c->has_access ? &c->access : NULL;
	p->registry.policy = &c->policy;
	if (c->certificate && !(p->tls = server_tls_new(c->certificate, c->key, e)))
		return -1;
	so.tls = p->tls;
	so.head_seconds = c->head_seconds;
	so.connections_max = c->connections;
	if (c->requests_per_second) {
		p->registry.limiter = limiter_new(c->requests_per_second,
						  c->burst ? c->burst : c->requests_per_second);
		if (!p->registry.limiter)
			return err_errno(e, ENOMEM, "starting");
	}
	p->storage = storage_directory_open(o->root, e);
	if (!p->storage)
		return -1;
	p->registry.storage = p->storage;
	if (c->n_upstreams &&
	    !(p->registry.cache = cache_new(p->storage, c->upstreams, c->n_upstreams)))
		return err_errno(e, ENOMEM, "starting");
	p->registry.pull_step = lifecycle_pull_step(&c->lifecycle);
	if (pulls_begin(p->storage, p->registry.pull_step > 0, e) < 0)
		return -1;
	if (c->n_sinks && !(p->registry.events = events_new(p->storage, c->sinks, c->n_sinks, e)))
		return -1;
	p->server = server_start(&so, e);
	return p->server ? 0 : -1;
}

/* HUP: certificates and passwords are read again. What cannot be read stays as it was. */
static void reload(struct program *p)
{
	struct err e = ERR_INIT;

	if (p->tls && server_tls_reload(p->tls, &e) < 0)
		fail(&e);
	if (p->config.access.users && users_reload(p->config.access.users, &e) < 0)
		fail(&e);
}

static void tell_collected(void *arg, const char *key)
{
	_unused_ void *unused = arg;

	printf("%s\n", key);
}

/* Collects garbage, unless the clock went back since the start: then what is new looks old. */
static void collect_now(struct program *p, int64_t offset)
{
	struct collect_options o = {.storage = p->storage,
				    .grace = (int64_t)p->config.grace_seconds *
					     (int64_t)NUM_NS_PER_S};
	int64_t jump = clock_now() - clock_monotonic() - offset;
	struct collect_report report;
	struct lifecycle_report old;
	struct err e = ERR_INIT;

	if (jump < -CLOCK_SLACK_NS) {
		fprintf(stderr, "kogge-registry: the clock went back: nothing is collected until "
				"the next start\n");
		return;
	}
	/* Where it went forward, what is new looks older than it is. */
	if (jump > 0)
		o.grace += jump;
	if (lifecycle_apply(&p->config.lifecycle, &o, &p->config.policy, &old, &e) < 0 ||
	    collect(&o, &report, &e) < 0)
		fail(&e);
	else if (report.blobs + report.links + report.uploads > 0)
		fprintf(stderr, "kogge-registry: collected %llu blobs of %llu bytes\n",
			(unsigned long long)report.blobs, (unsigned long long)report.bytes);
}

/* Until TERM or INT: reloads on HUP, and collects garbage where that was configured. */
static void wait_for_end(struct program *p, const sigset_t *set)
{
	const struct timespec every = {.tv_sec = p->config.collect_seconds};
	int64_t offset = clock_now() - clock_monotonic();
	int number;

	for (;;) {
		number = every.tv_sec ? sigtimedwait(set, NULL, &every) : sigwaitinfo(set, NULL);
		if (number == SIGHUP)
			reload(p);
		else if (number > 0)
			return;
		else if (errno == EAGAIN)
			collect_now(p, offset);
	}
}

static int serve(struct options *o)
{
	_cleanup_(program_done) struct program p = {.config = CONFIG_INIT};
	struct err e = ERR_INIT;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	if (o->config && config_load(o->config, &p.config, &e) < 0)
		return fail(&e);
	merge(o, &p.config);
	if (start(&p, o, &e) < 0)
		return fail(&e);
	fprintf(stderr, "kogge-registry: listening on port %u, content in %s\n",
		server_port(p.server), o->root);
	wait_for_end(&p, &set);
	return 0;
}

static void tell_fault(void *arg, const char *key, const char *what)
{
	_unused_ void *unused = arg;

	printf("%s %s\n", key, what);
}

/* What the verbs that look at a storage have in common. */
static struct storage *open_storage(struct options *o, struct config *c, struct err *e)
{
	if (o->config && config_load(o->config, c, e) < 0)
		return NULL;
	merge(o, c);
	return storage_directory_open(o->root, e);
}

static int verb_scrub(struct options *o)
{
	_cleanup_(config_done) struct config c = CONFIG_INIT;
	_cleanup_(storage_freep) struct storage *s = NULL;
	struct scrub_report report;
	struct err e = ERR_INIT;

	s = open_storage(o, &c, &e);
	if (!s || scrub(s, tell_fault, NULL, &report, &e) < 0)
		return fail(&e);
	printf("%llu blobs of %llu bytes: %llu damaged, %llu missing, %llu dangling references\n",
	       (unsigned long long)report.blobs, (unsigned long long)report.bytes,
	       (unsigned long long)report.damaged, (unsigned long long)report.missing,
	       (unsigned long long)report.dangling);
	return report.damaged + report.missing + report.dangling ? 3 : 0;
}

static int verb_collect(struct options *o)
{
	_cleanup_(config_done) struct config c = CONFIG_INIT;
	_cleanup_(storage_freep) struct storage *s = NULL;
	struct lifecycle_report old;
	struct collect_options co = {.preview = o->dry_run, .tell = tell_collected};
	struct collect_report report;
	struct err e = ERR_INIT;

	s = open_storage(o, &c, &e);
	if (!s)
		return fail(&e);
	co.storage = s;
	co.grace = (int64_t)c.grace_seconds * (int64_t)NUM_NS_PER_S;
	if (o->grace && (num_duration(o->grace, &co.grace) < 0 || co.grace < 0))
		return usage("no duration", o->grace);
	if (lifecycle_apply(&c.lifecycle, &co, &c.policy, &old, &e) < 0 ||
	    collect(&co, &report, &e) < 0)
		return fail(&e);
	if (c.lifecycle.n > 0)
		printf("%s %llu tags, %llu manifests\n", o->dry_run ? "would remove" : "removed",
		       (unsigned long long)old.tags, (unsigned long long)old.manifests);
	printf("%s %llu blobs of %llu bytes, %llu links, %llu uploads\n",
	       o->dry_run ? "would remove" : "removed", (unsigned long long)report.blobs,
	       (unsigned long long)report.bytes, (unsigned long long)report.links,
	       (unsigned long long)report.uploads);
	return 0;
}

static int (*find_verb(const char *name))(struct options *o)
{
	if (str_eq(name, "serve"))
		return serve;
	if (str_eq(name, "collect"))
		return verb_collect;
	return str_eq(name, "scrub") ? verb_scrub : NULL;
}

int main(int argc, char **argv)
{
	int (*verb)(struct options * o);
	struct options o = {.listen = NULL};
	int r;

	for (int i = 1; i < argc; i++)
		if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h")) {
			help();
			return 0;
		}
	if (argc > 1 && str_eq(argv[1], "--version")) {
		puts("kogge-registry version " KOGGE_VERSION);
		return 0;
	}
	verb = argc > 1 ? find_verb(argv[1]) : NULL;
	if (!verb)
		return usage("unknown verb", argc < 2 ? "" : argv[1]);
	r = parse(argc, argv, &o);
	return r ? r : verb(&o);
}
