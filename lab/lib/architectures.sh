# SPDX-License-Identifier: Apache-2.0
# What differs between the guests' architectures, by Debian's names for them.

use_architecture() {
  case $1 in
    ppc64el)
      QEMU_BINARY=qemu-system-ppc64
      USER_BINARY=qemu-ppc64le
      CONSOLE=hvc0 # the kernel's messages
      CHANNEL=/dev/hvc1 # the steps' output, which must not be mixed with them
      TRIPLET=powerpc64le-linux-gnu
      ;;
    amd64)
      QEMU_BINARY=qemu-system-x86_64
      USER_BINARY=qemu-x86_64
      CONSOLE=ttyS0
      CHANNEL=/dev/ttyS1
      TRIPLET=x86_64-linux-gnu
      ;;
    *) die "unknown architecture: $1" ;;
  esac
}

# For building a kernel: make's ARCH and target, where the target is, the compiler's prefix and packages.
kernel_arch() { case $ARCH in ppc64el) echo powerpc ;; amd64) echo x86_64 ;; esac }
kernel_target() { case $ARCH in ppc64el) echo vmlinux ;; amd64) echo bzImage ;; esac }
kernel_image() { case $ARCH in ppc64el) echo vmlinux ;; amd64) echo arch/x86/boot/bzImage ;; esac }
cross_prefix() { if [ "$(dpkg --print-architecture)" != "$ARCH" ]; then echo "$TRIPLET-"; fi; }
c_library_package() { if [ "$(dpkg --print-architecture)" != "$ARCH" ]; then echo "libc6-dev-$ARCH-cross"; else echo libc6-dev; fi; }
cross_packages() { if [ "$(dpkg --print-architecture)" != "$ARCH" ]; then echo "gcc-${TRIPLET//_/-}"; fi; }
