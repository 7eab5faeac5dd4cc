package io.jvfio.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The I/O commands, on the one namespace. Source: NVM Command Set Specification, "Command Set". */
final class NvmeIo {
  private static final int FLUSH = 0x00;
  private static final int WRITE = 0x01;
  private static final int READ = 0x02;
  private static final int COMPARE = 0x05;
  private static final int WRITE_ZEROES = 0x08;

  private final NvmeRegisters registers;
  private final DmaPort dma;
  private final NvmePrp prp;
  private final SparseMemory storage;
  private final NvmeLogPages logPages;
  private final MemorySegment compared;
  private final int blockShift;

  NvmeIo(
      NvmeRegisters registers,
      DmaPort dma,
      NvmePrp prp,
      SparseMemory storage,
      NvmeLogPages logPages,
      Arena arena,
      int blockShift) {
    this.registers = registers;
    this.dma = dma;
    this.prp = prp;
    this.storage = storage;
    this.logPages = logPages;
    this.blockShift = blockShift;
    compared = arena.allocate(NvmePrp.MAX_TRANSFER, Long.BYTES);
  }

  int execute(NvmeCommand command) throws DmaFaultException {
    return switch (command.opcode()) {
      case FLUSH -> flush(command.namespaceId());
      case READ, WRITE, COMPARE, WRITE_ZEROES -> onBlocks(command);
      default -> NvmeStatus.INVALID_OPCODE;
    };
  }

  /** Memory has nothing to flush. */
  private static int flush(int namespaceId) {
    return namespaceId == NvmeIdentifyPages.NAMESPACE
            || namespaceId == NvmeIdentifyPages.ALL_NAMESPACES
        ? NvmeStatus.SUCCESS
        : NvmeStatus.INVALID_NAMESPACE;
  }

  private int onBlocks(NvmeCommand command) throws DmaFaultException {
    if (command.namespaceId() != NvmeIdentifyPages.NAMESPACE) {
      return NvmeStatus.INVALID_NAMESPACE;
    }
    long first = command.cdw10And11();
    long count = (command.cdw12() & 0xffff) + 1L;
    long capacity = storage.byteSize() >> blockShift;
    if (first < 0 || first > capacity - count) {
      return NvmeStatus.LBA_OUT_OF_RANGE;
    }
    long offset = first << blockShift;
    long length = count << blockShift;
    if (command.opcode() == WRITE_ZEROES) {
      storage.clear(offset, length);
      return NvmeStatus.SUCCESS;
    }
    int status = prp.map(command, length, registers.pageSize());
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    return switch (command.opcode()) {
      case READ -> read(offset, length);
      case WRITE -> write(offset, length);
      default -> compare(offset, length);
    };
  }

  private int read(long offset, long length) throws DmaFaultException {
    long at = offset;
    for (int run = 0; run < prp.runs(); run++) {
      long iova = prp.iova(run);
      long end = at + prp.length(run);
      while (at < end) {
        var piece = storage.readable(at, end - at);
        dma.write(iova, piece);
        iova += piece.byteSize();
        at += piece.byteSize();
      }
    }
    logPages.countRead(length);
    return NvmeStatus.SUCCESS;
  }

  private int write(long offset, long length) throws DmaFaultException {
    long at = offset;
    for (int run = 0; run < prp.runs(); run++) {
      long iova = prp.iova(run);
      long end = at + prp.length(run);
      while (at < end) {
        var piece = storage.writable(at, end - at);
        dma.read(iova, piece);
        iova += piece.byteSize();
        at += piece.byteSize();
      }
    }
    logPages.countWrite(length);
    return NvmeStatus.SUCCESS;
  }

  private int compare(long offset, long length) throws DmaFaultException {
    long at = 0;
    for (int run = 0; run < prp.runs(); run++) {
      dma.read(prp.iova(run), compared.asSlice(at, prp.length(run)));
      at += prp.length(run);
    }
    logPages.countRead(length);
    long done = 0;
    while (done < length) {
      var stored = storage.readable(offset + done, length - done);
      if (stored.mismatch(compared.asSlice(done, stored.byteSize())) != -1) {
        return NvmeStatus.COMPARE_FAILURE;
      }
      done += stored.byteSize();
    }
    return NvmeStatus.SUCCESS;
  }
}
