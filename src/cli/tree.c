/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of commands. What Docker has and this version does not is in tables of its own: it says
 * so when it is called. */
#include "cli/verbs.h"

#define LATER(id, word, text)                                                                      \
	static const struct cli_command id = {.name = word, .summary = text, .flags = CLI_NOT_YET}

LATER(buildx, "buildx", "Build with BuildKit");
LATER(compose, "compose", "Define and run several containers");
LATER(context, "context", "Manage contexts");
LATER(plugin, "plugin", "Manage plugins");
LATER(swarm, "swarm", "Manage a swarm");

static const struct cli_command *const image_verbs[] = {
	&cli_image_build,   &cli_image_copy,
	&cli_image_history, &cli_image_import,
	&cli_image_inspect, &cli_image_load,
	&cli_image_ls,      &cli_image_prune,
	&cli_image_pull,    &cli_image_push,
	&cli_image_rm,      &cli_image_save,
	&cli_image_tag,     NULL,
};
static const struct cli_command *const container_verbs[] = {
	&cli_container_attach,  &cli_container_commit,
	&cli_container_cp,      &cli_container_create,
	&cli_container_diff,    &cli_container_exec,
	&cli_container_export,  &cli_container_inspect,
	&cli_container_kill,    &cli_container_logs,
	&cli_container_ls,      &cli_container_pause,
	&cli_container_port,    &cli_container_prune,
	&cli_container_rename,  &cli_container_restart,
	&cli_container_rm,      &cli_container_run,
	&cli_container_start,   &cli_container_stats,
	&cli_container_stop,    &cli_container_top,
	&cli_container_unpause, &cli_container_update,
	&cli_container_wait,    NULL,
};
static const struct cli_command *const system_verbs[] = {
	&cli_system_check, &cli_system_df,    &cli_system_events,
	&cli_system_info,  &cli_system_prune, NULL,
};

static const struct cli_command *const builder_verbs[] = {
	&cli_build,
	&cli_builder_du,
	&cli_builder_prune,
	NULL,
};

static const struct cli_command *const volume_verbs[] = {
	&cli_volume_create, &cli_volume_inspect, &cli_volume_ls,
	&cli_volume_prune,  &cli_volume_rm,      NULL,
};

static const struct cli_command *const network_verbs[] = {
	&cli_network_connect, &cli_network_create, &cli_network_disconnect, &cli_network_inspect,
	&cli_network_ls,      &cli_network_prune,  &cli_network_rm,         NULL,
};

static const struct cli_command *const manifest_verbs[] = {
	&cli_manifest_annotate, &cli_manifest_create, &cli_manifest_inspect,
	&cli_manifest_push,     &cli_manifest_rm,     NULL,
};

static const struct cli_command manifest = {
	.name = "manifest", .summary = "Manage manifest lists", .children = manifest_verbs};
static const struct cli_command builder = {
	.name = "builder", .summary = "Manage builds", .children = builder_verbs};
static const struct cli_command image = {
	.name = "image", .summary = "Manage images", .children = image_verbs};
static const struct cli_command container = {
	.name = "container", .summary = "Manage containers", .children = container_verbs};
static const struct cli_command network = {
	.name = "network", .summary = "Manage networks", .children = network_verbs};
static const struct cli_command volume = {
	.name = "volume", .summary = "Manage volumes", .children = volume_verbs};
static const struct cli_command system_ = {
	.name = "system", .summary = "Manage Kogge", .children = system_verbs};

static const struct cli_command *const top_verbs[] = {
	&cli_run,    &cli_ps,      &cli_images, &cli_version,  &cli_info,   &container,
	&image,      &system_,     &cli_create, &cli_history,  &cli_import, &cli_inspect,
	&cli_kill,   &cli_load,    &cli_rm,     &cli_rmi,      &cli_save,   &cli_start,
	&cli_tag,    &cli_wait,    &cli_attach, &cli_build,    &builder,    &buildx,
	&cli_commit, &compose,     &context,    &cli_cp,       &cli_diff,   &cli_events,
	&cli_exec,   &cli_export,  &cli_login,  &cli_logout,   &cli_logs,   &manifest,
	&network,    &cli_pause,   &plugin,     &cli_port,     &cli_pull,   &cli_push,
	&cli_rename, &cli_restart, &cli_search, &cli_stats,    &cli_stop,   &swarm,
	&cli_top,    &cli_unpause, &cli_update, &volume,       &cli_end,    &cli_autostart,
	&cli_health, &cli_boot,    &cli_halt,   &cli_maintain, &cli_keep,   &cli_exec_left,
	NULL,
};

const struct cli_command cli_root = {
	.name = "kogge", .summary = "Runs, builds and keeps containers", .children = top_verbs};
