// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * An emulated PCI device, as its host sees it. The host (a simulated kernel, or a vfio-user server)
 * owns the model: it calls one method at a time, from whatever thread it likes but with each call
 * visible to the next, and none after {@link #close()}. So a model needs no lock for what only
 * these methods touch; it needs one for what it offers to others besides.
 */
public interface DeviceModel extends AutoCloseable {
  /** The configuration space as after power-on; the same object for the life of the model. */
  ConfigSpace config();

  /** The BARs that the device has, in ascending order of index. */
  List<Bar> bars();

  /** The number of MSI-X vectors, 0 to 2048. */
  int msixVectors();

  /**
   * Connects the device to its host, before any access.
   *
   * @param dma how the device reaches memory
   * @param interrupts how the device sends interrupts
   */
  void connect(DmaPort dma, InterruptPort interrupts);

  /**
   * Tells the device how it asks for {@link #poll}: once, before {@link #connect}. A device without
   * work of its own needs nothing of it.
   *
   * @param request what the device runs when it has something to do: on any thread, at any time,
   *     with whatever lock held. It returns at once; {@link #poll} is called once that thread has
   *     left the model, and once for all requests until then
   */
  default void connectPoll(Runnable request) {}

  /**
   * Tells the device of an eventfd that has the same effect as the request of {@link #connectPoll}:
   * for a device that has a kernel signal it, as {@code io_uring} can. Called before {@link
   * #connect} by a host that has one. The descriptor is the host's, and is open until {@link
   * #close} returns.
   */
  default void connectPollEvent(int eventFd) {}

  /**
   * Reads a register.
   *
   * @param bar the BAR's index
   * @param offset from the start of the BAR, aligned to {@code width}, inside of the BAR
   * @param width 1, 2, 4 or 8 bytes
   * @return the value, zero-extended
   */
  long read(int bar, long offset, int width);

  /**
   * Writes a register; parameters as for {@link #read}.
   *
   * @throws RefusedAccessException if the device lets its host know that there is nothing to write
   */
  void write(int bar, long offset, int width, long value);

  /**
   * Lets the device do what it does of its own accord: look at memory that software may have
   * changed without touching a register, finish what takes time. A host calls this when the device
   * asked for it ({@link #connectPoll}), again while it returns true, and otherwise whenever it
   * likes.
   *
   * @return whether there was anything to do, so that there may be more
   */
  default boolean poll() {
    return false;
  }

  /**
   * Registers that software may write without its host being asked: the write signals an eventfd
   * (ioeventfd), and the host makes a {@link #write} of it some time later. Asked for once, after
   * {@link #connect}.
   */
  default List<IoEventRegister> ioEventRegisters() {
    return List.of();
  }

  /**
   * Registers that software may be given as memory by a host that calls {@link #poll} all the time:
   * nothing else tells of a store there. Asked for at any time, and always the same.
   */
  default Optional<MappableRegisters> mappableRegisters() {
    return Optional.empty();
  }

  /**
   * Gives the device the memory that its software has in the place of {@link #mappableRegisters}.
   * From now on, until {@link #unmapRegisters}, the device looks there when it is polled, and
   * registers are read and written by calls besides. Software may store anything there at any time,
   * and what the device was told of the same registers before is in it when this returns.
   *
   * @param memory as long as these registers; it does not become shorter, whatever software does
   */
  default void mapRegisters(MemorySegment memory) {}

  /** Takes that memory away; the device looks at it no more. Without any, this changes nothing. */
  default void unmapRegisters() {}

  /**
   * The host is about to change what memory there is. From the time when this returns until {@link
   * #resume} the device uses its {@link DmaPort} no more: who reads or writes memory on a thread of
   * its own waits here until that has ended. In between the host calls nothing but {@link #resume},
   * {@link #reset(ResetReason)}, {@link #close} and this again, which changes nothing; and of a
   * {@link MigratableModel} what that has.
   *
   * <p>A device that reaches memory only while its host calls it has nothing to do here.
   */
  default void quiesce() {}

  /**
   * Waits until what the device has others do to leased memory ({@link DmaPort#lease}) has ended,
   * or the time is over. A host calls this before it takes memory away that is leased: whatever
   * then goes on fails.
   *
   * @param nanos how long to wait at most
   * @return whether it has ended
   */
  default boolean awaitTransfers(long nanos) {
    return true;
  }

  /** The device may use memory again; a call without {@link #quiesce} before it changes nothing. */
  default void resume() {}

  /** Resets the function: everything but configuration space is as after power-on. */
  void reset();

  /**
   * Resets the function; a host calls this and never {@link #reset()} itself.
   *
   * @param reason who asked for it, for a device that keeps something in one case and not in
   *     another
   */
  default void reset(ResetReason reason) {
    reset();
  }

  /** Gives back what the model holds, such as a backing file; what it has stored is persistent. */
  @Override
  void close();
}
