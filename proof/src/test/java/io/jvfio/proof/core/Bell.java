// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static java.util.Objects.requireNonNull;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A device for tests: it interrupts when it is told to. Registers of its one BAR, 4 bytes each: 0
 * sends a message of the vector that is written, 4 is its interrupt line, 8 keeps what is written,
 * 12 says how often it was written. The MSI-X table is at 0x800.
 */
final class Bell implements DeviceModel {
  static final long MESSAGE = 0;
  static final long LINE = 4;
  static final long SCRATCH = 8;
  static final long WRITES = 12;
  static final int TABLE = 0x800;
  static final int MSIX = 0x40;
  static final int MSI = 0x60;

  private final ConfigSpace config;
  private final int vectors;
  private @Nullable InterruptPort port;
  private long scratch;
  private long writes;
  private boolean line;

  /** A PCI Express function. */
  Bell(int vectors) {
    this(vectors, true);
  }

  Bell(int vectors, boolean express) {
    this.vectors = vectors;
    this.config =
        new ConfigSpace(256)
            .set(0, 2, 0x1234)
            .set(2, 2, 0xbe11)
            .set(9, 3, 0xff0000)
            .allowWrites(4, 2, 0x0507)
            .set(6, 2, 0x10)
            .set(0x34, 1, MSIX)
            .set(0x3d, 1, 1)
            .set(MSIX, 2, MSI << 8 | 0x11)
            .set(MSIX + 2, 2, vectors - 1)
            .set(MSIX + 4, 4, TABLE)
            .set(MSIX + 8, 4, TABLE + 16 * vectors)
            .set(MSI, 2, (express ? 0x80 : 0) << 8 | 5)
            .set(MSI + 2, 2, 2 << 1) // four messages
            .allowWrites(MSI + 2, 2, 0x71)
            .set(0x80, 2, express ? 0x10 : 0)
            .set(0x84, 4, 1 << 28);
  }

  @Override
  public ConfigSpace config() {
    return config;
  }

  @Override
  public List<Bar> bars() {
    return List.of(new Bar(0, 0x1000, false, false));
  }

  @Override
  public int msixVectors() {
    return vectors;
  }

  @Override
  public void connect(DmaPort dma, InterruptPort interrupts) {
    port = interrupts;
  }

  @Override
  public long read(int bar, long offset, int width) {
    return switch ((int) offset) {
      case (int) LINE -> line ? 1 : 0;
      case (int) SCRATCH -> scratch;
      case (int) WRITES -> writes;
      default -> 0;
    };
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    switch ((int) offset) {
      case (int) MESSAGE -> requireNonNull(port).signal((int) value);
      case (int) LINE -> setLine(value != 0);
      case (int) SCRATCH -> {
        scratch = value;
        writes++;
      }
      default -> {} // nothing there
    }
  }

  private void setLine(boolean asserted) {
    line = asserted;
    requireNonNull(port).line(asserted);
  }

  @Override
  public void reset() {
    scratch = 0;
    writes = 0;
    if (line) {
      setLine(false);
    }
  }

  @Override
  public void close() {}
}
