// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

/** Vendor ids, as far as people who pass devices through meet them. */
final class PciVendor {
  private PciVendor() {}

  /** The vendor's name, or the id where jvfio knows no name. */
  static String label(int vendor) {
    var name = name(vendor);
    return name.isEmpty() ? "vendor %04x".formatted(vendor) : name;
  }

  /** The vendor's name; empty where jvfio knows none. */
  static String name(int vendor) {
    return switch (vendor) {
      case 0x1002, 0x1022 -> "AMD";
      case 0x1014 -> "IBM";
      case 0x1077 -> "Marvell (QLogic)";
      case 0x10de -> "NVIDIA";
      case 0x10df -> "Broadcom (Emulex)";
      case 0x10ee -> "AMD (Xilinx)";
      case 0x1137 -> "Cisco";
      case 0x1234 -> "QEMU";
      case 0x1344 -> "Micron";
      case 0x1414 -> "Microsoft";
      case 0x144d -> "Samsung";
      case 0x14e4 -> "Broadcom";
      case 0x15b3 -> "NVIDIA (Mellanox)";
      case 0x15b7 -> "Western Digital (SanDisk)";
      case 0x19e5 -> "Huawei";
      case 0x1ae0 -> "Google";
      case 0x1af4 -> "Red Hat";
      case 0x1b36 -> "Red Hat (QEMU)";
      case 0x1b4b -> "Marvell";
      case 0x1c5c -> "SK hynix";
      case 0x1d0f -> "Amazon";
      case 0x1e0f -> "Kioxia";
      case 0x494f -> "ACCES I/O";
      case 0x8086 -> "Intel";
      default -> "";
    };
  }
}
