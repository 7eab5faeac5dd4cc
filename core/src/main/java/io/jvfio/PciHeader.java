package io.jvfio;

/**
 * Where things are in the first 64 bytes of configuration space. Source: PCI Local Bus
 * Specification 3.0, section 6.1.
 */
final class PciHeader {
  static final int VENDOR = 0x00;
  static final int DEVICE = 0x02;
  static final int COMMAND = 0x04;
  static final int COMMAND_MEMORY = 1 << 1;
  static final int COMMAND_BUS_MASTER = 1 << 2;
  static final int REVISION = 0x08;
  static final int CLASS = 0x08;
  static final int CACHE_LINE_SIZE = 0x0c;
  static final int LATENCY_TIMER = 0x0d;
  static final int BAR0 = 0x10;
  static final int BARS = 6;
  static final int BAR_IS_IO = 1;
  static final int BAR_IS_64_BIT = 1 << 2;
  static final int BAR_IS_PREFETCHABLE = 1 << 3;
  static final int SUBSYSTEM_VENDOR = 0x2c;
  static final int SUBSYSTEM_DEVICE = 0x2e;
  static final int INTERRUPT_LINE = 0x3c;

  private PciHeader() {}

  /**
   * Whether the device answers. The vendor id, which is usually asked, does not tell here: VFIO
   * answers it from a copy. Class and revision come from the device, and none has all ones there.
   */
  static boolean answers(PciConfigSpace config) {
    try {
      return config.read32(CLASS) != -1;
    } catch (VfioException e) {
      return false;
    }
  }
}
