/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's JSON for `container inspect`. Config and HostConfig are what the row holds
 * (spec-json.c), put into Docker's order, with its defaults for what this version does not have,
 * and with the values that hold where nothing was given. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/container-exec.h"
#include "engine/mount-internal.h"
#include "engine/spec-json.h"
#include "engine/spec-life.h"
#include "kernel/cgroup.h"
#include "store/image-store.h"
#include "store/snapshot.h"

#include <errno.h>
#include <stdio.h>

enum { PATH_SIZE = 4096, LOWER_MAX = 1 << 20 };

#define SHM_DEFAULT (64 << 20)

/* Docker's fields in Docker's order, with what they are where nothing was given. `null` in the
 * second list is a field that Docker leaves out then. */
static const char config_form[] =
	"{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,"
	"\"AttachStdout\":false,\"AttachStderr\":false,\"ExposedPorts\":0,\"Tty\":false,"
	"\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"Healthcheck\":0,"
	"\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,"
	"\"Labels\":{},\"StopSignal\":0,\"StopTimeout\":0}";

static const char host_form[] =
	"{\"Binds\":null,\"ContainerIDFile\":\"\",\"LogConfig\":{\"Type\":\"json-file\",\"Config\":"
	"{}},"
	"\"NetworkMode\":\"none\",\"PortBindings\":{},\"RestartPolicy\":{\"Name\":\"no\","
	"\"MaximumRetryCount\":0},\"AutoRemove\":false,\"VolumeDriver\":\"\",\"VolumesFrom\":null,"
	"\"ConsoleSize\":[0,0],\"Annotations\":0,\"CapAdd\":null,\"CapDrop\":null,"
	"\"CgroupnsMode\":\"\",\"Dns\":[],\"DnsOptions\":[],\"DnsSearch\":[],\"ExtraHosts\":null,"
	"\"GroupAdd\":null,\"IpcMode\":\"private\",\"Cgroup\":\"\",\"Links\":null,"
	"\"OomScoreAdj\":0,\"PidMode\":\"\",\"Privileged\":false,\"PublishAllPorts\":false,"
	"\"ReadonlyRootfs\":false,\"SecurityOpt\":null,\"StorageOpt\":0,\"Tmpfs\":0,"
	"\"UTSMode\":\"\",\"UsernsMode\":\"\",\"ShmSize\":67108864,\"Sysctls\":0,"
	"\"Runtime\":\"kogge\",\"Isolation\":\"\",\"CpuShares\":0,\"Memory\":0,\"NanoCpus\":0,"
	"\"CgroupParent\":\"\",\"BlkioWeight\":0,\"BlkioWeightDevice\":[],"
	"\"BlkioDeviceReadBps\":[],\"BlkioDeviceWriteBps\":[],\"BlkioDeviceReadIOps\":[],"
	"\"BlkioDeviceWriteIOps\":[],\"CpuPeriod\":0,\"CpuQuota\":0,\"CpuRealtimePeriod\":0,"
	"\"CpuRealtimeRuntime\":0,\"CpusetCpus\":\"\",\"CpusetMems\":\"\",\"Devices\":[],"
	"\"DeviceCgroupRules\":null,\"DeviceRequests\":null,\"MemoryReservation\":0,"
	"\"MemorySwap\":0,\"MemorySwappiness\":null,\"OomKillDisable\":null,\"PidsLimit\":null,"
	"\"Ulimits\":[],\"CpuCount\":0,\"CpuPercent\":0,\"IOMaximumIOps\":0,"
	"\"IOMaximumBandwidth\":0,\"MaskedPaths\":null,\"ReadonlyPaths\":null,\"Init\":0}";

/* Those that Docker writes only where they have a value: their form is the number 0. */
static bool is_optional(const json_t *form, const char *key)
{
	static const char *const numbers[] = {"OomScoreAdj",
					      "CpuShares",
					      "Memory",
					      "NanoCpus",
					      "BlkioWeight",
					      "CpuPeriod",
					      "CpuQuota",
					      "CpuRealtimePeriod",
					      "CpuRealtimeRuntime",
					      "MemoryReservation",
					      "MemorySwap",
					      "CpuCount",
					      "CpuPercent",
					      "IOMaximumIOps",
					      "IOMaximumBandwidth",
					      NULL};

	return json_is_integer(form) && json_integer_value(form) == 0 && !strv_has(numbers, key);
}

static bool is_nothing(const json_t *v)
{
	return !v || json_is_null(v) || json_is_false(v) ||
	       (json_is_string(v) && !*json_string_value(v)) ||
	       ((json_is_object(v) || json_is_array(v)) && !json_object_size(v) &&
		!json_array_size(v));
}

