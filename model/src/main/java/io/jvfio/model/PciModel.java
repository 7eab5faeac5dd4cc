// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import java.util.List;

/**
 * A device model that has a {@link PciFunction} for what PCI functions have in common. What is left
 * to be written is what the device does.
 */
public interface PciModel extends DeviceModel {
  /** The same object for the life of the model. */
  PciFunction function();

  @Override
  default ConfigSpace config() {
    return function().config();
  }

  @Override
  default List<Bar> bars() {
    return function().bars();
  }

  @Override
  default int msixVectors() {
    return function().msixVectors();
  }

  @Override
  default void connect(DmaPort dma, InterruptPort interrupts) {
    function().connect(dma, interrupts);
  }

  @Override
  default void connectPoll(Runnable request) {
    function().connectPoll(request);
  }

  @Override
  default long read(int bar, long offset, int width) {
    return function().read(bar, offset, width);
  }

  @Override
  default void write(int bar, long offset, int width, long value) {
    function().write(bar, offset, width, value);
  }

  @Override
  default void reset() {
    function().reset();
  }

  @Override
  default void close() {}
}
