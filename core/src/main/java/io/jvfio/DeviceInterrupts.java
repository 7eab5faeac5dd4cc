package io.jvfio;

import java.util.List;

/** The interrupts of a device behind a VFIO device descriptor. */
final class DeviceInterrupts implements Interrupts {
  private final List<IrqInfo> indexes;

  DeviceInterrupts(List<IrqInfo> indexes) {
    this.indexes = indexes;
  }

  @Override
  public List<IrqInfo> indexes() {
    return indexes;
  }

  @Override
  public InterruptVectors enableMsix(int count) {
    throw new UnsupportedOperationException();
  }

  @Override
  public InterruptVectors enableMsi(int count) {
    throw new UnsupportedOperationException();
  }

  @Override
  public IntxLine enableIntx() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Interrupt deviceError() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Interrupt releaseRequest() {
    throw new UnsupportedOperationException();
  }
}
