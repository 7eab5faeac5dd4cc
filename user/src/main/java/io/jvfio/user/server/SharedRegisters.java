// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.MappableRegisters;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/**
 * Registers of a device that one client has as memory: a file of which each of them maps a part.
 *
 * <p>A client keeps what it has mapped for as long as it likes, so each one gets a file of its own:
 * what it stores once it has gone is nobody's doorbell. The file's size is sealed, so an access to
 * it cannot fail. Without bytes in front of the registers the file would have to be mapped at a
 * negative offset: it is as long as the BAR up to their end, and nothing is ever there in front.
 */
final class SharedRegisters implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  private final Kernel kernel;
  private final DeviceModel model;
  private final MappableRegisters registers;
  private final int fd;
  private final long address;
  private final Arena lifetime = Arena.ofShared();

  private SharedRegisters(
      Kernel kernel, DeviceModel model, MappableRegisters registers, int fd, long address) {
    this.kernel = kernel;
    this.model = model;
    this.registers = registers;
    this.fd = fd;
    this.address = address;
  }

  /** Shares what a device can share; null if that is nothing, or this process cannot have it. */
  static @Nullable SharedRegisters open(Kernel kernel, DeviceModel model) {
    var registers = model.mappableRegisters().orElse(null);
    long page = kernel.pageSize();
    if (registers == null || (registers.offset() | registers.byteSize()) % page != 0) {
      return null;
    }
    int fd =
        kernel.memoryFile(
            "jvfio registers", Kernel.MFD_ALLOW_SEALING, registers.offset() + registers.byteSize());
    if (fd < 0) {
      return refused(fd);
    }
    long address =
        kernel.mmap(
            registers.byteSize(),
            Kernel.PROT_READ | Kernel.PROT_WRITE,
            Kernel.MAP_SHARED,
            fd,
            registers.offset());
    if (address < 0) {
      kernel.close(fd);
      return refused((int) address);
    }
    var shared = new SharedRegisters(kernel, model, registers, fd, address);
    try {
      model.mapRegisters(NativeMemory.at(address, registers.byteSize(), shared.lifetime));
      return shared;
    } catch (RuntimeException | Error e) {
      shared.free();
      throw e;
    }
  }

  private static @Nullable SharedRegisters refused(int result) {
    LOG.log(
        Level.WARNING,
        "a client gets no registers as memory, and has to send them: {0}",
        Errno.ofResult(result));
    return null;
  }

  /** Which they are. */
  MappableRegisters registers() {
    return registers;
  }

  /** The file, where each register is at its offset in the BAR. */
  int fd() {
    return fd;
  }

  /** Takes the memory from the device; the client's own view of it stays. */
  @Override
  public void close() {
    try {
      model.unmapRegisters();
    } finally {
      free();
    }
  }

  private void free() {
    lifetime.close();
    kernel.munmap(address, registers.byteSize());
    kernel.close(fd);
  }
}
