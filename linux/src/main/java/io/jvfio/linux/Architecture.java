package io.jvfio.linux;

import java.util.Locale;

/**
 * The machine architectures that encode the user API differently.
 *
 * <p>Source: {@code include/uapi/asm-generic/ioctl.h}, {@code
 * arch/powerpc/include/uapi/asm/ioctl.h}, {@code arch/powerpc/include/uapi/asm/mman.h}.
 */
public enum Architecture {
  /** 64-bit x86. */
  X86_64(0),
  /** 64-bit Arm. */
  AARCH64(0),
  /** 64-bit RISC-V. */
  RISCV64(0),
  /**
   * 64-bit little-endian POWER: 13 size bits and 3 direction bits, of which "no data" is not zero.
   */
  PPC64LE(0x2000_0000);

  private final int noDataDirection;

  Architecture(int noDataDirection) {
    this.noDataDirection = noDataDirection;
  }

  /**
   * The request number of an {@code _IO(type, number)} command.
   *
   * @param type the command's type byte
   * @param number the command's number, 0 to 255
   * @return the whole request number, as the kernel compares it
   */
  public long requestNumber(int type, int number) {
    return Integer.toUnsignedLong(noDataDirection | type << 8 | number);
  }

  /**
   * The architecture of this JVM.
   *
   * @throws UnsupportedOperationException when jvfio does not know its user API encoding
   */
  public static Architecture current() {
    var name = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    return switch (name) {
      case "amd64", "x86_64" -> X86_64;
      case "aarch64" -> AARCH64;
      case "riscv64" -> RISCV64;
      case "ppc64le" -> PPC64LE;
      default ->
          throw new UnsupportedOperationException(
              "jvfio does not know how the kernel of architecture '"
                  + name
                  + "' encodes ioctl numbers");
    };
  }
}
