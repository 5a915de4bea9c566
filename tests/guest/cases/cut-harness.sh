# SPDX-License-Identifier: Apache-2.0
# The harness itself: a cut loses what was not synced and keeps what was (F02).
if [ "$STAGE" = 1 ]; then
	echo kept >"$DATA/synced"
	sync
	echo lost >"$DATA/unsynced"
	cut
fi
check "test_F02_what_was_synced_survives_a_cut" grep -q kept "$DATA/synced"
check "test_F02_what_was_not_synced_is_lost" sh -c "! grep -q lost $DATA/unsynced"
