// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.gpio;

/** Hears of the outputs of a {@link GpioModel}. */
@FunctionalInterface
public interface GpioListener {
  /**
   * Tells that software has changed an output. This is called while the register is written, so the
   * host's client waits; it must not block.
   *
   * @param line 0 to 15
   */
  void changed(int line, boolean value);
}
