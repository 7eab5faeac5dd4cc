package io.jvfio.model;

import java.lang.foreign.Arena;
import java.util.List;

/**
 * An NVMe controller with one namespace, in memory: an NVMe 1.4 I/O controller that looks, to VFIO,
 * like the one that QEMU emulates.
 *
 * <p>It has 64 I/O queue pairs of up to 2048 entries, PRPs, host pages of 4 KiB to 64 KiB and
 * transfers of up to 512 KiB. It polls nothing: a doorbell write carries out all that the queue
 * holds before it returns. A command whose data cannot be reached ends with Data Transfer Error; if
 * a queue cannot be reached, the controller fails (CSTS.CFS) until it is reset.
 *
 * <p>A completion queue with interrupts signals its vector once for all that a doorbell made it
 * post. Masks of the MSI-X table are left to the host, as are those of configuration space. While
 * MSI-X is off the interrupt line is high as long as such a queue, not masked by INTMS, holds
 * completions that software did not take.
 *
 * <p>Not safe for use by several threads at once; its host calls one method at a time. Source: NVM
 * Express Base Specification 1.4, NVM Express over PCIe Transport Specification.
 */
public final class NvmeModel implements DeviceModel {
  static final int VENDOR_ID = 0x1b36;
  static final int SUBSYSTEM_VENDOR_ID = 0x1af4;

  private static final int DEVICE_ID = 0x0010;
  private static final int SUBSYSTEM_ID = 0x1100;
  private static final int REVISION = 2;
  private static final int CLASS_NVME = 0x010802;

  private static final int VECTORS = 65;
  private static final long BAR0_SIZE = 0x4000;
  private static final int DOORBELLS_OFFSET = 0x1000;
  private static final int DOORBELL_STRIDE = 4;
  private static final int MSIX_TABLE_OFFSET = 0x2000;
  private static final int MSIX_PBA_OFFSET = 0x3000;

  private static final int DEFAULT_BLOCK_SIZE = 512;
  private static final int MAX_SERIAL_LENGTH = 20;

  private final ConfigSpace config = configSpace();
  private final List<Bar> bars = List.of(new Bar(0, BAR0_SIZE, true, false));
  private final Arena arena = Arena.ofShared();
  private final DmaLink dma = new DmaLink();
  private final NvmeInterrupts interrupts = new NvmeInterrupts(config);
  private final MsixTable msixTable = new MsixTable(VECTORS);
  private final NvmeRegisters registers = new NvmeRegisters();
  private final NvmeFeatures features = new NvmeFeatures(VECTORS);
  private final NvmeAsyncEvents events = new NvmeAsyncEvents();
  private final NvmeQueues queues;
  private final NvmeLogPages logPages;
  private final NvmeAdmin admin;
  private final NvmeIo io;
  private final SparseMemory storage;
  private boolean closed;

  private NvmeModel(String serial, long byteSize, int blockSize) {
    int blockShift = Integer.numberOfTrailingZeros(blockSize);
    storage = new SparseMemory(byteSize);
    queues = new NvmeQueues(dma, interrupts, arena);
    logPages = new NvmeLogPages(arena, NvmeIdentifyPages.FIRMWARE);
    var prp = new NvmePrp(dma, arena);
    var identifyPages = new NvmeIdentifyPages(arena, serial, blockShift, byteSize >> blockShift);
    admin =
        new NvmeAdmin(registers, queues, prp, identifyPages, logPages, features, events, VECTORS);
    io = new NvmeIo(registers, dma, prp, storage, logPages, arena, blockShift);
  }

  /**
   * A controller with a zeroed namespace of 512-byte blocks, which takes memory as it is written.
   *
   * @param serial the serial number: 1 to 20 printable ASCII characters
   * @param byteSize size of the namespace: a positive multiple of 512, at most 1 TiB
   */
  public static NvmeModel inMemory(String serial, long byteSize) {
    return inMemory(serial, byteSize, DEFAULT_BLOCK_SIZE);
  }

