# SPDX-License-Identifier: Apache-2.0
# The default network where the kernel has none of what it takes, and after that has come.
. /guest/image.sh
make_image bb

# refused COMMAND...: with 125, naming what is missing and the way around.
refused() {
	local got rc
	got=$("$@" 2>&1)
	rc=$?
	[ $rc = 125 ] || { echo "ended with $rc: $got"; return 1; }
	case $got in
	*"this kernel"*"--network none"*) ;;
	*) echo "$got" && return 1 ;;
	esac
}
if [ -d /sys/module/nfnetlink ]; then
	skip "a kernel without nftables says so" "this kernel has nfnetlink built in"
else
	check "a kernel without nftables says so" refused kogge run --rm bb true
	check "and no container is left of it" sh -c '[ -z "$(kogge ps -aq)" ]'
	check "also where it was created before" sh -c 'kogge create --name early bb true'
	check "its start says so" sh -c 'kogge start early 2>&1 | grep "this kernel"'
	check "it is looked at" sh -c '[ "$(kogge inspect -f "{{.State.Status}}" early)" = created ]'
	check "it is removed" kogge rm early
fi
load_modules network
check "with the modules it has an address" sh -c 'kogge run --rm bb /bin/busybox ip -4 addr show eth0 | grep -q 172.17'
check "and the same beside another" sh -c 'kogge run -d --name one bb sleep 100 >/dev/null &&
	address=$(kogge inspect -f "{{.NetworkSettings.IPAddress}}" one) &&
	kogge run --rm bb /bin/busybox ping -c 1 -w 30 "$address"'
check "a name is an address on a network of one's own" sh -c 'kogge network create mine >/dev/null &&
	kogge run -d --name two --network mine bb sleep 100 >/dev/null &&
	kogge run --rm --network mine bb /bin/busybox ping -c 1 -w 30 two'
check "all of it goes" sh -c 'kogge rm -f one two >/dev/null && kogge network rm mine >/dev/null'
