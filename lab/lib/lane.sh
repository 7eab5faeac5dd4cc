# One lane, from its file in lanes/ to its result.

# load_lane NAME: a lane's file sets these; what it leaves out has the value given here.
load_lane() {
  LANE=$1
  ARCH='' KERNEL='' KERNEL_PACKAGE='' KERNEL_SOURCE='' KERNEL_OPTIONS='' APPEND='' MEMORY=2G
  DEVICES=2 # NVMe controllers, each with a disk of its own: disk0, disk1 …
  NULLS=() # PCI addresses of controllers whose disks hold nothing and take no time: null0, null1 …; there when NVMe figures are measured
  KERNEL_SUITES=() KERNEL_SHA256=() MODULES=() QEMU=() NULL_QEMU=() STEPS=()
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
  # shellcheck disable=SC2046 # a list of packages
  if [ -n "$FIGURES" ]; then host_packages gcc $(cross_packages) "$(c_library_package)"; fi
}

# run_lane NAME: boots the guest, collects its steps, lets the project report on them. Fails when anything is not as it should be.
run_lane() {
  load_lane "$1"
  local out=$RESULTS/$LANE root work started=$SECONDS step
  if [ -n "$FIGURES" ]; then STEPS=("$FIGURES"); fi
  case $FIGURES in
    nvme-*)
      [ ${#NULLS[@]} -gt 0 ] || die "lane $LANE has no controllers for figures of NVMe"
      QEMU+=("${NULL_QEMU[@]}")
      if [ ${#MODULES[@]} -gt 0 ]; then MODULES+=(nvme); fi
      ;;
    *) NULLS=() ;;
  esac
  if [ -n "$SHELL_STEPS" ]; then STEPS=(shell dmesg); fi
  STEPS=(bind "${STEPS[@]}")
  rm -rf "$out"
  mkdir -p "$out"
  root=$(qemu_root)
  work=$(mktemp -d "$root/lab/$LANE.XXXXXX")
  QEMU_PID=
  # shellcheck disable=SC2064 # $work as it is now
  trap "stop_guest; rm -rf '$work'" EXIT
  trap 'exit 143' TERM INT

  run_guest "$work"
  echo "$((SECONDS - started))" >"$out/seconds"
  touch "$work/console" "$work/channel"
  tr -d '\r' <"$work/console" >"$out/console.log"
  cp "$work/qemu" "$out/qemu.log"
  split_channel "$work/channel" "$out"

  if [ "$QEMU_STATUS" -eq 124 ] || [ "$QEMU_STATUS" -eq 137 ]; then
    broken "the guest did not power off within $TIMEOUT seconds"
  elif [ "$QEMU_STATUS" -ne 0 ] || [ ! -e "$out/end" ]; then
    broken "the guest did not reach its end (QEMU's exit status is $QEMU_STATUS)"
  fi
  for step in "${STEPS[@]}"; do
    [ -e "$out/$step.rc" ] || broken "step $step did not finish"
  done
  for step in "${STEPS[@]}"; do
    # Whether a failed step fails the lane is the report's to say, but nobody should have to look for the reason.
    if [ "$(cat "$out/$step.rc")" != 0 ]; then
      printf '%s: status %s\n' "$step" "$(cat "$out/$step.rc")"
      tail -n 20 "$out/$step.err"
    fi
  done
  [ "$(cat "$out/bind.rc")" = 0 ] || broken "binding the devices failed" "$out/bind.out"
  if [ -n "$SHELL_STEPS" ]; then
    cat "$out/shell.out"
    return "$(cat "$out/shell.rc")"
  fi
  if [ -n "$FIGURES" ]; then
    cat "$out/$FIGURES.out"
    return "$(cat "$out/$FIGURES.rc")"
  fi
  for step in "${STEPS[@]}"; do
    case $step in nvme-io*) check_disk "$work" "$out" "$step" ;; esac
  done
  if [ -e "$out/probe-text.out" ]; then cat "$out/probe-text.out"; fi
  "$(java_home)/bin/java" --enable-native-access=io.jvfio.linux -p "$LIB" -m io.jvfio.lab/io.jvfio.lab.LaneReport "$LANE" "$out"
}

# check_disk WORK OUT STEP: looks for what the step says to have written in the image of its disk, as a further step STEP-disk.
check_disk() {
  local work=$1 out=$2 step=$3 status=0 number
  number=$(sed -n 's/^serial jvfio//p' "$out/$step.out")
  "$(java_home)/bin/java" -p "$LIB" -m io.jvfio.lab/io.jvfio.lab.DiskCheck "$work/disk$number" "$out/$step.out" \
    >"$out/$step-disk.out" 2>"$out/$step-disk.err" || status=$?
  echo "$status" >"$out/$step-disk.rc"
  cat "$out/$step-disk.err"
}

stop_guest() { if [ -n "$QEMU_PID" ]; then kill "$QEMU_PID" 2>/dev/null || true; wait "$QEMU_PID" 2>/dev/null || true; fi; }

# broken REASON [FILE…]: what there is to see, then the reason.
broken() {
  local out=$RESULTS/$LANE reason=$1
  shift
  tail -v -n 60 "$out/console.log" "$out/qemu.log" "$@"
  printf '\n%s: %s; everything is in %s\n' "$LANE" "$reason" "$out"
  exit 1
}
