package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The I/O commands. Source: NVM Command Set Specification, "Command Set". */
final class NvmeIo {
  static final int FLUSH = 0x00;
  static final int WRITE = 0x01;
  static final int READ = 0x02;
  static final int COMPARE = 0x05;
  static final int WRITE_ZEROES = 0x08;
  static final int DATASET_MANAGEMENT = 0x09;
  static final int VERIFY = 0x0c;
  static final int COPY = 0x19;

  static final int ALL_NAMESPACES = -1;

  /** Blocks of the longest source range of Copy, and of all of them; and how many there may be. */
  static final int MAX_COPY_RANGE = 0xffff;

  static final int MAX_COPY = 1 << 20;
  static final int MAX_COPY_RANGES = 256;

  private static final int FORCE_UNIT_ACCESS = 1 << 30;
  private static final int DEALLOCATE = 1 << 2;
  private static final long RANGE_SIZE = 16;
  private static final long COPY_RANGE_SIZE = 32;
  private static final int BUFFER_SIZE = 128 << 10;

  private final NvmeModelOptions options;
  private final DmaPort dma;
  private final NvmeData data;
  private final NvmeFeatures features;
  private final NvmeLogPages logPages;
  private final List<NvmeNamespace> namespaces;
  private final MemorySegment buffer;
  private final MemorySegment other;

  NvmeIo(
      NvmeModelOptions options,
      DmaPort dma,
      NvmeData data,
      NvmeFeatures features,
      NvmeLogPages logPages,
      List<NvmeNamespace> namespaces,
      Arena arena) {
    this.options = options;
    this.dma = dma;
    this.data = data;
    this.features = features;
    this.logPages = logPages;
    this.namespaces = namespaces;
    buffer = arena.allocate(BUFFER_SIZE, Long.BYTES);
    other = arena.allocate(BUFFER_SIZE, Long.BYTES);
  }

  int execute(NvmeCommand command) throws DmaFaultException {
    if (command.opcode() == FLUSH && command.namespaceId() == ALL_NAMESPACES) {
      return flushAll();
    }
    if (command.opcode() > READ && !options.hasOptionalCommands()) {
      return NvmeStatus.INVALID_OPCODE;
    }
    var namespace = find(command.namespaceId());
    return switch (command.opcode()) {
      case FLUSH -> namespace == null ? NvmeStatus.INVALID_NAMESPACE : flush(namespace);
      case READ, COMPARE, VERIFY ->
          namespace == null ? NvmeStatus.INVALID_NAMESPACE : read(command, namespace);
      case WRITE, WRITE_ZEROES, DATASET_MANAGEMENT, COPY -> write(command, namespace);
      default -> NvmeStatus.INVALID_OPCODE;
    };
  }

  private @Nullable NvmeNamespace find(int id) {
    return id >= 1 && id <= namespaces.size() ? namespaces.get(id - 1) : null;
  }

  /** Flushes every namespace; returns a status. */
  int flushAll() {
    int status = NvmeStatus.SUCCESS;
    for (int i = 0; i < namespaces.size() && status == NvmeStatus.SUCCESS; i++) {
      status = flush(namespaces.get(i));
    }
    return status;
  }

  private static int flush(NvmeNamespace namespace) {
    try {
      namespace.storage().persist(0, namespace.storage().byteSize());
      return NvmeStatus.SUCCESS;
    } catch (IOException _) {
      return NvmeStatus.WRITE_FAULT;
    }
  }

  private static long firstBlock(NvmeCommand command) {
    return command.cdw10And11();
  }

  private static long blockCount(NvmeCommand command) {
    return (command.cdw12() & 0xffff) + 1L;
  }

  private int read(NvmeCommand command, NvmeNamespace namespace) throws DmaFaultException {
    if (!namespace.contains(firstBlock(command), blockCount(command))) {
      return NvmeStatus.LBA_OUT_OF_RANGE;
    }
    long offset = firstBlock(command) << namespace.blockShift();
    long length = blockCount(command) << namespace.blockShift();
    try {
      return switch (command.opcode()) {
        case READ -> read(command, namespace.storage(), offset, length);
        case COMPARE -> compare(command, namespace.storage(), offset, length);
        default -> verify(namespace.storage(), offset, length);
      };
    } catch (IOException _) {
      return NvmeStatus.UNRECOVERED_READ_ERROR;
    }
  }

  private int read(NvmeCommand command, Storage storage, long offset, long length)
      throws DmaFaultException, IOException {
    int status = data.mapToHost(command, length);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    var runs = data.runs();
    long at = offset;
    for (int run = 0; run < runs.count(); run++) {
      if (!runs.isBucket(run)) {
        storage.toMemory(at, runs.length(run), dma, runs.iova(run));
      }
      at += runs.length(run);
    }
    logPages.countRead(length);
    return NvmeStatus.SUCCESS;
  }

  private int compare(NvmeCommand command, Storage storage, long offset, long length)
      throws DmaFaultException, IOException {
    int status = data.mapFromHost(command, length);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    logPages.countRead(length);
    var runs = data.runs();
    long at = offset;
    for (int run = 0; run < runs.count(); run++) {
      long iova = runs.iova(run);
      long end = at + runs.length(run);
      while (at < end) {
        long step = Math.min(BUFFER_SIZE, end - at);
        dma.read(iova, buffer, 0, step);
        storage.read(at, other, step);
        if (MemorySegment.mismatch(buffer, 0, step, other, 0, step) >= 0) {
          return NvmeStatus.COMPARE_FAILURE;
        }
        iova += step;
        at += step;
      }
    }
    return NvmeStatus.SUCCESS;
  }

