# SPDX-License-Identifier: Apache-2.0
# Restart policies, the boot unit and journald where systemd is PID 1; a volume on an NFS server.
# Stage 1 prepares and reboots, stage 2 looks and has its power cut, stage 3 looks again.
mkdir -p /var/lib/kogge
. /guest/image.sh
state() { kogge inspect -f '{{.State.Status}}' "$1"; }
is() { [ "$(state "$2")" = "$1" ] || { echo "$2 is $(state "$2") and not $1"; return 1; }; }
limited() { grep -qx 67108864 "/sys/fs/cgroup/kogge/$(kogge inspect -f '{{.Id}}' always)/memory.max"; }
in_container() { kogge exec "$1" sh -c 'echo it answers' | grep -q answers; }

# What must hold after each boot.
look() {
	check "the boot unit is active (stage $STAGE)" systemctl is-active kogge
	check "no unit has failed (stage $STAGE)" sh -c '! systemctl --failed --no-legend | grep kogge'
	check "always runs again (stage $STAGE)" is running always
	check "and answers (stage $STAGE)" in_container always
	check "within its limit (stage $STAGE)" limited
	check "unless-stopped runs again (stage $STAGE)" is running unless
	check "what was stopped by hand stays so (stage $STAGE)" is exited stopped
	check "what has no policy stays ended (stage $STAGE)" is exited plain
	check "its log has what was said before (stage $STAGE)" sh -c '[ "$(kogge logs always | grep -c started)" -ge '"$STAGE"' ]'
	check "the store is sound (stage $STAGE)" kogge system check
}

if [ "$STAGE" = 1 ]; then
	check "an image is made" make_image bb
	systemctl daemon-reload
	check "the unit is enabled" systemctl enable kogge
	for policy in always unless plain stopped; do
		restart=always
		case $policy in unless | stopped) restart=unless-stopped ;; plain) restart=no ;; esac
		check "a container with --restart $restart starts" kogge run -d --name $policy --network none --restart $restart \
			-m 64m bb sh -c 'echo started; exec sleep 100000'
	done
	check "one is stopped" kogge stop -t 0 stopped
	systemctl daemon-reload
	check "systemd leaves the limits alone" limited
	kogge run --name told --network none --log-driver journald bb sh -c 'echo to the journal; echo an error >&2' >/dev/null 2>&1
	check "journald has it" sh -c 'journalctl --sync; journalctl -o cat CONTAINER_NAME=told | grep -x "to the journal"'
	check "with the priority of an error" sh -c 'journalctl -o cat -p err CONTAINER_NAME=told | grep -x "an error"'
	check "logs reads it from there" sh -c '[ "$(kogge logs told 2>/dev/null)" = "to the journal" ]'
	check "and the errors" sh -c '[ "$(kogge logs told 2>&1 >/dev/null)" = "an error" ]'
	check "of the end, with times" sh -c 'kogge logs -t --tail 1 told 2>&1 | grep -E "^20[0-9T:.-]*Z an error$"'
	kogge run -d --name teller --network none --log-driver journald bb sh -c 'echo one; sleep 3; echo two' >/dev/null
	check "follows until the end" sh -c '[ "$(echo $(timeout 60 kogge logs -f teller))" = "one two" ]'
	cat >/run/systemd/system/serves.service <<-END
		[Service]
		Type=oneshot
		ExecStart=$(command -v kogge) run -d --name served --network none bb sleep 100000
	END
	check "a service starts one and ends" systemctl start serves
	check "and it lives on" sh -c 'sleep 1; [ "$(kogge inspect -f "{{.State.Status}}" served)" = running ] && kogge exec served true'
	reboot_now
elif [ "$STAGE" = 2 ]; then
	look
	sync
	cut
else
	look
	mkdir -p /srv/share
	echo "/srv/share 127.0.0.1(rw,no_root_squash,insecure,fsid=0)" >/etc/exports
	if systemctl start nfs-server && exportfs -ra; then
		check "a volume on an NFS server" kogge volume create --opt type=nfs --opt o=addr=127.0.0.1,rw,vers=4.2 --opt device=:/ shared
		check "is written" kogge run --rm --network none -v shared:/m bb sh -c 'echo by the container >/m/file'
		check "and the server has it" grep -qx 'by the container' /srv/share/file
		check "it is unmounted with the container" sh -c '! grep -q nfs4 /proc/mounts'
	else
		skip "a volume on an NFS server" "nfs-server does not start: $(journalctl -u nfs-server -o cat | tail -1)"
	fi
	check "all of it goes" sh -c 'kogge rm -f $(kogge ps -aq) >/dev/null && ! ls -d /sys/fs/cgroup/kogge/*/ | grep -v "/monitors/$"'
fi