  /**
   * A controller with a zeroed namespace, which takes memory as it is written.
   *
   * @param serial the serial number: 1 to 20 printable ASCII characters
   * @param byteSize size of the namespace: a positive multiple of the block size, at most 1 TiB
   * @param blockSize bytes of a logical block: a power of two, 512 to 4096
   */
  public static NvmeModel inMemory(String serial, long byteSize, int blockSize) {
    if (serial.isEmpty()
        || serial.length() > MAX_SERIAL_LENGTH
        || !serial.chars().allMatch(c -> c >= 0x20 && c < 0x7f)) {
      throw new IllegalArgumentException(
          "a serial number has 1 to 20 printable ASCII characters, not '%s'".formatted(serial));
    }
    if (Integer.bitCount(blockSize) != 1 || blockSize < 512 || blockSize > 4096) {
      throw new IllegalArgumentException("blocks of " + blockSize + " bytes");
    }
    if (byteSize <= 0 || byteSize % blockSize != 0 || byteSize > SparseMemory.MAX_BYTES) {
      throw new IllegalArgumentException(
          "a namespace of %d bytes: not a positive multiple of %d up to 1 TiB"
              .formatted(byteSize, blockSize));
    }
    return new NvmeModel(serial, byteSize, blockSize);
  }

  /** As QEMU's controller has it behind a PCI Express port, with no BAR assigned yet. */
  private static ConfigSpace configSpace() {
    var space =
        new ConfigSpace(4096)
            .set(0x00, 2, VENDOR_ID)
            .set(0x02, 2, DEVICE_ID)
            .allowWrites(0x04, 2, 0x0507) // I/O, memory, bus master, SERR, INTx disable
            .set(0x06, 2, 0x0010) // a capability list
            .set(0x08, 4, (CLASS_NVME << 8) | REVISION)
            .allowWrites(0x0c, 1, 0xff) // cache line size
            .set(0x10, 4, 0x4) // BAR0: 64 bits wide
            .allowWrites(0x10, 4, (int) -BAR0_SIZE)
            .allowWrites(0x14, 4, -1)
            .set(0x2c, 2, SUBSYSTEM_VENDOR_ID)
            .set(0x2e, 2, SUBSYSTEM_ID)
            .set(0x34, 1, 0x40)
            .allowWrites(0x3c, 1, 0xff) // interrupt line
            .set(0x3d, 1, 1); // INTA
    // MSI-X
    space
        .set(0x40, 2, 0x8011)
        .set(0x42, 2, VECTORS - 1)
        .allowWrites(0x42, 2, 0xc000) // enable, mask all
        .set(0x44, 4, MSIX_TABLE_OFFSET)
        .set(0x48, 4, MSIX_PBA_OFFSET);
    // Power management 1.2: state is kept from D3hot to D0.
    space
        .set(0x60, 2, 0x0001)
        .set(0x62, 2, 0x0003)
        .set(0x64, 2, 0x0008)
        .allowWrites(0x64, 2, 0x0003);
    // PCI Express 2: an endpoint with function reset, one lane of 2.5 GT/s
    return space
        .set(0x80, 2, 0x6010)
        .set(0x82, 2, 0x0002)
        .set(0x84, 4, 0x1000_8020)
        .allowWrites(0x88, 2, 0x000f) // error reporting
        .set(0x8c, 4, 0x0000_0411)
        .set(0x92, 2, 0x0011)
        .set(0xa4, 4, 0x0030_0000)
        .allowWrites(0xa8, 2, 0x8000); // end-to-end TLP prefix blocking
  }

  @Override
  public ConfigSpace config() {
    return config;
  }

  @Override
  public List<Bar> bars() {
    return bars;
  }

  @Override
  public int msixVectors() {
    return VECTORS;
  }

  @Override
  public void connect(DmaPort dmaPort, InterruptPort interruptPort) {
    dma.connect(dmaPort);
    interrupts.connect(interruptPort);
  }

