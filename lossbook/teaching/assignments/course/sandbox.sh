#!/bin/sh
# Runs a command so that it sees of the course only the folder of one submission, where it is started
# (COURSE/autograded/STUDENT/ASSIGNMENT), and can write nowhere else: Linux mount namespaces, no other tool.
set -eu
own=$(pwd -P)
course=$(cd "$own/../../.." && pwd -P)
if [ "$(id -u)" = 0 ]; then user=; else user="--user --map-root-user"; fi
# shellcheck disable=SC2086
exec unshare $user --mount --propagation private sh -euc '
  own=$1 course=$2; shift 2
  exec 9<"$own"
  mount -t tmpfs -o mode=1777 scratch /mnt
  mkdir /mnt/own /mnt/home
  mount --bind /proc/self/fd/9 /mnt/own
  exec 9<&-
  mount -t tmpfs -o mode=755 course "$course"
  mkdir -p "$own"
  mount --bind /mnt/own "$own"
  umount /mnt/own
  mount -o remount,bind,ro "$course"
  for place in / /home /tmp /var /root /srv /opt /usr /var/tmp; do
    if [ "$(stat -c %m "$place" 2>/dev/null)" = "$place" ]; then mount -o remount,bind,ro "$place" || :; fi
  done
  cd "$own"
  export HOME=/mnt/home TMPDIR=/mnt MPLCONFIGDIR=/mnt/home IPYTHONDIR=/mnt/home/ipython
  exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
' sandbox "$own" "$course" "$@"
