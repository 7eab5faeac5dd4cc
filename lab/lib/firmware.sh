# SPDX-License-Identifier: Apache-2.0
# A guest that a firmware boots from a served disk, and not QEMU from files: SeaBIOS, OVMF or U-Boot, each with an NVMe driver of its own, which polls.

# boot_image WORK IMAGE: a disk with kernel and initramfs of WORK, and with what each firmware looks for; its second partition is free.
boot_image() {
  local work=$1 image=$2 append
  local configuration=$work/boot.cfg modules=(part_msdos fat linux serial terminal echo search_fs_file boot)
  append="console=$CONSOLE panic=-1 $APPEND"
  truncate -s 96M "$image"
  printf 'label: dos\nstart=2048, size=131072, type=ef, bootable\ntype=da\n' | sfdisk -q "$image"
  mkfs.fat -F 16 --offset=2048 "$image" 65536 >/dev/null 2>&1
  printf '%s\n' 'search.file /linux root' "linux /linux $append loader=grub" 'initrd /initramfs' boot >"$configuration"
  grub-mkimage -O i386-pc -o "$work/core.img" -p / -c "$configuration" biosdisk "${modules[@]}"
  grub-mkimage -O x86_64-efi -o "$work/boot.efi" -p / -c "$configuration" "${modules[@]}"
  MTOOLS_SKIP_CHECK=1 mmd -i "$image@@1M" ::/EFI ::/EFI/BOOT
  MTOOLS_SKIP_CHECK=1 mcopy -i "$image@@1M" "$work/linux" "$work/initramfs" ::/
  MTOOLS_SKIP_CHECK=1 mcopy -i "$image@@1M" "$work/boot.efi" ::/EFI/BOOT/BOOTX64.EFI
  # GRUB's first sector loads the second, and that the rest; they expect each other where they are put here.
  dd if=/usr/lib/grub/i386-pc/boot.img of="$image" bs=440 count=1 conv=notrunc status=none
  dd if="$work/core.img" of="$image" bs=512 seek=1 conv=notrunc status=none
  rm "$work/core.img" "$work/boot.efi" "$configuration"
}

# firmware WORK: QEMU's options for the lane's, as words.
firmware() {
  local work=$1 inside
  inside=${work#"$(qemu_root)"}
  case $FIRMWARE in
    seabios) ;; # QEMU's own choice
    ovmf)
      cp /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/OVMF/OVMF_VARS_4M.fd "$work"
      echo "-drive if=pflash,unit=0,format=raw,readonly=on,file=$inside/OVMF_CODE_4M.fd" \
        "-drive if=pflash,unit=1,format=raw,file=$inside/OVMF_VARS_4M.fd"
      ;;
    u-boot)
      cp /usr/lib/u-boot/qemu-x86/u-boot.rom "$work"
      echo "-bios $inside/u-boot.rom"
      ;;
    *) die "lane $LANE: no such firmware: $FIRMWARE" ;;
  esac
}

# typed: what is typed at the console: U-Boot boots from a disk for NVMe when it is told to. What stops its countdown takes a character or two of the next
# line, and a command that runs may take what is typed meanwhile; so the first line is for that, and the second is all there is.
typed() {
  if [ "$FIRMWARE" != u-boot ]; then return; fi
  # The kernel unpacks itself at 16 MiB, so its initramfs is far behind.
  printf '%s\n' '' '' echo "nvme scan; nvme info; load nvme 0:1 1000000 linux; load nvme 0:1 20000000 initramfs; \
setenv bootargs console=$CONSOLE panic=-1 $APPEND loader=u-boot; zboot 1000000 0 20000000 \${filesize}"
}
