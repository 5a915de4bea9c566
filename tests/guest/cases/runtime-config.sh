# SPDX-License-Identifier: Apache-2.0
# linux.resources of config.json, and ordinary users, where there is only cgroup v2.
B=/tmp/config
mkdir -p $B/rootfs/bin $B/rootfs/proc $B/rootfs/dev $B/rootfs/sys $B/rootfs/tmp
cp /bin/busybox $B/rootfs/bin/
for applet in sh cat echo true sleep mkdir id ls; do ln -sf busybox $B/rootfs/bin/$applet; done
CG=/sys/fs/cgroup/kogge/config
runtime() { kogge-runtime --root $B/states "$@"; }
is() { [ "$1" = "$2" ] || { echo "got '$1' and not '$2'"; return 1; }; }

# config RESOURCES [COMMAND...]: members of linux.resources as JSON.
config() {
	local resources=$1
	rm -f $B/config.json
	runtime spec --bundle $B || return 1
	sed -i -e 's/"terminal": true/"terminal": false/' -e '/"rlimits"/,/\]/d' -e 's/"sh"/"true"/' \
		-e "s/\"resources\": {/\"resources\": {$resources,/" $B/config.json
}
# files RESOURCES FILE...: what is in the files of the cgroup of a created container.
files() {
	local out="" code=0
	config "$1" || return 1
	shift
	runtime create --bundle $B config </dev/null >$B/out 2>&1 || { cat $B/out; return 1; }
	for file; do out="$out$(cat $CG/$file);" || code=1; done
	runtime delete --force config
	echo "$out"
	return $code
}
# refused RESOURCES WORDS: nothing is left, and the message has the words.
refused() {
	config "$1" || return 1
	runtime run --bundle $B config </dev/null >$B/out 2>&1 && { echo "was taken"; return 1; }
	[ ! -e $CG ] || { echo "left $CG"; return 1; }
	grep -qF "$2" $B/out || { cat $B/out; return 1; }
}

memory() {
	is "$(files '"memory": {"limit": 67108864, "reservation": 1048576, "checkBeforeUpdate": true}' \
		memory.max memory.low)" "67108864;1048576;"
}
# The limit of memory and swap together is cut into two.
swap() {
	[ -e /sys/fs/cgroup/kogge/memory.swap.max ] || { echo "no swap accounting"; return 0; }
	is "$(files '"memory": {"limit": 67108864, "swap": 100663296}' memory.max memory.swap.max)" "67108864;33554432;"
}
cpu() {
	is "$(files '"cpu": {"shares": 1024, "quota": 20000, "period": 40000, "burst": 10000}' \
		cpu.weight cpu.max cpu.max.burst)" "$1"
}
unified() {
	is "$(files '"unified": {"memory.high": "33554432", "pids.max": "9"}' memory.high pids.max)" "33554432;9;"
}
cpuset() { is "$(files '"cpu": {"cpus": "0", "mems": "0"}' cpuset.cpus cpuset.mems)" "0;0;"; }

check "memory" memory
check "memory and swap" swap
# 1024 shares are 39 of crun and of runc before 1.3, 100 since the conversion was mended
check "cpu" cpu "100;20000 40000;10000;"
check "idle cpu" eval 'is "$(files "\"cpu\": {\"idle\": 1}" cpu.idle)" "1;"'
check "pids" eval 'is "$(files "\"pids\": {\"limit\": 33}" pids.max)" "33;"'
check "pids without a limit" eval 'is "$(files "\"pids\": {\"limit\": -1}" pids.max)" "max;"'
check "cpuset" cpuset
check "unified is written as it is" unified
check "unified keys that the kernel lacks are named" refused '"unified": {"memory.no-such": "1"}' linux.resources.unified.memory.no-such
check "unified keys of the tree are refused" refused '"unified": {"cgroup.procs": "1"}' linux.resources.unified
check "swappiness is of version 1" refused '"memory": {"swappiness": 5}' linux.resources.memory.swappiness
check "the OOM killer stays" refused '"memory": {"disableOOMKiller": true}' linux.resources.memory.disableOOMKiller
check "kernel memory is of version 1" refused '"memory": {"kernel": 50000000}' linux.resources.memory.kernel
check "real time is of version 1" refused '"cpu": {"realtimeRuntime": 5000, "realtimePeriod": 10000}' linux.resources.cpu.realtime
check "network classes are of version 1" refused '"network": {"classID": 1048577}' linux.resources.network.classID
check "leaf weights are of version 1" refused '"blockIO": {"leafWeight": 100}' linux.resources.blockIO
check "rates of no device" refused '"blockIO": {"throttleReadBpsDevice": [{"major": 222, "minor": 9, "rate": 5}]}' linux.resources.blockIO.throttleReadBpsDevice

# ---- ordinary users ----
grep -q ^ordinary: /etc/passwd || echo "ordinary:x:1000:1000::/:/bin/sh" >>/etc/passwd
U=/sys/fs/cgroup/user.test
mkdir -p $U/session /tmp/ordinary
echo "+memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
as_user() { su -s /bin/sh ordinary -c "export XDG_RUNTIME_DIR=/tmp/ordinary; cd $B; $1"; }
# user_config RESOURCES: as config, for the user.
user_config() {
	rm -f $B/config.json
	as_user "kogge-runtime spec --rootless" || return 1
	sed -i -e 's/"terminal": true/"terminal": false/' -e '/"rlimits"/,/\]/d' \
		-e 's/"sh"/"sh", "-c", "id -u; cat \/proc\/self\/cgroup"/' \
		-e "s/\"linux\": {/\"linux\": {\"resources\": {$1},/" $B/config.json
}
without_delegation() {
	user_config "" && is "$(as_user 'kogge-runtime run a </dev/null')" "0
0::/" || is "$(as_user 'kogge-runtime run a </dev/null' | head -n 1)" 0
}
limits_without_delegation() {
	user_config '"memory": {"limit": 67108864}' || return 1
	as_user 'kogge-runtime run a </dev/null' >$B/out 2>&1 && { echo "was taken"; return 1; }
	grep -q "linux.resources.memory.limit" $B/out && grep -q "Delegate=yes" $B/out || { cat $B/out; return 1; }
}
# A shell in the user's cgroup; what it starts makes its cgroups there.
with_delegation() {
	echo "+memory +pids" >$U/cgroup.subtree_control
	for f in . cgroup.procs cgroup.subtree_control cgroup.threads; do chown 1000:1000 $U/session/$f; done
	user_config '"memory": {"limit": 67108864}, "pids": {"limit": 44}' || return 1
	sh -c "echo \$\$ >$U/session/cgroup.procs; exec su -s /bin/sh ordinary -c 'export XDG_RUNTIME_DIR=/tmp/ordinary; cd $B; \
		kogge-runtime create b </dev/null >$B/user.out 2>&1 && cat $U/session/kogge/b/memory.max $U/session/kogge/b/pids.max; \
		kogge-runtime delete --force b; ls -d $U/session/kogge/b 2>/dev/null'" >$B/out 2>&1
	is "$(cat $B/out)" "67108864
44" || { cat $B/user.out; return 1; }
}
touch $B/user.out
chmod 777 $B $B/user.out /tmp/ordinary
chown 1000:1000 /tmp/ordinary
if as_user true; then
	check "an ordinary user without a delegated cgroup" without_delegation
	check "its limits are refused with what to do" limits_without_delegation
	check "an ordinary user with a delegated cgroup has limits" with_delegation
else
	skip "ordinary users" "no su"
fi
