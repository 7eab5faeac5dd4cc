package io.jvfio.model;

import java.util.List;

/**
 * An emulated PCI device, as its host sees it. The host (a simulated kernel, or a vfio-user server)
 * owns the model: it calls one method at a time and never after {@link #close()}.
 */
public interface DeviceModel extends AutoCloseable {
  /** Configuration space as after power-on; the same object for the life of the model. */
  ConfigSpace config();

  /** The BARs that the device has, in ascending order of index. */
  List<Bar> bars();

  /** Number of MSI-X vectors, 0 to 2048. */
  int msixVectors();

  /**
   * Connects the device to its host, before any access.
   *
   * @param dma how the device reaches memory
   * @param interrupts how the device sends interrupts
   */
  void connect(DmaPort dma, InterruptPort interrupts);

  /**
   * Reads a register.
   *
   * @param bar the BAR's index
   * @param offset from the start of the BAR, aligned to {@code width}, inside of the BAR
   * @param width 1, 2, 4 or 8 bytes
   * @return the value, zero-extended
   */
  long read(int bar, long offset, int width);

  /** Writes a register; parameters as for {@link #read}. */
  void write(int bar, long offset, int width, long value);

  /**
   * Lets the device do what it does of its own accord: look at memory that software may have
   * changed without touching a register, finish what takes time. A host may call this whenever it
   * likes; a device that has nothing of the kind need not be polled.
   *
   * @return whether there was anything to do, so that there may be more
   */
  default boolean poll() {
    return false;
  }

  /** Function reset: everything but configuration space is as after power-on. */
  void reset();

  /** Gives back what the model holds, such as a backing file. */
  @Override
  void close();
}
