// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The place of a command's data in memory, found by its PRPs or its SGL, as the command says.
 * Source: NVM Express Base Specification, "Data Pointer".
 */
final class NvmeData {
  private final NvmeRegisters registers;
  private final DmaPort dma;
  private final NvmePrp prp;
  private final NvmeSgl sgl;
  private final NvmeRuns runs = new NvmeRuns();
  private final int maxTransfer;

  NvmeData(NvmeRegisters registers, DmaPort dma, Arena arena, int maxTransfer) {
    this.registers = registers;
    this.dma = dma;
    this.maxTransfer = maxTransfer;
    prp = new NvmePrp(dma, arena);
    sgl = new NvmeSgl(dma, arena, maxTransfer);
  }

  /** Finds the memory that takes {@code length} bytes from the controller; returns a status. */
  int mapToHost(NvmeCommand command, long length, NvmeRuns found) throws DmaFaultException {
    return map(command, length, true, found);
  }

  /** Finds the memory that has {@code length} bytes for the controller; returns a status. */
  int mapFromHost(NvmeCommand command, long length, NvmeRuns found) throws DmaFaultException {
    return map(command, length, false, found);
  }

  private int map(NvmeCommand command, long length, boolean toHost, NvmeRuns found)
      throws DmaFaultException {
    found.clear();
    if (length > maxTransfer) {
      return NvmeStatus.INVALID_FIELD;
    }
    return command.usesSgl()
        ? sgl.map(command, length, toHost, found)
        : prp.map(command, length, registers.pageSize(), found);
  }

  /** What it took to find memory since this was last asked, as bytes that are copied. */
  long takeCost() {
    return sgl.takeCost();
  }

  /** Where the data of the last {@link #read} or {@link #write} was. */
  NvmeRuns runs() {
    return runs;
  }

  /** Writes {@code length} bytes of {@code source} to the host; returns a status. */
  int write(NvmeCommand command, MemorySegment source, long offset, long length)
      throws DmaFaultException {
    int status = mapToHost(command, length, runs);
    if (status == NvmeStatus.SUCCESS) {
      runs.write(dma, source, offset);
    }
    return status;
  }

  /** Reads {@code length} bytes from the host to the start of {@code target}; returns a status. */
  int read(NvmeCommand command, MemorySegment target, long length) throws DmaFaultException {
    int status = mapFromHost(command, length, runs);
    if (status == NvmeStatus.SUCCESS) {
      runs.read(dma, target);
    }
    return status;
  }
}
