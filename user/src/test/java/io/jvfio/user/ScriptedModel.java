// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A device that does what a test says: all of BAR 0 is one register. Configuration space has the
 * command register of an endpoint, and there are 16 vectors of MSI-X.
 */
public class ScriptedModel implements DeviceModel {
  private final ConfigSpace config =
      new ConfigSpace(256)
          .set(0, 4, 0x1234_5678)
          .set(6, 2, 0x10)
          .set(0x34, 1, 0x40)
          .set(0x40, 2, 0x0011)
          .set(0x42, 2, 15)
          .allowWrites(4, 2, 0x407);

  volatile LongSupplier onRead = () -> 0;
  volatile LongConsumer onWrite = _ -> {};
  volatile BooleanSupplier onPoll = () -> false;
  volatile Runnable onQuiesce = () -> {};
  public volatile Runnable onReset = () -> {};
  volatile Runnable onClose = () -> {};

  /** The eventfd that polls it, or -1. */
  volatile int pollEvent = -1;

  private @Nullable Runnable request;
  private @Nullable DmaPort dma;
  private @Nullable InterruptPort interrupts;

  void requestPoll() {
    Objects.requireNonNull(request).run();
  }

  DmaPort dma() {
    return Objects.requireNonNull(dma);
  }

  void signal(int vector) {
    Objects.requireNonNull(interrupts).signal(vector);
  }

  /** A device that does nothing. */
  public ScriptedModel() {}

  @Override
  public ConfigSpace config() {
    return config;
  }

  @Override
  public List<Bar> bars() {
    return List.of(new Bar(0, 4096, false, false));
  }

  @Override
  public int msixVectors() {
    return 16;
  }

  @Override
  public void connect(DmaPort port, InterruptPort interruptPort) {
    dma = port;
    interrupts = interruptPort;
  }

  @Override
  public void connectPoll(Runnable pollRequest) {
    request = pollRequest;
  }

  @Override
  public void connectPollEvent(int eventFd) {
    assertUnconnected();
    pollEvent = eventFd;
  }

  private void assertUnconnected() {
    if (dma != null) {
      throw new AssertionError("a device is told what polls it before it is connected");
    }
  }

  @Override
  public long read(int bar, long offset, int width) {
    return onRead.getAsLong();
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    onWrite.accept(value);
  }

  @Override
  public boolean poll() {
    return onPoll.getAsBoolean();
  }

  @Override
  public void quiesce() {
    onQuiesce.run();
  }

  @Override
  public void reset() {
    onReset.run();
  }

  @Override
  public void close() {
    onClose.run();
  }
}
