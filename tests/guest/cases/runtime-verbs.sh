# SPDX-License-Identifier: Apache-2.0
# kogge-runtime's verbs on a running container where there is only cgroup v2.
B=/tmp/verbs
mkdir -p $B/rootfs/bin $B/rootfs/proc $B/rootfs/dev $B/rootfs/sys $B/rootfs/tmp
cp /bin/busybox $B/rootfs/bin/
for applet in sh cat echo true sleep mkdir kill tail wc; do ln -sf busybox $B/rootfs/bin/$applet; done
runtime() { kogge-runtime --root $B/states "$@"; }

# start [MEMORY]: a container that sleeps; its cgroup is /kogge/verbs.
CG=/sys/fs/cgroup/kogge/verbs
start() {
	rm -f $B/config.json
	runtime spec --bundle $B || return 1
	sed -i -e 's/"terminal": true/"terminal": false/' -e '/"rlimits"/,/\]/d' \
		-e 's/"sh"/"sleep", "1000"/' -e 's/"readonly": true/"readonly": false/' $B/config.json
	sed -i -e 's/"resources": {/"resources": {"memory": {"limit": 67108864}, "pids": {"limit": 50},/' $B/config.json
	runtime create --bundle $B verbs </dev/null >$B/out 2>&1 && runtime start verbs || { cat $B/out; return 1; }
}
end() { runtime delete --force verbs && [ ! -e $CG ]; }
is() { [ "$1" = "$2" ] || { echo "got '$1' and not '$2'"; return 1; }; }
status() { runtime state verbs | sed -n 's/.*"status": "\(.*\)".*/\1/p'; }

exec_is_born_in_the_cgroup() { is "$(runtime exec verbs cat /proc/self/cgroup)" "0::/"; }
exec_codes() {
	runtime exec verbs sh -c 'exit 7'
	is $? 7 && { runtime exec verbs no-such; is $? 127; }
}
# A container that has cgroups of its own, with controllers: the process goes where the first one is.
exec_beside_the_first_process() {
	mkdir $CG/inner && echo "$(cat $CG/cgroup.procs)" >$CG/inner/cgroup.procs &&
		echo +pids >$CG/cgroup.subtree_control || return 1
	is "$(runtime exec verbs cat /proc/self/cgroup)" "0::/inner" || is "$(runtime exec verbs cat /proc/self/cgroup)" "0::/"
}
pause_and_resume() {
	runtime pause verbs && is "$(status)" paused && is "$(cat $CG/cgroup.freeze)" 1 &&
		! runtime exec verbs true 2>/dev/null &&
		runtime resume verbs && is "$(status)" running && runtime exec verbs true
}
update() {
	runtime update --memory 48m --pids-limit 20 --cpu-quota 50000 --cpu-period 100000 verbs &&
		is "$(cat $CG/memory.max) $(cat $CG/pids.max) $(cat $CG/cpu.max)" "50331648 20 50000 100000"
}
delete_paused() { runtime pause verbs && end; }
events() { runtime events --stats verbs | grep -q '"limit":67108864,.*"pids":{"current":1,"limit":50}'; }
events_tell_of_memory() {
	runtime events --interval 100ms verbs >$B/events &
	local pid=$!
	until grep -q stats $B/events; do :; done
	runtime exec verbs sh -c 'tail -c 200000000 /dev/zero | wc -c' >/dev/null 2>&1
	runtime kill verbs KILL
	wait $pid
	grep -q '"type":"oom"' $B/events || { cat $B/events; return 1; }
}

check "a container starts" start
check "exec is born in the container's cgroup test_E27" exec_is_born_in_the_cgroup
check "exec has the exit codes" exec_codes
check "figures come from the files of version 2" events
check "pause and resume" pause_and_resume
check "update" update
check "a paused container is deleted by force test_X14" delete_paused
check "it starts again" start
check "exec goes beside the first process where the top cgroup takes none" exec_beside_the_first_process
check "delete removes its own cgroups, too" end
check "it starts a third time" start
check "events tell of memory" events_tell_of_memory
check "what has ended is deleted" end
