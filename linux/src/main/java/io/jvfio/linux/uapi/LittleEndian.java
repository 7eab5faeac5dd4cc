package io.jvfio.linux.uapi;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The fixed-width types of PCI and NVMe: little-endian, whatever the machine. */
public final class LittleEndian {
  /** 8 bits. */
  public static final ValueLayout.OfByte LE8 = ValueLayout.JAVA_BYTE;

  /** 16 bits, aligned. */
  public static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 32 bits, aligned. */
  public static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 64 bits, aligned. */
  public static final ValueLayout.OfLong LE64 =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 16 bits at any address. */
  public static final ValueLayout.OfShort LE16_UNALIGNED =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 32 bits at any address. */
  public static final ValueLayout.OfInt LE32_UNALIGNED =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 64 bits at any address. */
  public static final ValueLayout.OfLong LE64_UNALIGNED =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private LittleEndian() {}
}
