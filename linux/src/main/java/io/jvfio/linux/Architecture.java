// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.util.Locale;

/**
 * The machine architectures that encode the user API differently.
 *
 * <p>Source: {@code include/uapi/asm-generic/ioctl.h}, {@code
 * arch/powerpc/include/uapi/asm/ioctl.h}, {@code arch/powerpc/include/uapi/asm/mman.h}, {@code
 * include/uapi/asm-generic/fcntl.h}, and {@code asm/fcntl.h} of arm64 and powerpc.
 */
public enum Architecture {
  /** 64-bit x86. */
  X86_64(0, 0x4000, 0x10000, 0x20000),
  /** 64-bit Arm. */
  AARCH64(0, 0x10000, 0x4000, 0x8000),
  /** 64-bit RISC-V. */
  RISCV64(0, 0x4000, 0x10000, 0x20000),
  /**
   * 64-bit little-endian POWER: 13 size bits and 3 direction bits, of which "no data" is not zero.
   */
  PPC64LE(0x2000_0000, 0x20000, 0x4000, 0x8000);

  private static final int TRANSLATED_FLAGS =
      Kernel.O_DIRECT | Kernel.O_DIRECTORY | Kernel.O_NOFOLLOW;

  private final int noDataDirection;
  private final int direct;
  private final int directory;
  private final int noFollow;

  Architecture(int noDataDirection, int direct, int directory, int noFollow) {
    this.noDataDirection = noDataDirection;
    this.direct = direct;
    this.directory = directory;
    this.noFollow = noFollow;
  }

  /**
   * The flags of {@link Kernel#open(String, int, int)}, which are x86's, as passed to {@code
   * open(2)} here.
   */
  public int openFlags(int flags) {
    return (flags & ~TRANSLATED_FLAGS)
        | ((flags & Kernel.O_DIRECT) != 0 ? direct : 0)
        | ((flags & Kernel.O_DIRECTORY) != 0 ? directory : 0)
        | ((flags & Kernel.O_NOFOLLOW) != 0 ? noFollow : 0);
  }

  /**
   * The option of {@link Kernel#setSocketOption}, which is x86's, as passed to {@code
   * setsockopt(2)} here. Source: {@code arch/powerpc/include/uapi/asm/socket.h}.
   */
  public int socketOption(int option) {
    return this == PPC64LE && (option == Kernel.SO_RCVTIMEO || option == Kernel.SO_SNDTIMEO)
        ? option - 2
        : option;
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