/* VALUES (taken) in the order of FORM; what FORM does not know comes last. */
static json_t *in_form(json_t *values, const char *form, struct err *e)
{
	_cleanup_(json_unref) json_t *had = values;
	_cleanup_(json_unref) json_t *known = json_parse(form, strlen(form), "a form", e);
	json_t *out = json_object(), *v;
	const char *key;

	json_object_foreach (known, key, v) {
		json_t *given = json_object_get(values, key);
		bool optional = is_optional(v, key);

		if (optional && is_nothing(given))
			continue;
		(void)json_object_set(out, key,
				      given && !(is_nothing(given) && !json_is_false(given)) ? given
											     : v);
	}
	json_object_foreach (values, key, v)
		if (!json_object_get(known, key))
			(void)json_object_set(out, key, v);
	if (!known) {
		json_decref(out);
		return NULL;
	}
	return out;
}

/* ---- what holds where nothing was given ---- */

const char *container_network_word(const struct container_spec *s)
{
	if (s->network.mode == SPEC_NS_HOST)
		return "host";
	return s->network.mode == SPEC_NS_NAMED ? s->network.ref : "none";
}

static json_t *words(const char *const *v)
{
	json_t *a = json_array();

	for (size_t i = 0; v[i]; i++)
		(void)json_array_append_new(a, json_string(v[i]));
	return a;
}

static const char *cgroupns_default(void)
{
	return cgroup_host_is_v2() ? "private" : "host";
}

static void put_effective(const struct container_spec *s, json_t *host)
{
	bool open = s->privileged || s->security.systempaths_unconfined;

	if (!s->shm_size)
		(void)json_object_set_new(host, "ShmSize", json_integer(SHM_DEFAULT));
	if (s->cgroupns.mode == SPEC_NS_DEFAULT)
		(void)json_object_set_new(host, "CgroupnsMode", json_string(cgroupns_default()));
	if (s->resources.memory && !s->resources.memory_swap)
		(void)json_object_set_new(host, "MemorySwap",
					  json_integer((json_int_t)s->resources.memory * 2));
	if (!open) {
		(void)json_object_set_new(host, "MaskedPaths", words(runtime_masked_paths));
		(void)json_object_set_new(host, "ReadonlyPaths", words(runtime_readonly_paths));
	}
}

/* ---- state, paths ---- */

const char *container_state_word(const struct container *c)
{
	static const char *const names[] = {"created", "running", "exited"};

	if (c->state == ENGINE_RUNNING && c->restarting)
		return "restarting";
	if (c->state == ENGINE_RUNNING && c->paused)
		return "paused";
	return (unsigned)c->state < ARRAY_SIZE(names) ? names[c->state] : "dead";
}

/* Docker's zero time for what never happened. */
static json_t *time_or_zero(int64_t ns)
{
	char out[CLOCK_TEXT_SIZE];

	return json_string(ns ? clock_format(ns, out) : "0001-01-01T00:00:00Z");
}

static json_t *state_json(struct engine *en, const struct container *c)
{
	bool running = c->state == ENGINE_RUNNING;
	json_t *health = container_health_json(en, c);
	json_t *o = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:s, s:o, s:o}", "Status",
			      container_state_word(c), "Running", running, "Paused",
			      running && c->paused, "Restarting", running && c->restarting,
			      "OOMKilled", c->oom, "Dead", 0, "Pid", c->pid, "ExitCode",
			      c->exit_code, "Error", c->error ? c->error : "", "StartedAt",
			      time_or_zero(c->started), "FinishedAt", time_or_zero(c->finished));

	if (health)
		(void)json_object_set_new(o, "Health", health);
	if (c->log_lost)
		(void)json_object_set_new(o, "LogLostLines", json_integer(c->log_lost));
	return o;
}

/* Only json-file has one in Docker. */
static json_t *log_path(struct engine *en, const struct container *c)
{
	struct err ignored = ERR_INIT;
	struct log_config config;
	char file[LOG_NAME_SIZE];

	if (spec_log_config(&c->spec.log, &config, &ignored) < 0 || config.driver != LOG_JSON_FILE)
		return json_string("");
	return json_sprintf("%s/" LOG_DIR "/%s/%s", en->root, c->id,
			    log_file_name(LOG_JSON_FILE, c->id, file));
}

static int put_paths(struct engine *en, const struct container *c, json_t *o)
{
	static const struct {
		const char *key, *file;
	} files[] = {
		{"ResolvConfPath", "resolv.conf"},
		{"HostnamePath", "hostname"},
		{"HostsPath", "hosts"},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		r |= json_object_set_new(o, files[i].key,
					 c->state == ENGINE_RUNNING
						 ? json_sprintf("%s/containers/%s/%s", en->run_root,
								c->id, files[i].file)
						 : json_string(""));
	return r;
}

/* ---- the file system ---- */

uint64_t container_image_size(struct engine *en, const struct container *c)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct err ignored = ERR_INIT;

	return c->image_id && image_resolve(en->store, c->image_id, 0, &img, &ignored) == 0
		       ? img.size
		       : 0;
}

