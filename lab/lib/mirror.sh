# SPDX-License-Identifier: Apache-2.0
# A mirror with faults, lab/src/test/mirror/Mirror.java: for lab/test-setup and lab/without.

# start_mirror STATE [DIRECTORY]: serves the directory, or stands before this machine's mirror as apt's proxy. STATE/rules has its faults.
start_mirror() {
  local java
  java=$(java_home)/bin/java
  MIRROR_STATE=$1
  mkdir -p "$MIRROR_STATE"
  touch "$MIRROR_STATE/rules" "$MIRROR_STATE/requests"
  "$java" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "$LAB/src/test/mirror/Mirror.java" "$@" >"$MIRROR_STATE/log" 2>&1 &
  MIRROR_PID=$!
  until [ -e "$MIRROR_STATE/port" ]; do
    kill -0 "$MIRROR_PID" 2>/dev/null || {
      cat "$MIRROR_STATE/log" >&2
      die "the mirror with faults does not start"
    }
    sleep 0.1
  done
  MIRROR_PORT=$(cat "$MIRROR_STATE/port")
}

stop_mirror() {
  if [ -n "${MIRROR_PID:-}" ]; then
    kill "$MIRROR_PID" 2>/dev/null || true
    wait "$MIRROR_PID" 2>/dev/null || true
  fi
}
