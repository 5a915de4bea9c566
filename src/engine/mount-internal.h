/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and mounts of containers: what the files of that share. */
#ifndef KOGGE_ENGINE_MOUNT_INTERNAL_H
#define KOGGE_ENGINE_MOUNT_INTERNAL_H

#include "engine/container-spec.h"
#include "engine/engine-internal.h"
#include "store/volume-store.h"

/* -- mount-parse.c: what one mount may say, in Docker's words ------------------------------------
 */

/* "[HOST:|VOLUME:]TARGET[:MODE]" as the engine gets it: HOST is absolute. DRIVER (or NULL) is that
 * of a volume which is made. Strings in A. -1 with E. */
int mount_parse_bind(struct arena *a, const char *raw, const char *driver, struct spec_mount *ret,
		     struct err *e);

/* "CONTAINER[:MODE]": the container and whether it is read-only. */
int mount_parse_from(struct arena *a, const char *raw, const char **ret_ref, bool *ret_read_only,
		     struct err *e);

/* Checks a mount and cleans its paths. */
int mount_check(struct arena *a, struct spec_mount *m, struct err *e);

/* Whether MODE ("ro,z") is one that -v may have. */
bool mount_mode_is_valid(const char *mode);

/* -- mount-points.c: what a new container's mounts come to ----------------------------------------
 */

/* Fills c->spec.points. Nothing is written. */
int mount_points_make(struct engine *en, struct container *c, struct err *e);

/* Whether publishing them makes what a power cut must not take: 1, 0, -1. */
int mount_points_need_sync(struct engine *en, const struct container *c, struct err *e);

/* Makes rows of volumes, notes their use and takes views of images, in the transaction that makes
 * the container, before its row is written. The names of volumes that are new end up in NEW, a
 * vector in the container's arena. */
int mount_points_publish(struct engine *en, struct container *c, const char ***ret_new,
			 struct err *e);

/* -- mount-fill.c --------------------------------------------------------------------------------
 */

/* Fills the container's empty volumes from the image with the top layer CHAIN. */
int mount_points_fill(struct engine *en, const struct container *c, const char *chain,
		      struct err *e);

/* -- mount-source.c: what is mounted, as descriptors ----------------------------------------------
 */

/* Opens the sources of the container's points (struct mount_sources); RET is to be closed also
 * after a failure. */
int mount_sources_open(struct engine *en, const struct container *c, struct mount_sources *ret,
		       struct err *e);
/* Closes; with UNDO what was made on the host goes, where it is still empty. */
void mount_sources_done(struct mount_sources *m, bool undo);

/* A snapshot's description as a detached mount. VOLATILE_ as in container-rootfs.c. */
struct snapshot_mounts;
int mount_snapshot(const struct snapshot_mounts *m, bool volatile_, struct err *e);

/* -- volume-local.c: the driver's options ---------------------------------------------------------
 */

/* What a volume without a name is labelled with, as Docker's. */
#define VOLUME_LABEL_ANONYMOUS "com.docker.volume.anonymous"

/* Checks the name of a new volume; in Docker's words. */
int volume_name_check(const char *name, struct err *e);

/* The text of a JSON object, in A; NULL where N is 0. */
const char *volume_pairs_text(struct arena *a, const struct spec_pair *v, size_t n);

/* Checks the options of a new volume. */
int volume_options_check(const struct spec_pair *v, size_t n, struct err *e);

/* Opens what the volume shows: its directory, or a detached mount where it has options. */
int volume_source(struct engine *en, const char *name, struct err *e);

/* A detached clone of what FD is in the mount namespace NS. A descriptor or a negative errno. */
int mount_clone_in(int ns, int fd);

/* Whether the volume is what its options say, not a directory of the store: 1, 0, -1. */
int volume_is_mounted(struct engine *en, const char *name, struct err *e);

/* Tells of a volume: "create", "destroy". */
void volume_event(struct engine *en, const char *name, const char *action);
/* "mount" and "unmount" of all volumes of the container. */
void volume_events_mounted(struct engine *en, const struct container *c, bool mounted);

/* Docker's Mounts of `inspect`. A new reference, or NULL. */
json_t *mount_points_view(struct engine *en, const struct container *c);

/* Puts into ROW what `ps` shows and filters by: Mounts (names of volumes, else sources),
 * Destinations, LocalVolumes (a number). 0 or -1. */
int mount_points_list(const struct container *c, json_t *row);

/* Takes back in the caller's transaction what the container has of volumes and images, and with
 * ANONYMOUS removes the volumes that were made for it and that nobody else has. Their names end up
 * in *RET_GONE, a vector in A; NULL where there are none. */
int mount_points_release(struct engine *en, const struct container *c, bool anonymous,
			 struct arena *a, const char ***ret_gone, struct err *e);

#endif
