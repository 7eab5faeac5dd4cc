// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.gpio;

import io.jvfio.model.PciFunction;
import io.jvfio.model.PciModel;
import io.jvfio.model.RegisterMap;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The ACCES PCI-IDIO-16, a card with 16 outputs, 16 inputs and an interrupt for changes of inputs,
 * as Linux's driver {@code gpio-pci-idio-16} knows it. Source: ACCES, PCI-IDIO-16 User Manual,
 * chapter 4.
 *
 * <p>Inputs are set, and outputs looked at, from any thread. A change of an input interrupts as
 * soon as the host polls the device. The card's input filters are registers without effect, since
 * these inputs do not bounce.
 */
public final class GpioModel implements PciModel {
  /** The number of outputs, and of inputs. */
  public static final int LINES = 16;

  private static final int PORT = 0xff;
  private static final int LEVELS = 0xffff;
  private static final int LOW_CHANGED = 0x1;
  private static final int HIGH_CHANGED = 0x2;
  private static final int PENDING = 0x4;

  private final List<GpioListener> listeners = new CopyOnWriteArrayList<>();

  /** Levels in the lower half; in the upper half, which of them changed since the last poll. */
  private final AtomicInteger inputs = new AtomicInteger();

  private volatile int outputs;
  private boolean isEnabled;
  private int interruptStatus;
  private long filters;

  private final RegisterMap registers =
      RegisterMap.builder("PCI-IDIO-16", 8)
          .readWrite("outputs 0-7", 0, 1, () -> outputs & PORT, value -> setOutputs(0, value))
          .readWrite("inputs 0-7, clear interrupt", 1, 1, () -> inputs.get() & PORT, _ -> clear())
          .readWrite("interrupt on, off", 2, 1, () -> enable(true), _ -> enable(false))
          .readWrite("filters on, off", 3, 1, () -> setFilters(PORT), _ -> setFilters(0))
          .readWrite("outputs 8-15", 4, 1, () -> outputs >> 8, value -> setOutputs(8, value))
          .readOnly("inputs 8-15", 5, 1, () -> inputs.get() >> 8)
          .readOnly("interrupt status", 6, 1, () -> interruptStatus)
          .readWrite("filters 0-7", 7, 1, () -> filters, this::setFilters)
          .build();

  private final PciFunction function =
      PciFunction.builder(0x494f, 0x0dc8, 0x110000).ports(2, registers).line().build();

  /** A card of which all lines are off. */
  public GpioModel() {}

  @Override
  public PciFunction function() {
    return function;
  }

  /** Has a listener hear of each output that software changes. */
  public void onOutput(GpioListener listener) {
    listeners.add(listener);
  }

  /** The level of an output; from any thread. */
  public boolean output(int line) {
    return (outputs & bit(line)) != 0;
  }

  /** The level of an input; from any thread. */
  public boolean input(int line) {
    return (inputs.get() & bit(line)) != 0;
  }

  /** Sets the level of an input, from any thread; software hears of a change by interrupt. */
  public void setInput(int line, boolean value) {
    int bit = bit(line);
    int before =
        inputs.getAndUpdate(
            state -> ((state & bit) != 0) == value ? state : (state ^ bit) | (bit << LINES));
    if (((before & bit) != 0) != value) {
      function.requestPoll();
    }
  }

  private static int bit(int line) {
    if (line < 0 || line >= LINES) {
      throw new IllegalArgumentException("lines are 0 to 15, there is none of number " + line);
    }
    return 1 << line;
  }

  private void setOutputs(int first, long levels) {
    int before = outputs;
    int after = (before & ~(PORT << first)) | ((int) levels << first);
    outputs = after;
    for (int changed = before ^ after; changed != 0; changed &= changed - 1) {
      int line = Integer.numberOfTrailingZeros(changed);
      for (var listener : listeners) {
        listener.changed(line, (after & bit(line)) != 0);
      }
    }
  }

  private long enable(boolean enabled) {
    isEnabled = enabled;
    function.line(enabled && interruptStatus != 0);
    return 0;
  }

  private void clear() {
    interruptStatus = 0;
    function.line(false);
  }

  private long setFilters(long active) {
    filters = active;
    return 0;
  }

  @Override
  public boolean poll() {
    int changed = inputs.getAndUpdate(state -> state & LEVELS) >>> LINES;
    if (changed != 0 && isEnabled) {
      boolean low = (changed & PORT) != 0;
      boolean high = changed > PORT;
      interruptStatus |= PENDING | (low ? LOW_CHANGED : 0) | (high ? HIGH_CHANGED : 0);
      function.line(true);
    }
    return false;
  }

  /** Turns off all outputs and the interrupt; inputs are not the card's to change. */
  @Override
  public void reset() {
    setOutputs(0, 0);
    setOutputs(8, 0);
    enable(false);
    clear();
    setFilters(0);
    function.reset();
  }

  @Override
  public String toString() {
    return "GPIO model";
  }
}
