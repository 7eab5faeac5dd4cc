# SPDX-License-Identifier: Apache-2.0
# One lane, from its file in lanes/ to its result.

# load_lane NAME: a lane's file sets these; what it leaves out has the value given here.
load_lane() {
  LANE=$1
  ARCH='' KERNEL='' KERNEL_PACKAGE='' KERNEL_SOURCE='' KERNEL_OPTIONS='' APPEND='' MEMORY=2G REPORT=LaneReport
  DEVICES=2 # NVMe controllers, each with a disk of its own: disk0, disk1 …
  DISK_OPTIONS='' # of QEMU's drives, each with a comma before it
  NULLS=() # PCI addresses of controllers whose disks hold nothing and take no time: null0, null1 …; there when NVMe figures are measured
  BIND=class=0x010802 BOUND='' # which PCI devices are vfio-pci's in the guest, by an attribute, if any; how many must be
  declare -gA SERVED=() # devices that are served from outside: arguments of `jvfio serve`
  declare -gA WITH=() # a device that the process of another one serves
  FIRMWARE='' # what boots the guest from the served disk `boot`; QEMU itself, from files, if empty
  OFF=poweroff # how the guest ends: also by reboot, where it does no more than once
  declare -gA PLUGGED=() # those of them that a step plugs into QEMU, and into which bus; the others are there from the start
  PLUGS=0 # how often
  declare -gA PLACES=() NICE=() # of a served device: where QEMU puts it, as members of JSON; how much its server lets others go first
  KERNEL_SUITES=() KERNEL_SHA256=() MODULES=() QEMU=() NULL_QEMU=() STEPS=() PACKAGES=() HOST_PACKAGES=()
  [ -f "$LAB/lanes/$LANE" ] || die "no such lane: $LANE (there are: $(cd "$LAB/lanes" && echo *))"
  # shellcheck source=/dev/null
  source "$LAB/lanes/$LANE"
  use_architecture "$ARCH"
  case $KERNEL in debian | source) ;; *) die "lane $LANE: KERNEL is neither debian nor source" ;; esac
}

prepare_lane() {
  load_lane "$1"
  prepare_qemu
  prepare_runtime "$ARCH"
  prepare_kernel
  prepare_packages
  host_packages "${HOST_PACKAGES[@]}"
  # shellcheck disable=SC2046 # a list of packages
  if [ -n "$FIGURES" ]; then host_packages gcc $(cross_packages) "$(c_library_package)"; fi
}

# run_lane NAME: boots the guest, collects its steps, lets the project report on them. Fails when anything is not as it should be.
run_lane() {
  load_lane "$1"
  OUT=$RESULTS/$LANE
  local root started=$SECONDS step
  if [ -n "$FIGURES" ]; then STEPS=("$FIGURES"); fi
  case $FIGURES in
    nvme-*) for_nvme_figures ;;
    *) NULLS=() ;;
  esac
  if [ -n "$SHELL_STEPS" ]; then STEPS=(shell dmesg); fi
  if [ -n "$BIND" ]; then STEPS=(bind "${STEPS[@]}"); fi
  rm -rf "$OUT"
  mkdir -p "$OUT"
  root=$(qemu_root)
  WORK=$(mktemp -d "$root/lab/$LANE.XXXXXX")
  QEMU_PID=
  trap end_lane EXIT
  trap 'exit 143' TERM INT

  prepare_guest "$WORK"
  start_servers
  run_guest "$WORK"
  echo "$((SECONDS - started))" >"$OUT/seconds"
  stop_servers
  touch "$WORK/console" "$WORK/channel"
  tr -d '\r' <"$WORK/console" >"$OUT/console.log"
  cp "$WORK/qemu" "$OUT/qemu.log"
  split_channel "$WORK/channel" "$OUT"

  if [ "$QEMU_STATUS" -eq 124 ] || [ "$QEMU_STATUS" -eq 137 ]; then
    broken "the guest did not power off within $TIMEOUT seconds"
  elif [ "$QEMU_STATUS" -ne 0 ] || [ ! -e "$OUT/end" ]; then
    broken "the guest did not reach its end (QEMU's exit status is $QEMU_STATUS)"
  fi
  for step in "${STEPS[@]}"; do
    [ -e "$OUT/$step.rc" ] || broken "step $step did not finish"
  done
  if [ -n "$BIND" ] && [ "$(cat "$OUT/bind.rc")" != 0 ]; then broken "binding the devices failed" "$OUT/bind.out"; fi
  if [ -n "$SHELL_STEPS" ]; then
    cat "$OUT/shell.out"
    return "$(cat "$OUT/shell.rc")"
  fi
  if [ -n "$FIGURES" ]; then
    cat "$OUT/$FIGURES.out" "$OUT/$FIGURES.err"
    return "$(cat "$OUT/$FIGURES.rc")"
  fi
  after_guest
  echo "$((SECONDS - started))" >"$OUT/seconds"
  tell_failed_steps
  if [ -e "$OUT/probe-text.out" ]; then cat "$OUT/probe-text.out"; fi
  lab_java "$REPORT" "$LANE" "$OUT"
}

# for_nvme_figures: what a lane's machine has, beyond what it has for its steps, when reads of an NVMe controller are measured.
for_nvme_figures() {
  [ ${#NULLS[@]} -gt 0 ] || die "lane $LANE has no controllers for figures of NVMe"
  QEMU+=("${NULL_QEMU[@]}")
  if [ ${#MODULES[@]} -gt 0 ]; then MODULES+=(nvme); fi
}

# after_guest: what is looked at outside when the guest has ended: here, the image of the disk that a step says to have written. A lane may
# have an after_guest of its own, and a for_nvme_figures.
after_guest() {
  local step number
  for step in "${STEPS[@]}"; do
    if [[ $step != nvme-io* ]]; then continue; fi
    number=$(sed -n 's/^serial jvfio//p' "$OUT/$step.out")
    outside_step "$step-disk" lab_java DiskCheck "$WORK/disk$number" "$OUT/$step.out"
  done
}

# Whether a failed step fails the lane is the report's to say, but nobody should have to look for the reason.
tell_failed_steps() {
  local file step
  for file in "$OUT"/*.rc; do
    step=$(basename "$file" .rc)
    if [ "$(cat "$file")" != 0 ]; then
      printf '%s: status %s\n' "$step" "$(cat "$file")"
      tail -n 20 "$OUT/$step.err"
    fi
  done
}

# end_lane: nothing goes on when a lane has ended, however it did; what a guest had said that was still running is all there is to see of it.
end_lane() {
  if [ -n "$QEMU_PID" ]; then
    kill "$QEMU_PID" 2>/dev/null || true
    wait "$QEMU_PID" 2>/dev/null || true
    printf '%s: ended while the guest was running; its console:\n' "$LANE"
    tail -n 60 "$WORK/console" || true
    split_channel "$WORK/channel" "$OUT" || true
  fi
  stop_servers
  rm -rf "$WORK"
}

# broken REASON [FILE…]: what there is to see, then the reason.
broken() {
  local reason=$1 file
  shift
  for file in "$OUT/console.log" "$OUT/qemu.log" "$OUT"/served-*.err "$@"; do
    if [ -e "$file" ]; then tail -v -n 60 "$file"; fi
  done
  printf '\n%s: %s; everything is in %s\n' "$LANE" "$reason" "$OUT"
  exit 1
}
