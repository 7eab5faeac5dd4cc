// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

/** What PCI class codes mean, as far as people who pass devices through meet them. */
final class PciClass {
  private PciClass() {}

  /** A few words for a 24-bit class code. */
  static String name(int classCode) {
    return switch (classCode >>> 8) {
      case 0x0100 -> "SCSI controller";
      case 0x0101 -> "IDE controller";
      case 0x0104 -> "RAID controller";
      case 0x0106 -> "SATA controller";
      case 0x0108 -> "NVMe controller";
      case 0x0200 -> "Ethernet controller";
      case 0x0207 -> "InfiniBand controller";
      case 0x0280 -> "network controller";
      case 0x0300 -> "VGA controller";
      case 0x0302 -> "3D controller";
      case 0x0403 -> "audio device";
      case 0x0500 -> "memory";
      case 0x0600 -> "host bridge";
      case 0x0601 -> "ISA bridge";
      case 0x0604 -> "PCI bridge";
      case 0x0880 -> "system peripheral";
      case 0x0c03 -> "USB controller";
      case 0x0c05 -> "SMBus";
      case 0x1200 -> "accelerator";
      default -> "class %06x".formatted(classCode);
    };
  }
}
