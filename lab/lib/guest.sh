# SPDX-License-Identifier: Apache-2.0
# One guest: its initramfs, its QEMU, its output.

# prepare_guest WORK: kernel and initramfs, and the disk with both if a firmware boots it.
prepare_guest() {
  local work=$1
  initramfs "$work"
  cp "$(kernel_dir)/linux" "$work/linux"
  if [ -n "$FIRMWARE" ]; then
    boot_image "$work" "$work/boot.img"
    truncate -s 64M "$work/data.img"
  fi
}

# run_guest WORK: boots the lane's kernel in WORK, a directory inside the QEMU chroot, and sets QEMU_STATUS when QEMU has ended or had to be.
# QEMU writes two files there: `console` has what the kernel says, `channel` what the steps say.
run_guest() {
  local work=$1 root inside disk name typed='' boot=() devices=() restart=(-no-reboot) control=() answers=
  root=$(qemu_root)
  inside=${work#"$root"}
  for ((disk = 0; disk < DEVICES; disk++)); do
    truncate -s 1280M "$work/disk$disk" # sparse: what is not written takes no room
    devices+=(-drive "if=none,id=disk$disk,format=raw,cache=writeback,file=$inside/disk$disk$DISK_OPTIONS") # a flush is one
  done
  for ((disk = 0; disk < ${#NULLS[@]}; disk++)); do
    devices+=(-drive "if=none,id=null$disk,driver=null-co,size=1G,read-zeroes=on")
  done
  for name in "${!SERVED[@]}" "${!WITH[@]}"; do
    if [ -z "${PLUGGED[$name]:-}" ]; then devices+=(-device "{$(served_device "$inside" "$name")}"); fi
  done
  if [ ${#PLUGGED[@]} -gt 0 ]; then
    open_control
    control=(-chardev "file,id=control,path=$inside/control.log,input-path=$inside/control" -qmp chardev:control)
  fi
  case " ${STEPS[*]} " in *' reboot '*) restart=() ;; esac
  if [ -z "$FIRMWARE" ]; then
    boot=(-kernel "$inside/linux" -initrd "$inside/initramfs" -append "console=$CONSOLE panic=-1 $APPEND")
  else
    read -ra boot <<<"$(firmware "$work")"
    typed >"$work/typed"
    if [ -s "$work/typed" ]; then typed=",input-path=$inside/typed"; fi
  fi
  # In the background, so that a signal for this shell reaches QEMU at once and not after the guest's end.
  timeout --foreground -k 10 "$TIMEOUT" chroot "$root" "$QEMU_BINARY" "${QEMU[@]}" -m "$MEMORY" \
    -nodefaults -display none -monitor none "${restart[@]}" \
    -chardev "file,id=console,path=$inside/console$typed" -serial chardev:console \
    -chardev "file,id=channel,path=$inside/channel" -serial chardev:channel \
    "${boot[@]}" "${control[@]}" "${devices[@]}" >"$work/qemu" 2>&1 &
  QEMU_PID=$!
  if [ ${#SERVED[@]} -gt 0 ]; then answer_requests "$QEMU_PID" & answers=$!; fi
  if [ ${#restart[@]} -eq 0 ]; then end_on_panic "$QEMU_PID" & fi
  QEMU_STATUS=0
  wait "$QEMU_PID" || QEMU_STATUS=$?
  QEMU_PID=
  if [ -n "$answers" ]; then wait "$answers" || true; fi # what the last request began
}

# initramfs WORK: the cached runtime, then what this run adds to it: modules, jars, the guest's scripts and what the lane declares.
initramfs() {
  local work=$1 add=$1/add number=10 module name
  mkdir -p "$add/jvfio/modules" "$add/jvfio/lib" "$add/etc"
  if [ ${#MODULES[@]} -gt 0 ]; then
    kernel_modules "${MODULES[@]}" >"$work/modules"
    while read -r module; do
      name=${module##*/}
      xz -dc "$module" >"$add/jvfio/modules/$number-${name%.xz}" # numbered: they are loaded in this order
      number=$((number + 1))
    done <"$work/modules"
  fi
  cp "$LAB/guest/init" "$add/init"
  cp "$LAB/guest/steps" "$LAB/guest/served-steps" "$add/jvfio"
  if [ -n "$SHELL_STEPS" ]; then cp "$SHELL_STEPS" "$add/jvfio/shell-steps"; fi
  if [ -z "$FIRMWARE" ]; then cp -r "$LIB/." "$add/jvfio/lib"; fi
  if [ ${#PACKAGES[@]} -gt 0 ]; then cp -a "$(packages_dir)/." "$add"; fi
  if [ -n "$FIGURES" ]; then
    for name in remap nvmeperf; do
      "$(cross_prefix)gcc" -O2 -Wall -Werror -shared -fPIC -o "$add/jvfio/lib$name.so" "$LAB/src/main/c/$name.c"
    done
  fi
  echo root:x:0:0:root:/root:/bin/sh >"$add/etc/passwd"
  echo nobody:x:65534:65534:nobody:/tmp:/bin/sh >>"$add/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$add/etc/group"
  {
    echo "LANE='$LANE'"
    echo "CHANNEL='$CHANNEL'"
    echo "BIND='$BIND'"
    echo "BOUND='${BOUND:-$((DEVICES + ${#NULLS[@]}))}'"
    echo "NULLS='${NULLS[*]}'"
    echo "STEPS='${STEPS[*]}'"
    echo "PLUGS='$PLUGS'"
    echo "OFF='$OFF'"
    echo "STEP_TIMEOUT='$((TIMEOUT * 3 / 4))'"
  } >"$add/jvfio/lane"
  chmod -R a+rX "$add" # one step runs as nobody
  pack "$add" "$work/initramfs.add"
  if [ -z "$FIRMWARE" ]; then
    cat "$(runtime_dir "$ARCH")/runtime.cpio" "$work/initramfs.add" >"$work/initramfs"
  else # small, for a firmware reads it, and without Java
    (cd "$add" && cpio --quiet -idm -f 'jre*' <"$(runtime_dir "$ARCH")/runtime.cpio" && find . | sort | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$work/initramfs"
  fi
  rm -rf "$add" "$work/initramfs.add"
}

# split_channel CHANNEL OUT: NAME.out (standard output), NAME.err, NAME.rc and NAME.seconds of every step; `end` when the guest reached it.
split_channel() {
  tr -d '\r' <"$1" | awk -v out="$2/" '
    /^@@step / { name = $2; file = out name ".out"; printf "" >file; next }
    /^@@err /  { file = out name ".err"; printf "" >file; next }
    /^@@done / { print $3 >(out name ".rc"); print $4 >(out name ".seconds"); file = ""; next }
    /^@@outside / { next }
    /^@@end$/  { printf "" >(out "end"); file = ""; next }
    file       { print >file }'
}
