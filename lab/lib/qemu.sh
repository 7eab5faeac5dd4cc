# SPDX-License-Identifier: Apache-2.0
# QEMU 11.1: newer than the machine's, so its packages and all that they need are unpacked into a directory, and it is started by chroot.

QEMU_SUITE=trixie-backports
QEMU_PACKAGES="qemu-system-ppc qemu-system-x86 qemu-user"

# qemu_root: the directory to chroot to.
qemu_root() { echo "$CACHE/qemu-$(key "$QEMU_SUITE $QEMU_PACKAGES" "$(declare -f build_qemu_root)")"; }

prepare_qemu() { cached "$(qemu_root)" "QEMU of $QEMU_SUITE" "a minute on one processor; 120 MB are fetched" build_qemu_root; }

build_qemu_root() {
  local root=$1 name binary
  # shellcheck disable=SC2086 # a list of words
  foreign_packages_with_dependencies "$root" "$(dpkg --print-architecture)" "$QEMU_SUITE" $QEMU_PACKAGES
  for name in bin sbin lib lib64; do
    mkdir -p "$root/usr/$name"
    ln -s "usr/$name" "$root/$name"
  done
  mkdir -p -m 1777 "$root/tmp"
  mkdir "$root/lab" # whatever QEMU shall see is put here
  rm -rf "$root"/usr/share/{doc,locale,man}
  # The emulators of a hundred other processors take half a gigabyte.
  find "$root/usr/bin" -name 'qemu-*' ! -name qemu-system-ppc64 ! -name qemu-system-x86_64 ! -name qemu-ppc64le ! -name qemu-x86_64 -delete
  for binary in qemu-system-ppc64 qemu-system-x86_64 qemu-ppc64le qemu-x86_64; do
    chroot "$root" "$binary" --version | head -1 >&2
  done
}