/* The layers' directories, top first, joined by colons. */
static json_t *lower_dirs(struct engine *en, const struct container *c)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	_cleanup_(buf_done) struct buf out = BUF_INIT(LOWER_MAX);
	struct err ignored = ERR_INIT;
	char path[PATH_SIZE];

	if (!c->image_id || image_resolve(en->store, c->image_id, 0, &img, &ignored) < 0 ||
	    !img.chain || snapshot_mounts_chain(en->store, img.chain, &m, &ignored) < 0)
		return json_string("");
	if (!m.overlay)
		(void)buf_puts(&out, path_of_fd(m.root, path, sizeof(path)));
	for (size_t i = 0; m.overlay && i < m.n_lower; i++)
		(void)buf_printf(&out, "%s%s", i ? ":" : "",
				 path_of_fd(m.lower[i], path, sizeof(path)));
	return json_string(buf_str(&out));
}

/* The merged tree is only mounted in the container. */
static json_t *graph_driver(struct engine *en, const struct container *c)
{
	const char *driver = store_driver(en->store);
	json_t *merged = c->state == ENGINE_RUNNING && c->pid > 0
				 ? json_sprintf("/proc/%d/root", c->pid)
				 : json_string("");

	if (!str_eq(driver, "overlay")) {
		json_decref(merged);
		return json_pack("{s:n, s:s}", "Data", "Name", driver);
	}
	return json_pack("{s:{s:o, s:o, s:o, s:o}, s:s}", "Data", "LowerDir", lower_dirs(en, c),
			 "MergedDir", merged, "UpperDir",
			 json_sprintf("%s/snapshots/%s/%s/fs", en->root, driver, c->snapshot),
			 "WorkDir",
			 json_sprintf("%s/snapshots/%s/%s/work", en->root, driver, c->snapshot),
			 "Name", driver);
}

static void put_size(struct engine *en, const struct container *c, json_t *o)
{
	struct snapshot_usage usage;
	struct err ignored = ERR_INIT;

	if (snapshot_usage(en->store, c->snapshot, &usage, &ignored) < 0)
		return;
	(void)json_object_set_new(o, "SizeRw", json_integer((json_int_t)usage.size));
	(void)json_object_set_new(
		o, "SizeRootFs",
		json_integer((json_int_t)(usage.size + container_image_size(en, c))));
}

/* ---- the whole ---- */

/* As Docker: null where none runs. */
static json_t *exec_ids(struct engine *en, const struct container *c)
{
	bool runs = c->state == ENGINE_RUNNING && !c->restarting;
	json_t *ids = runs ? container_exec_ids(en, c) : NULL;

	if (json_array_size(ids))
		return ids;
	json_decref(ids);
	return json_null();
}

static json_t *head(struct engine *en, struct container *c, const char **args)
{
	json_t *o = json_pack("{s:s, s:o, s:s, s:o, s:o, s:s}", "Id", c->id, "Created",
			      time_or_zero(c->created), "Path", args[0], "Args", words(args + 1),
			      "State", state_json(en, c), "Image", c->image_id ? c->image_id : "");

	if (o && put_paths(en, c, o) == 0 &&
	    json_object_update_new(
		    o,
		    json_pack("{s:o, s:o, s:i, s:s, s:s, s:s, s:s, s:s, s:o}", "LogPath",
			      log_path(en, c), "Name", json_sprintf("/%s", c->name), "RestartCount",
			      c->restart_count, "Driver", store_driver(en->store), "Platform",
			      "linux", "MountLabel", "", "ProcessLabel", "", "AppArmorProfile",
			      c->spec.security.apparmor ? c->spec.security.apparmor : "", "ExecIDs",
			      exec_ids(en, c))) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *inspect_json(struct engine *en, struct container *c, bool with_size, struct err *e)
{
	const char **args = container_args(c, e);
	json_t *config, *host, *o;

	if (!args || spec_to_json(&c->spec, &config, &host, e) < 0)
		return NULL;
	config = in_form(config, config_form, e);
	host = in_form(host, host_form, e);
	if (host)
		put_effective(&c->spec, host);
	o = head(en, c, args);
	if (o && with_size)
		put_size(en, c, o);
	if (o && json_object_update_new(o, json_pack("{s:o, s:o, s:o, s:o, s:o}", "HostConfig",
						     host, "GraphDriver", graph_driver(en, c),
						     "Mounts", mount_points_view(en, c), "Config",
						     config, "NetworkSettings",
						     container_network_settings(en, c))) == 0)
		return o;
	json_decref(o);
	err_set(e, ERR_LIMIT, ENOMEM, "describing container %.12s", c->id);
	return NULL;
}

json_t *container_inspect(struct engine *en, const char *ref, bool with_size, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	char id[ID_SIZE];

	if (engine_reconcile(en, e) < 0 || container_resolve(en, ref, id, e) < 0 ||
	    container_load(en, id, &c, e) < 0 || container_refresh_started(en, &c, e) < 0)
		return NULL;
	return inspect_json(en, &c, with_size, e);
}
