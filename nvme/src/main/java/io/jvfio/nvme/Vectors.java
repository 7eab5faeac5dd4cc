// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.Interrupt;
import io.jvfio.InterruptVectors;
import io.jvfio.Interrupts;
import io.jvfio.IrqInfo;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The interrupt vectors of a controller, and who has which: {@link NvmeCompletionMode#INTERRUPTS}
 * tells the rule. Not safe for use by several threads at once.
 */
final class Vectors implements AutoCloseable {
  /** A pair has no vector. */
  static final int NONE = -1;

  private static final int MSI = 1;
  private static final int MSIX = 2;

  private final @Nullable InterruptVectors vectors;
  private final NvmeInterrupts description;
  private final BitSet taken = new BitSet();

  private Vectors(@Nullable InterruptVectors vectors, NvmeInterrupts description) {
    this.vectors = vectors;
    this.description = description;
    if (isAdminAlone()) {
      taken.set(0);
    }
  }

  /** No interrupts, as the user wants it. */
  static Vectors polled() {
    return new Vectors(null, new NvmeInterrupts(NvmeInterrupts.Kind.NONE, 0, Optional.empty()));
  }

  /** As many vectors as can be had, up to {@code wanted}. */
  static Vectors open(VfioDevice device, int wanted) {
    var interrupts = device.interrupts();
    var indexes = interrupts.indexes();
    List<String> reasons = new ArrayList<>();
    var msix = enable(interrupts, indexes, MSIX, wanted, reasons);
    if (msix != null) {
      return new Vectors(
          msix, new NvmeInterrupts(NvmeInterrupts.Kind.MSIX, msix.count(), Optional.empty()));
    }
    var msi = enable(interrupts, indexes, MSI, wanted, reasons);
    if (msi != null) {
      return new Vectors(
          msi,
          new NvmeInterrupts(
              NvmeInterrupts.Kind.MSI, msi.count(), Optional.of(String.join(" ", reasons))));
    }
    return new Vectors(
        null,
        new NvmeInterrupts(NvmeInterrupts.Kind.NONE, 0, Optional.of(String.join(" ", reasons))));
  }

  private static @Nullable InterruptVectors enable(
      Interrupts interrupts, List<IrqInfo> indexes, int index, int wanted, List<String> reasons) {
    var info = indexes.stream().filter(i -> i.index() == index).findFirst();
    int count = info.map(IrqInfo::count).orElse(0);
    if (count == 0) {
      reasons.add(index == MSIX ? "The device has no MSI-X." : "The device has no MSI.");
      return null;
    }
    try {
      int asked = Math.min(wanted, count);
      return index == MSIX ? interrupts.enableMsix(asked) : interrupts.enableMsi(asked);
    } catch (VfioException e) {
      reasons.add(e.getMessage());
      return null;
    }
  }

  NvmeInterrupts description() {
    return description;
  }

  /** Whether the admin queue has a vector of its own. */
  private boolean isAdminAlone() {
    return vectors != null && vectors.count() > 1;
  }

  /** The admin queue's vector, if no pair shares it. */
  @Nullable Interrupt admin() {
    return vectors != null && isAdminAlone() ? vectors.vector(0) : null;
  }

  /** Takes a vector for an I/O queue pair, or {@link #NONE}. */
  int take() {
    int free = taken.nextClearBit(0);
    if (vectors == null || free >= vectors.count()) {
      return NONE;
    }
    taken.set(free);
    return free;
  }

  /** Gives back what {@link #take()} gave. */
  void give(int vector) {
    if (vector != NONE) {
      taken.clear(vector);
    }
  }

  /** The interrupt of what {@link #take()} gave; null for {@link #NONE}. */
  @Nullable Interrupt interrupt(int vector) {
    return vectors == null || vector == NONE ? null : vectors.vector(vector);
  }

  @Override
  public void close() {
    if (vectors != null) {
      vectors.close();
    }
  }
}
