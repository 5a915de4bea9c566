# SPDX-License-Identifier: Apache-2.0
# pause, exec, update, stats and stop where there is only cgroup v2.
. /guest/image.sh
make_image bb
cg=/sys/fs/cgroup

kogge run --network none -d --name one -m 64m --cpus 1.5 bb sh -c "trap 'exit 5' TERM; while :; do echo x >>/ticks; sleep 0.1; done" >/dev/null
id=$(kogge ps -q --no-trunc)
dir=$cg/kogge/$id

# says EXPECTED COMMAND...: what COMMAND prints.
says() {
	local want=$1 got
	shift
	got=$("$@" 2>&1)
	[ "$got" = "$want" ] || { echo "got '$got' and not '$want'"; return 1; }
}
exec_in_it() {
	local pid
	kogge exec -d one sleep 4321 || return 1
	pid=$(pidof sleep | tr ' ' '\n' | while read -r p; do tr '\0' ' ' <"/proc/$p/cmdline" | grep -q 4321 && echo "$p"; done)
	grep -qx "$pid" "$dir/cgroup.procs" || { echo "$pid is not in $(cat "$dir/cgroup.procs")"; return 1; }
	kill "$pid"
}

check "exec is in the container's cgroup" exec_in_it
check "exec sees its cgroup as the root" says 0::/ kogge exec one cat /proc/self/cgroup
check "exec has the command's exit code" sh -c 'kogge exec one sh -c "exit 9"; [ $? = 9 ]'
check "pause freezes" sh -c "kogge pause one && grep -q 'frozen 1' $dir/cgroup.events"
check "exec is refused then" sh -c '! kogge exec one true'
check "unpause thaws" sh -c "kogge unpause one && grep -q 'frozen 0' $dir/cgroup.events"
check "update changes what runs" sh -c "kogge update -m 128m --memory-swap 256m --cpus 0.5 --pids-limit 30 one &&
	[ \"\$(echo \$(cat $dir/memory.max $dir/memory.swap.max $dir/cpu.max $dir/pids.max))\" = '134217728 134217728 50000 100000 30' ]"
check "stats knows the limit" sh -c 'kogge stats --no-stream --format "{{.MemUsage}}" | grep -q "/ 128MiB"'
check "stats counts processes" sh -c '[ "$(kogge stats --no-stream --format "{{.PIDs}}")" -ge 1 ]'
check "a paused container is stopped test_X14" sh -c 'kogge pause one && kogge stop -t 20 one && [ "$(kogge wait one)" = 5 ]'
check "restart starts it again" sh -c 'kogge restart one && [ "$(kogge ps -q)" ]'
check "a paused container is removed test_X14" sh -c 'kogge pause one && kogge rm -f one'
check "events have told it" sh -c 'kogge events --since 1h --until $(($(date +%s) + 1)) --format "{{.Action}}" | grep -q destroy'
check "no cgroup is left" sh -c '! ls -d /sys/fs/cgroup/kogge/*/ 2>/dev/null'
