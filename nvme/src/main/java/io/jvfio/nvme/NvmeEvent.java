// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/**
 * An event that a controller tells on its own. The event is told once; the same is told again after
 * its log page was read ({@link NvmeController#smart()}, {@link NvmeController#errors()}, {@link
 * NvmeController#logPage}). Source: NVM Express Base Specification, "Asynchronous Event Request
 * command".
 *
 * @param type 0 error, 1 SMART / health, 2 notice, 6 of the I/O command set, 7 the vendor's own
 * @param information what it is, by type
 * @param logPage the log page that tells more
 */
public record NvmeEvent(int type, int information, int logPage) {
  static NvmeEvent of(int result) {
    return new NvmeEvent(result & 7, (result >> 8) & 0xff, (result >> 16) & 0xff);
  }

  /** The event in words. */
  public String description() {
    return switch (type << 8 | information) {
      case 0x000 -> "Write to Invalid Doorbell Register";
      case 0x001 -> "Invalid Doorbell Write Value";
      case 0x002 -> "Diagnostic Failure";
      case 0x003 -> "Persistent Internal Error";
      case 0x004 -> "Transient Internal Error";
      case 0x005 -> "Firmware Image Load Error";
      case 0x100 -> "NVM Subsystem Reliability";
      case 0x101 -> "Temperature Threshold";
      case 0x102 -> "Spare Below Threshold";
      case 0x200 -> "Namespace Attribute Changed";
      case 0x201 -> "Firmware Activation Starting";
      case 0x202 -> "Telemetry Log Changed";
      case 0x203 -> "Asymmetric Namespace Access Change";
      default -> "Event of type %d, information 0x%02x".formatted(type, information);
    };
  }
}