  @Override
  public long read(int bar, long offset, int width) {
    int aligned = (int) offset & -Integer.BYTES;
    long value = Integer.toUnsignedLong(read32(aligned));
    if (width == Long.BYTES) {
      return value | ((long) read32(aligned + Integer.BYTES) << 32);
    }
    int shift = (int) (offset - aligned) * Byte.SIZE;
    return (value >>> shift) & ((1L << (width * Byte.SIZE)) - 1);
  }

  private int read32(int offset) {
    if (offset < DOORBELLS_OFFSET) {
      return registers.read32(offset);
    }
    if (offset >= MSIX_TABLE_OFFSET && offset < MSIX_TABLE_OFFSET + msixTable.byteSize()) {
      return msixTable.read32(offset - MSIX_TABLE_OFFSET);
    }
    // Doorbells read as zero, and so does the pending-bit array: no interrupt ever waits.
    return 0;
  }

  /** Registers take writes of 32 and 64 bits only; narrower ones are ignored. */
  @Override
  public void write(int bar, long offset, int width, long value) {
    if (width < Integer.BYTES) {
      return;
    }
    write32((int) offset, (int) value);
    if (width == Long.BYTES) {
      write32((int) offset + Integer.BYTES, (int) (value >>> 32));
    }
  }

  private void write32(int offset, int value) {
    if (offset < DOORBELLS_OFFSET) {
      writeRegister(offset, value);
    } else if (offset < MSIX_TABLE_OFFSET) {
      ringDoorbell((offset - DOORBELLS_OFFSET) / DOORBELL_STRIDE, value & 0xffff);
    } else if (offset < MSIX_TABLE_OFFSET + msixTable.byteSize()) {
      msixTable.write32(offset - MSIX_TABLE_OFFSET, value);
    }
  }

  private void writeRegister(int offset, int value) {
    switch (registers.write32(offset, value)) {
      case NONE -> {
        // The register keeps the value; nothing else depends on it.
      }
      case ENABLE -> {
        queues.createCompletionQueue(
            0, registers.adminCompletionQueue(), registers.adminCompletionEntries(), 0);
        queues.createSubmissionQueue(
            0, registers.adminSubmissionQueue(), registers.adminSubmissionEntries(), 0);
      }
      case RESET -> resetController();
    }
    queues.updateLine(registers.interruptMask());
  }

  private void resetController() {
    queues.clear();
    events.reset();
    features.reset();
  }

  private void ringDoorbell(int doorbell, int value) {
    if (!registers.isReady()) {
      return;
    }
    int queue = doorbell / 2;
    var error =
        doorbell % 2 == 0
            ? queues.submissionDoorbell(queue, value)
            : queues.completionDoorbell(queue, value);
    switch (error) {
      case NONE -> {
        // The doorbell is one of a queue, and its value is one of the queue's entries.
      }
      case NO_SUCH_QUEUE -> raiseDoorbellError(NvmeAsyncEvents.INVALID_DOORBELL_REGISTER);
      case BAD_VALUE -> raiseDoorbellError(NvmeAsyncEvents.INVALID_DOORBELL_VALUE);
    }
    try {
      queues.process(this::execute);
      events.deliver(queues);
    } catch (DmaFaultException _) {
      // A queue is out of reach: there is no way left to tell software but this one.
      registers.fail();
    }
    queues.updateLine(registers.interruptMask());
  }

  private void raiseDoorbellError(int information) {
    events.raise(NvmeAsyncEvents.TYPE_ERROR, information, NvmeLogPages.ERROR_INFORMATION);
  }

  private int execute(NvmeCommand command) {
    int status;
    try {
      status = command.queueId() == 0 ? admin.execute(command) : io.execute(command);
    } catch (DmaFaultException _) {
      status = NvmeStatus.DATA_TRANSFER_ERROR;
    }
    if (status > NvmeStatus.SUCCESS) {
      logPages.recordError(command, status);
    }
    return status;
  }

  @Override
  public void reset() {
    resetController();
    registers.reset();
    logPages.reset();
    msixTable.reset();
    queues.updateLine(0);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      arena.close();
      storage.close();
    }
  }
}