  /** Reads what is to be verified, and keeps it to itself. */
  private int verify(Storage storage, long offset, long length) throws IOException {
    for (long done = 0; done < length; done += BUFFER_SIZE) {
      storage.read(offset + done, buffer, Math.min(BUFFER_SIZE, length - done));
    }
    return NvmeStatus.SUCCESS;
  }

  private int write(NvmeCommand command, @Nullable NvmeNamespace namespace)
      throws DmaFaultException {
    if (namespace == null) {
      return NvmeStatus.INVALID_NAMESPACE;
    }
    if (namespace.isReadOnly()) {
      return NvmeStatus.WRITE_PROTECTED;
    }
    try {
      return switch (command.opcode()) {
        case DATASET_MANAGEMENT -> manage(command, namespace);
        case COPY -> copy(command, namespace);
        default -> writeBlocks(command, namespace);
      };
    } catch (IOException _) {
      return NvmeStatus.WRITE_FAULT;
    }
  }

  private int writeBlocks(NvmeCommand command, NvmeNamespace namespace)
      throws DmaFaultException, IOException {
    if (!namespace.contains(firstBlock(command), blockCount(command))) {
      return NvmeStatus.LBA_OUT_OF_RANGE;
    }
    var storage = namespace.storage();
    long offset = firstBlock(command) << namespace.blockShift();
    long length = blockCount(command) << namespace.blockShift();
    if (command.opcode() == WRITE_ZEROES) {
      storage.clear(offset, length);
    } else {
      int status = data.mapFromHost(command, length);
      if (status != NvmeStatus.SUCCESS) {
        return status;
      }
      var runs = data.runs();
      long at = offset;
      for (int run = 0; run < runs.count(); run++) {
        storage.fromMemory(at, runs.length(run), dma, runs.iova(run));
        at += runs.length(run);
      }
      logPages.countWrite(length);
    }
    persistIfAsked(command, storage, offset, length);
    return NvmeStatus.SUCCESS;
  }

  /** Without a write cache, and with Force Unit Access, what is completed is persistent. */
  private void persistIfAsked(NvmeCommand command, Storage storage, long offset, long length)
      throws IOException {
    if ((command.cdw12() & FORCE_UNIT_ACCESS) != 0 || !features.isWriteCacheEnabled()) {
      storage.persist(offset, length);
    }
  }

  private int manage(NvmeCommand command, NvmeNamespace namespace)
      throws DmaFaultException, IOException {
    int ranges = (command.cdw10() & 0xff) + 1;
    int status = data.read(command, buffer, ranges * RANGE_SIZE);
    if (status != NvmeStatus.SUCCESS || (command.cdw11() & DEALLOCATE) == 0) {
      return status; // the other attributes are hints
    }
    int shift = namespace.blockShift();
    for (int range = 0; range < ranges; range++) {
      if (!namespace.contains(rangeFirst(range), rangeCount(range))) {
        return NvmeStatus.LBA_OUT_OF_RANGE;
      }
    }
    for (int range = 0; range < ranges; range++) {
      namespace.storage().clear(rangeFirst(range) << shift, rangeCount(range) << shift);
    }
    return NvmeStatus.SUCCESS;
  }

  private long rangeFirst(int range) {
    return buffer.get(LE64, range * RANGE_SIZE + 8);
  }

  private long rangeCount(int range) {
    return Integer.toUnsignedLong(buffer.get(LE32, range * RANGE_SIZE + 4));
  }

  private int copy(NvmeCommand command, NvmeNamespace namespace)
      throws DmaFaultException, IOException {
    int ranges = (command.cdw12() & 0xff) + 1;
    int format = (command.cdw12() >> 8) & 0xf;
    if (format != 0) {
      return NvmeStatus.INVALID_FIELD;
    }
    int status = data.read(command, buffer, ranges * COPY_RANGE_SIZE);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    long total = 0;
    for (int range = 0; range < ranges; range++) {
      long count = copyCount(range);
      total += count;
      if (count > MAX_COPY_RANGE || total > MAX_COPY) {
        return NvmeStatus.COMMAND_SIZE_LIMIT_EXCEEDED;
      }
      if (!namespace.contains(copySource(range), count)) {
        command.result(range);
        return NvmeStatus.LBA_OUT_OF_RANGE;
      }
    }
    if (!namespace.contains(firstBlock(command), total)) {
      return NvmeStatus.LBA_OUT_OF_RANGE;
    }
    int shift = namespace.blockShift();
    var storage = namespace.storage();
    long target = firstBlock(command) << shift;
    for (int range = 0; range < ranges; range++) {
      long length = copyCount(range) << shift;
      copy(storage, copySource(range) << shift, target, length);
      target += length;
    }
    persistIfAsked(command, storage, firstBlock(command) << shift, total << shift);
    return NvmeStatus.SUCCESS;
  }

  private long copySource(int range) {
    return buffer.get(LE64, range * COPY_RANGE_SIZE + 8);
  }

  private long copyCount(int range) {
    return Short.toUnsignedLong(buffer.get(LE16, range * COPY_RANGE_SIZE + 16)) + 1;
  }

  private void copy(Storage storage, long from, long to, long length) throws IOException {
    for (long done = 0; done < length; done += BUFFER_SIZE) {
      long step = Math.min(BUFFER_SIZE, length - done);
      storage.read(from + done, other, step);
      storage.write(to + done, other, step);
    }
  }
}
