#!/bin/sh
# A container with a systemd of its own over this machine's files, which it does not change: `unshare --mount` around it.
#   container.sh FOLDER CONVOKE UNIT PROBE
set -eu
folder=$1 convoke=$2 unit=$3 probe=$4
mount -t tmpfs -o mode=755 container "$folder"
mkdir "$folder/files" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/files,workdir=$folder/work" container "$folder/root"
system=$folder/root/etc/systemd/system
cp "$unit" "$system/convoke-coordinator.service"
# What else this machine starts is no matter of this test.
mkdir -p "$system/convoke-coordinator.service.d"
printf '[Service]\nWatchdogSec=2\n' >"$system/convoke-coordinator.service.d/quick.conf"
cat >"$system/probe.service" <<'UNIT'
[Unit]
SuccessAction=exit
FailureAction=exit
FailureActionExitStatus=9
[Service]
Type=oneshot
ExecStart=/bin/sh -eux /probe.sh
StandardOutput=file:/told
StandardError=file:/told-err
UNIT
cp "$probe" "$folder/root/probe.sh"
status=0
systemd-nspawn --quiet --register=no --keep-unit --private-network --directory="$folder/root" \
	--bind-ro="$convoke:/usr/bin/convoke" --boot systemd.unit=probe.service </dev/null >"$folder/boot" 2>&1 || status=$?
cat "$folder/root/told" || cat "$folder/boot"
[ "$status" = 0 ] || cat "$folder/root/told-err" >&2
exit "$status"
