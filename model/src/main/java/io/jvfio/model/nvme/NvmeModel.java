// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.uapi.PciRegs;
import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.model.MappableRegisters;
import io.jvfio.model.ResetReason;
import io.jvfio.model.pci.MsixTable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * An NVMe controller: an NVMe 1.4 I/O controller that looks, to VFIO, like the one that QEMU
 * emulates. {@link NvmeModelOptions} says what it has; by default that is 64 I/O queue pairs of up
 * to 2048 entries, transfers of up to 512 KiB, host pages of 4 KiB to 64 KiB, PRPs and SGLs, shadow
 * doorbells, and every I/O command of the NVM command set but Write Uncorrectable and reservations.
 *
 * <p>It has no thread for commands: a doorbell write begins what the queue holds, as far as that
 * takes about a millisecond, and completes what needs no waiting before it returns; {@link #poll}
 * does the rest, and what was not told by a doorbell. A slow disk holds neither registers nor other
 * commands up. A command whose data cannot be reached ends with Data Transfer Error; if a queue
 * cannot be reached, the controller fails (CSTS.CFS) until it is reset.
 *
 * <p>A completion queue with interrupts signals its vector once for all that a doorbell made it
 * post. Masks of the MSI-X table are left to the host, as are those of configuration space. While
 * messages are off the interrupt line is high as long as such a queue, not masked by INTMS, holds
 * completions that software did not take.
 *
 * <p>Not safe for use by several threads at once; its host calls one method at a time. Only {@link
 * #faults} can be used by any thread. Source: NVM Express Base Specification 1.4, NVM Express over
 * PCIe Transport Specification.
 */
public final class NvmeModel implements DeviceModel {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  static final int VENDOR_ID = 0x1b36;
  static final int SUBSYSTEM_VENDOR_ID = 0x1af4;

  /** Where in configuration space its capabilities are; that of messages is MSI-X or MSI. */
  static final int MESSAGES = 0x40;

  private static final int POWER_VERSION = 3;
  private static final int EXPRESS_VERSION = 2;
  private static final int EXPRESS_REPORTS =
      PciRegs.PCI_EXP_DEVCTL_CERE
          | PciRegs.PCI_EXP_DEVCTL_NFERE
          | PciRegs.PCI_EXP_DEVCTL_FERE
          | PciRegs.PCI_EXP_DEVCTL_URRE;

  /** One lane of 2.5 GT/s. */
  private static final int EXPRESS_LINK =
      PciRegs.PCI_EXP_LNKSTA_CLS_2_5GB | PciRegs.PCI_EXP_LNKSTA_NLW_X1;

  private static final int POWER = 0x60;
  private static final int EXPRESS = 0x80;

  private static final int DEVICE_ID = 0x0010;
  private static final int SUBSYSTEM_ID = 0x1100;
  private static final int REVISION = 2;
  private static final int CLASS_NVME = 0x010802;

  private static final long BAR0_SIZE = 0x4000;
  private static final int DOORBELLS_OFFSET = 0x1000;
  private static final int DOORBELL_STRIDE = 4;

  /** A page of its own, so that software can have them as memory. */
  private static final MappableRegisters DOORBELLS =
      new MappableRegisters(0, DOORBELLS_OFFSET, 0x1000);

  private static final int MSIX_TABLE_OFFSET = 0x2000;
  private static final int MSIX_PBA_OFFSET = 0x3000;

  private static final int COMMANDS =
      PciRegs.PCI_COMMAND_IO
          | PciRegs.PCI_COMMAND_MEMORY
          | PciRegs.PCI_COMMAND_MASTER
          | PciRegs.PCI_COMMAND_SERR
          | PciRegs.PCI_COMMAND_INTX_DISABLE;
  private static final int EXPRESS_CAN =
      PciRegs.PCI_EXP_DEVCAP_EXT_TAG | PciRegs.PCI_EXP_DEVCAP_RBER | PciRegs.PCI_EXP_DEVCAP_FLR;

  private static final int CSTS = 0x1c;
  private static final int CSTS_RDY = 1;
  private static final int CSTS_CFS = 1 << 1;

  /** As many requests as are begun at once, if that many come. */
  private static final int BATCH = 16;

  /** How long a reset waits for a disk: clients wait for it, some of them 5 s at most. */
  private static final long RESET_NANOS = 1_000_000_000;

  /** How long a controller reset waits for a disk before somebody is told: less than CAP.TO. */
  private static final long DRAINING_NANOS = 5_000_000_000L;

  private static final long WAIT_STEP_NANOS = 20_000;

  /** What a controller writes that writes where it should not. */
  private static final byte STRAY = (byte) 0xee;

  private final NvmeModelOptions.Settings options;
  private final List<Bar> bars = new ArrayList<>();
  private final Arena arena = Arena.ofShared();
  private final ConfigSpace config;
  private final @Nullable NvmeMemoryBuffer buffer;
  private final DmaLink dma;
  private final NvmeInterrupts interrupts;
  private final @Nullable MsixTable msixTable;
  private final NvmeRegisters registers;
  private final NvmeData data;
  private final NvmeFeatures features;
  private final NvmeAsyncEvents events = new NvmeAsyncEvents();
  private final NvmeFaults faults;
  private final NvmeHeldCommands held;
  private final NvmeQueues queues;
  private final NvmeLogPages logPages;
  private final NvmeAdmin admin;
  private final NvmeIo io;
  private final List<NvmeNamespace> namespaces;
  private final NvmeQueues.Executor executor = new Commands();
  private final NvmeIo.Sink sink = this::completed;
  private final Consumer<NvmeQueues.DoorbellError> doorbellErrors = this::tell;
  private final StorageWake wake;

  /** Doorbells rang that nobody answered, because the controller had failed. */
  private boolean isBehind;

  /** Software was told of lost writes. */
  private boolean isLossTold;

  /** A reset waits for a disk, and maybe others after it do. */
  private boolean waitsForDisk;

  /** Software was told of the temperature, which has been beyond its threshold since. */
  private boolean isTemperatureTold;

  /** When the first of the resets began that wait for a disk. */
  private long drainingSince;

  /** When somebody will look; nobody will, if that has passed. */
  private long drainingWake;

  private boolean isDrainingTold;

  private boolean closed;

  /** Carries out what queues have. */
  private final class Commands implements NvmeQueues.Executor {
    @Override
    public int execute(NvmeCommand command) {
      return NvmeModel.this.execute(command);
    }

    @Override
    public boolean isRoundOver(int queueId) {
      // Who wants to abort some of too many is not held up by them.
      return io.isRoundOver() || (queueId != 0 && io.isFull());
    }
  }

  private NvmeModel(
      NvmeModelOptions.Settings options, List<NvmeNamespace> namespaces, StorageWake wake) {
    this.options = options;
    this.wake = wake;
    drainingWake = wake.nanoTime();
    this.namespaces = namespaces;
    config = configSpace(options);
    bars.add(new Bar(0, BAR0_SIZE, true, false));
    buffer = memoryBuffer();
    dma = new DmaLink(buffer);
    interrupts = new NvmeInterrupts(config, options.hasMsi);
    msixTable = options.hasMsi ? null : new MsixTable(options.vectors());
    registers = new NvmeRegisters(options.queueEntries, buffer);
    queues = new NvmeQueues(dma, interrupts, arena, options.queuePairs, options.isPolled);
    data = new NvmeData(registers, dma, arena, options.maxTransfer);
    features = new NvmeFeatures(options, data, arena);
    logPages = new NvmeLogPages(options, data, features, namespaces, arena);
    faults = options.faults();
    held = new NvmeHeldCommands(faults);
    var identifyPages = new NvmeIdentifyPages(options, data, namespaces, arena);
    io = new NvmeIo(options, dma, data, features, logPages, namespaces, arena);
    admin =
        new NvmeAdmin(
            options, registers, queues, identifyPages, logPages, features, events, held, io);
  }

  /**
   * A controller with a zeroed namespace of 512-byte blocks, which takes memory as it is written.
   *
   * @param serial the serial number: 1 to 20 printable ASCII characters
   * @param byteSize size of the namespace: a positive multiple of 512, at most 16 TiB
   */
  public static NvmeModel inMemory(String serial, long byteSize) {
    return of(NvmeModelOptions.of(serial, NvmeNamespaceOptions.inMemory(byteSize)));
  }

  /**
   * A controller with a zeroed namespace, which takes memory as it is written.
   *
   * @param serial the serial number: 1 to 20 printable ASCII characters
   * @param byteSize size of the namespace: a positive multiple of the block size, at most 16 TiB
   * @param blockSize bytes of a logical block: a power of two, 512 to 4096
   */
  public static NvmeModel inMemory(String serial, long byteSize, int blockSize) {
    var namespace = NvmeNamespaceOptions.inMemory(byteSize).withBlockSize(blockSize);
    return of(NvmeModelOptions.of(serial, namespace));
  }

  /**
   * A controller as described.
   *
   * @throws UncheckedIOException if the file of a namespace cannot be opened
   */
  public static NvmeModel of(NvmeModelOptions options) {
    var settings = options.settings();
    var namespaces = new ArrayList<NvmeNamespace>();
    var wake = settings.wake();
    try {
      for (var each : settings.namespaces) {
        namespaces.add(each.open(settings, namespaces.size() + 1, wake));
      }
    } catch (IOException e) {
      var end = new EndSteps();
      namespaces.forEach(each -> end.run(each.storage()::close));
      end.suppressInto(e);
      throw new UncheckedIOException(e);
    }
    return new NvmeModel(settings, namespaces, wake);
  }

  private @Nullable NvmeMemoryBuffer memoryBuffer() {
    long byteSize = options.memoryBufferSize;
    if (byteSize == 0) {
      return null;
    }
    bars.add(new Bar(NvmeMemoryBuffer.BAR, byteSize, true, true));
    return new NvmeMemoryBuffer(arena, byteSize, options.isLegacyMemoryBuffer, config);
  }

  /** As QEMU's controller has it behind a PCI Express port, with no BAR assigned yet. */
  private static ConfigSpace configSpace(NvmeModelOptions.Settings options) {
    var space =
        new ConfigSpace(PciRegs.PCI_CFG_SPACE_EXP_SIZE)
            .set(PciRegs.PCI_VENDOR_ID, 2, VENDOR_ID)
            .set(PciRegs.PCI_DEVICE_ID, 2, DEVICE_ID)
            .allowWrites(PciRegs.PCI_COMMAND, 2, COMMANDS)
            .set(PciRegs.PCI_STATUS, 2, PciRegs.PCI_STATUS_CAP_LIST)
            .set(PciRegs.PCI_CLASS_REVISION, 4, (CLASS_NVME << 8) | REVISION)
            .allowWrites(PciRegs.PCI_CACHE_LINE_SIZE, 1, 0xff)
            .set(PciRegs.PCI_BASE_ADDRESS_0, 4, PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64)
            .allowWrites(PciRegs.PCI_BASE_ADDRESS_0, 4, (int) -BAR0_SIZE)
            .allowWrites(PciRegs.PCI_BASE_ADDRESS_1, 4, -1)
            .set(PciRegs.PCI_SUBSYSTEM_VENDOR_ID, 2, SUBSYSTEM_VENDOR_ID)
            .set(PciRegs.PCI_SUBSYSTEM_ID, 2, SUBSYSTEM_ID)
            .set(PciRegs.PCI_CAPABILITY_LIST, 1, MESSAGES)
            .allowWrites(PciRegs.PCI_INTERRUPT_LINE, 1, 0xff)
            .set(PciRegs.PCI_INTERRUPT_PIN, 1, 1); // INTA
    long bufferSize = options.memoryBufferSize;
    if (bufferSize != 0) {
      space
          .set(
              PciRegs.PCI_BASE_ADDRESS_2,
              4,
              PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64 | PciRegs.PCI_BASE_ADDRESS_MEM_PREFETCH)
          .allowWrites(PciRegs.PCI_BASE_ADDRESS_2, 4, (int) -bufferSize)
          .allowWrites(PciRegs.PCI_BASE_ADDRESS_3, 4, -1);
    }
    if (options.hasMsi) {
      NvmeInterrupts.describeMsi(space, options.vectors());
    } else {
      space
          .set(MESSAGES, 1, PciRegs.PCI_CAP_ID_MSIX)
          .set(MESSAGES + PciRegs.PCI_MSIX_FLAGS, 2, options.vectors() - 1)
          .allowWrites(
              MESSAGES + PciRegs.PCI_MSIX_FLAGS,
              2,
              PciRegs.PCI_MSIX_FLAGS_ENABLE | PciRegs.PCI_MSIX_FLAGS_MASKALL)
          .set(MESSAGES + PciRegs.PCI_MSIX_TABLE, 4, MSIX_TABLE_OFFSET)
          .set(MESSAGES + PciRegs.PCI_MSIX_PBA, 4, MSIX_PBA_OFFSET);
    }
    space.set(MESSAGES + PciRegs.PCI_CAP_LIST_NEXT, 1, EXPRESS);
    space
        .set(POWER, 1, PciRegs.PCI_CAP_ID_PM)
        .set(POWER + PciRegs.PCI_PM_PMC, 2, POWER_VERSION)
        .set(POWER + PciRegs.PCI_PM_CTRL, 2, PciRegs.PCI_PM_CTRL_NO_SOFT_RESET)
        .allowWrites(POWER + PciRegs.PCI_PM_CTRL, 2, PciRegs.PCI_PM_CTRL_STATE_MASK);
    return space
        .set(EXPRESS, 1, PciRegs.PCI_CAP_ID_EXP)
        .set(EXPRESS + PciRegs.PCI_CAP_LIST_NEXT, 1, POWER)
        .set(EXPRESS + PciRegs.PCI_EXP_FLAGS, 2, EXPRESS_VERSION)
        .set(EXPRESS + PciRegs.PCI_EXP_DEVCAP, 4, EXPRESS_CAN)
        .allowWrites(EXPRESS + PciRegs.PCI_EXP_DEVCTL, 2, EXPRESS_REPORTS)
        .set(EXPRESS + PciRegs.PCI_EXP_LNKCAP, 4, PciRegs.PCI_EXP_LNKCAP_ASPM_L0S | EXPRESS_LINK)
        .set(EXPRESS + PciRegs.PCI_EXP_LNKSTA, 2, EXPRESS_LINK)
        .set(EXPRESS + PciRegs.PCI_EXP_DEVCAP2, 4, 0x0030_0000)
        .allowWrites(
            EXPRESS + PciRegs.PCI_EXP_DEVCTL2, 2, 0x8000); // end-to-end TLP prefix blocking
  }

  @Override
  public ConfigSpace config() {
    return config;
  }

  @Override
  public List<Bar> bars() {
    return List.copyOf(bars);
  }

  @Override
  public int msixVectors() {
    return options.hasMsi ? 0 : options.vectors();
  }

  /**
   * Describes what keeps the data of its namespaces, in their order, in words for people: such as
   * {@code disk.img by io_uring}.
   */
  public List<String> storage() {
    return namespaces.stream().map(each -> each.storage().describe()).toList();
  }

  /** The faults that hit it. */
  public NvmeFaults faults() {
    return faults;
  }

  @Override
  public void connect(DmaPort dmaPort, InterruptPort interruptPort) {
    dma.connect(dmaPort);
    interrupts.connect(interruptPort);
    namespaces.forEach(each -> each.storage().connect());
  }

  @Override
  public void connectPoll(Runnable request) {
    wake.connect(request);
  }

  @Override
  public void connectPollEvent(int eventFd) {
    wake.connectEvent(eventFd);
  }

  /** The doorbells; there is nothing else in their page. */
  @Override
  public Optional<MappableRegisters> mappableRegisters() {
    return Optional.of(DOORBELLS);
  }

  @Override
  public void mapRegisters(MemorySegment memory) {
    queues.mapDoorbells(memory);
  }

  @Override
  public void unmapRegisters() {
    queues.unmapDoorbells();
  }

  @Override
  public long read(int bar, long offset, int width) {
    if (faults.failure() == NvmeFailure.GONE) {
      return width == Long.BYTES ? -1 : (1L << (width * Byte.SIZE)) - 1;
    }
    catchUp();
    if (bar == NvmeMemoryBuffer.BAR && buffer != null) {
      return buffer.load(offset, width);
    }
    int aligned = (int) offset & -Integer.BYTES;
    long value = Integer.toUnsignedLong(read32(aligned));
    if (width == Long.BYTES) {
      return value | ((long) read32(aligned + Integer.BYTES) << 32);
    }
    int shift = (int) (offset - aligned) * Byte.SIZE;
    return (value >>> shift) & ((1L << (width * Byte.SIZE)) - 1);
  }

  private int read32(int offset) {
    if (offset == CSTS) {
      return status();
    }
    if (offset < DOORBELLS_OFFSET) {
      return registers.read32(offset);
    }
    if (msixTable != null
        && offset >= MSIX_TABLE_OFFSET
        && offset < MSIX_TABLE_OFFSET + msixTable.byteSize()) {
      return msixTable.read32(offset - MSIX_TABLE_OFFSET);
    }
    // Doorbells read as zero, and so does the pending-bit array: no interrupt ever waits.
    return 0;
  }

  private int status() {
    int status = registers.read32(CSTS);
    return switch (faults.failure()) {
      case FATAL -> status | CSTS_CFS;
      case NOT_READY -> status & ~CSTS_RDY;
      default -> status;
    };
  }

  /** Registers take writes of 32 and 64 bits only; narrower ones are ignored. */
  @Override
  public void write(int bar, long offset, int width, long value) {
    if (faults.failure() == NvmeFailure.GONE) {
      return;
    }
    catchUp();
    if (bar == NvmeMemoryBuffer.BAR && buffer != null) {
      buffer.store(offset, width, value);
      return;
    }
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
      ringDoorbell((offset - DOORBELLS_OFFSET) / DOORBELL_STRIDE, value);
    } else if (msixTable != null && offset < MSIX_TABLE_OFFSET + msixTable.byteSize()) {
      msixTable.write32(offset - MSIX_TABLE_OFFSET, value);
    }
  }

  private void writeRegister(int offset, int value) {
    switch (registers.write32(offset, value)) {
      case NONE -> {
        // The register keeps the value; nothing else depends on it.
      }
      case ENABLE -> enable();
      case RESET -> {
        resetController();
        if (io.isQuiet()) {
          waitsForDisk = false;
        } else {
          drain();
        }
      }
      case SHUTDOWN -> shutDown();
      case ENABLE_AND_SHUTDOWN -> {
        enable();
        shutDown();
      }
    }
    queues.signal(registers.interruptMask()); // what the mask held back
    updateLine();
  }

  private void shutDown() {
    io.shutDown();
    io.start();
    sweep();
  }

  /** Memory is the host's again once the disks have done with it. */
  private void drain() {
    registers.drain();
    if (!waitsForDisk) {
      waitsForDisk = true;
      isDrainingTold = false;
      drainingSince = wake.nanoTime();
    }
    tellDraining();
  }

  /** Says that a disk keeps a reset waiting, and has somebody look when that is to be said. */
  private void tellDraining() {
    if (isDrainingTold) {
      return;
    }
    long now = wake.nanoTime();
    if (now - drainingSince < DRAINING_NANOS) {
      if (drainingWake - now <= 0) {
        drainingWake = drainingSince + DRAINING_NANOS;
        wake.in(drainingWake - now);
      }
    } else {
      isDrainingTold = true;
      LOG.log(
          Level.WARNING,
          "{0} is being reset, and its disk does not answer: CSTS.RDY stays 1 until it does, since"
              + " it still uses the client''s memory",
          options.serial);
    }
  }

  private void enable() {
    queues.createCompletionQueue(
        0, registers.adminCompletionQueue(), registers.adminCompletionEntries(), 0);
    queues.createSubmissionQueue(
        0, registers.adminSubmissionQueue(), registers.adminSubmissionEntries(), 0);
  }

  private void resetController() {
    held.clear();
    io.abandon();
    admin.reset();
    queues.clear();
    events.reset();
    features.reset();
    faults.reset();
    isBehind = false;
    isLossTold = false;
    isTemperatureTold = false;
  }

  private boolean isRunning() {
    return registers.isReady() && faults.failure() == NvmeFailure.NONE;
  }

  private void ringDoorbell(int doorbell, int value) {
    if (!registers.isReady()) {
      return;
    }
    var error = queues.ring(doorbell, value);
    tell(error);
    if (!isRunning()) {
      isBehind = true;
      return;
    }
    io.beginRound();
    try {
      if (error == NvmeQueues.DoorbellError.NONE) {
        int queue = doorbell / 2;
        if (doorbell % 2 == 0) {
          queues.process(queue, executor);
        } else {
          queues.processPostingTo(queue, executor);
        }
      }
    } catch (DmaFaultException _) {
      // A queue is out of reach: there is no way left to tell software but this one.
      registers.fail();
    }
    finish();
    updateLine();
  }

  private void tell(NvmeQueues.DoorbellError error) {
    switch (error) {
      case NONE -> {
        // The doorbell is one of a queue, and its value is one of the queue's entries.
      }
      case NO_SUCH_QUEUE -> raiseDoorbellError(NvmeAsyncEvents.INVALID_DOORBELL_REGISTER);
      case BAD_VALUE -> raiseDoorbellError(NvmeAsyncEvents.INVALID_DOORBELL_VALUE);
    }
  }

  private void raiseDoorbellError(int information) {
    events.raise(NvmeAsyncEvents.TYPE_ERROR, information, NvmeLogPages.ERROR_INFORMATION);
  }

  /**
   * Has storages begin what was fetched, and completes what is done; whether there was anything.
   */
  private boolean finish() {
    boolean worked = false;
    try {
      worked = advance();
      if (queues.takeBadShadow()) {
        raiseDoorbellError(NvmeAsyncEvents.INVALID_DOORBELL_VALUE);
      }
      if (held.hasWork()) {
        worked |= held.deliver(queues, this::executeHeld);
        worked |= advance();
        worked |= held.hasWork() && held.deliver(queues, this::executeHeld);
      }
      admin.finishDeletions();
      tellWarnings();
      events.deliver(queues);
    } catch (DmaFaultException _) {
      registers.fail();
    }
    queues.signal(registers.interruptMask());
    if (io.hasMore()) {
      wake.now(); // others come first
    }
    return worked;
  }

  /** Takes commands from step to step, as far as the round goes; whether there was anything. */
  private boolean advance() throws DmaFaultException {
    io.start();
    boolean worked = false;
    boolean isOver = false;
    while (io.isReady() && !isOver) {
      worked = true;
      io.advance(sink);
      isOver = io.isRoundOver();
      io.start();
    }
    return worked;
  }

  /** Lets go of what a reset has left behind, and ends a shutdown that is done. */
  private void sweep() {
    try {
      io.sweep(sink);
    } catch (DmaFaultException _) {
      registers.fail();
    }
  }

  /**
   * Tells of what is critical once, and as soon as software wants to be told: it may ask for the
   * event later, or start anew.
   */
  private void tellWarnings() {
    if (!isLossTold && logPages.hasLostWrites()) {
      isLossTold = raise(NvmeFeatures.RELIABILITY_EVENTS, NvmeAsyncEvents.RELIABILITY_DEGRADED);
    }
    if (!logPages.isBeyondThreshold()) {
      isTemperatureTold = false;
    } else if (!isTemperatureTold) {
      isTemperatureTold =
          raise(NvmeFeatures.TEMPERATURE_EVENTS, NvmeAsyncEvents.TEMPERATURE_THRESHOLD);
    }
  }

  private boolean raise(int enabled, int information) {
    return (features.asyncEvents() & enabled) != 0
        && events.raise(NvmeAsyncEvents.TYPE_SMART, information, NvmeLogPages.SMART);
  }

  private void updateLine() {
    try {
      queues.updateLine(registers.interruptMask());
    } catch (DmaFaultException _) {
      registers.fail();
    }
  }

  /** Does what a fault has held up and holds up no longer, and sees what became of it meanwhile. */
  private void catchUp() {
    if (isBehind || held.hasWork() || faults.temperature() != logPages.temperature()) {
      poll();
    }
  }

  @Override
  public boolean poll() {
    boolean worked = io.poll();
    if (!isRunning()) {
      sweep();
      if (!registers.isDraining()) {
        return worked;
      }
      if (!io.isQuiet()) {
        tellDraining();
        return worked;
      }
      waitsForDisk = false;
      if (registers.drained() == NvmeRegisters.Transition.ENABLE) {
        enable();
      }
    }
    isBehind = false;
    queues.takeStores(doorbellErrors);
    logPages.changeTemperature(faults.temperature());
    io.beginRound();
    io.lookAgain();
    boolean fetched = false;
    try {
      fetched = queues.processAll(executor);
    } catch (DmaFaultException _) {
      registers.fail();
    }
    if (fetched && isGathering()) {
      return true;
    }
    worked |= fetched;
    worked |= finish();
    updateLine();
    return worked;
  }

  /**
   * Whether more commands are waited for, for one look more: software puts one after the other, and
   * what is begun together costs a storage one system call.
   */
  private boolean isGathering() {
    return options.isPolled && io.unstarted() < BATCH && !io.isReady() && !io.isRoundOver();
  }

  private int execute(NvmeCommand command) {
    int status = faults.isEmpty() ? carryOut(command) : execute(command, faults.hit(command));
    io.countCommand();
    return status;
  }

  /** Carries out a command that was held: no room was kept for its completion. */
  private int executeHeld(NvmeCommand command, List<NvmeFault.Effect> effects) {
    int status = execute(command, effects);
    if (status == NvmeStatus.PENDING) {
      if (command.queueId() == 0) {
        queues.keepRoom(0);
      } else {
        io.begun().isOwed = true;
      }
    }
    return status;
  }

  /** A command of an I/O queue is done. */
  private void completed(NvmeTask task, int outcome) throws DmaFaultException {
    if (task.isOfShutdown) {
      if (!io.owesShutdown()) {
        registers.shutDown();
      }
      return;
    }
    int status = reported(task.command, outcome);
    var effects = task.effects;
    if (effects != null) {
      status = apply(effects, task.command, task.runs, status);
    }
    int queue = task.command.queueId();
    boolean completes = status != NvmeStatus.NO_COMPLETION;
    if (task.isOwed) {
      if (completes) {
        held.owe(queue, task.command.id(), task.command.result(), status);
      }
    } else if (completes) {
      queues.completePending(queue, task.command.id(), task.command.result(), status);
    } else {
      queues.giveUpPending(queue);
    }
  }

  private int reported(NvmeCommand command, int status) {
    if (status <= NvmeStatus.SUCCESS) {
      return status;
    }
    int reported = NvmeStatus.reported(status);
    logPages.recordError(command, reported);
    return reported;
  }

  private int carryOut(NvmeCommand command) {
    int status;
    try {
      if (!command.hasKnownFlags() || (command.usesSgl() && !options.hasSgl)) {
        status = NvmeStatus.INVALID_FIELD;
      } else {
        status = command.queueId() == 0 ? admin.execute(command) : io.execute(command);
      }
    } catch (DmaFaultException _) {
      status = NvmeStatus.DATA_TRANSFER_ERROR;
    }
    return reported(command, status);
  }

  /** Carries out a command to which something happens. */
  private int execute(NvmeCommand command, List<NvmeFault.Effect> effects) {
    for (var effect : effects) {
      if (effect instanceof NvmeFault.Effect.Failure(var failure)) {
        faults.become(failure);
        return NvmeStatus.STOP;
      }
      if (effect instanceof NvmeFault.Effect.Delay(var nanos)) {
        var others = new ArrayList<>(effects);
        others.remove(effect);
        held.hold(command, others, nanos);
        return NvmeStatus.NO_COMPLETION;
      }
    }
    int status = carryOutOrRefuse(command, effects);
    if (status == NvmeStatus.PENDING) {
      if (command.queueId() != 0) {
        io.begun().effects = effects;
      }
      return status;
    }
    return apply(effects, command, data.runs(), status);
  }

  /** What else happens to a command that is done; returns the status that is left. */
  private int apply(
      List<NvmeFault.Effect> effects, NvmeCommand command, NvmeRuns runs, int outcome) {
    int status = outcome;
    for (var effect : effects) {
      switch (effect) {
        case NvmeFault.Effect.StrayWrite(var iova, var byteSize) -> stray(iova, byteSize);
        case NvmeFault.Effect.Overrun(var byteSize) -> {
          if (runs.count() > 0) {
            stray(runs.iova(runs.count() - 1) + runs.length(runs.count() - 1), byteSize);
          }
        }
        case NvmeFault.Effect.Forgery(var commandId) ->
            held.owe(command.queueId(), commandId, 0, NvmeStatus.SUCCESS);
        case NvmeFault.Effect.Repetition _ -> {
          if (status != NvmeStatus.NO_COMPLETION) {
            held.owe(command.queueId(), command.id(), command.result(), status);
          }
        }
        case NvmeFault.Effect.Loss _ -> status = NvmeStatus.NO_COMPLETION;
        default -> {
          // Had its effect already.
        }
      }
    }
    return status;
  }

  private int carryOutOrRefuse(NvmeCommand command, List<NvmeFault.Effect> effects) {
    for (var effect : effects) {
      if (effect instanceof NvmeFault.Effect.Status(var status)) {
        logPages.recordError(command, status);
        return status;
      }
    }
    return carryOut(command);
  }

  private void stray(long iova, int byteSize) {
    try (var temporary = Arena.ofConfined()) {
      MemorySegment bytes = temporary.allocate(byteSize).fill(STRAY);
      dma.write(iova, bytes);
    } catch (DmaFaultException _) {
      // The host has seen it; the controller does not care.
    }
  }

  /**
   * Resets the controller: what is under way goes on, but nobody waits for it, and memory is not
   * used afterwards.
   */
  @Override
  public void reset() {
    resetController();
    waitsForDisk = false;
    registers.reset();
    logPages.reset();
    if (msixTable != null) {
      msixTable.reset();
    }
    updateLine();
  }

  /**
   * Resets the function. Memory of a client that is there may be taken away afterwards, so that
   * this waits for up to 1 s until disks use none of it, with whatever lock its caller has; it says
   * so to the operator if one still does then. For {@link ResetReason#CLIENT_LOST} it does not
   * wait.
   */
  @Override
  public void reset(ResetReason reason) {
    reset();
    // The memory of a client that has left is gone already.
    if (reason != ResetReason.CLIENT_LOST && !awaitTransfers(RESET_NANOS)) {
      LOG.log(
          Level.WARNING,
          "{0} was reset while its disk did not answer: a read that is under way may still write"
              + " to memory",
          options.serial);
    }
  }

  /**
   * Waits until no disk uses memory of the client's, by polling them every 20 us on the calling
   * thread, with whatever lock it has.
   *
   * @param nanos how long to wait at most, in nanoseconds; 0 to look once
   */
  @Override
  public boolean awaitTransfers(long nanos) {
    long begin = System.nanoTime();
    while (!io.isQuiet()) {
      if (System.nanoTime() - begin >= nanos) {
        return false;
      }
      if (!io.poll()) {
        LockSupport.parkNanos(WAIT_STEP_NANOS);
      }
    }
    return true;
  }

  /**
   * Has power fail and come back: what was written and not flushed is lost, as with a real cache
   * that is volatile, and all but configuration space is as after power-on.
   *
   * @throws IllegalStateException without {@link NvmeModelOptions#withPowerLoss}
   */
  public void losePower() {
    if (!options.losesPower) {
      throw new IllegalStateException("the model was not made with a power supply that can fail");
    }
    for (var namespace : namespaces) {
      if (namespace.storage() instanceof VolatileCache cache) {
        cache.losePower();
      }
    }
    reset();
  }

  /**
   * Gives up what waits, has what is under way end, and makes everything persistent; its host is
   * asked for nothing from then on. Idempotent.
   *
   * <p>It blocks, with whatever lock its caller has: for each file up to 10 s for calls that are
   * under way, then for a last {@code fdatasync} that takes as long as its disk does, and 1 s more.
   * After the first 10 s a line tells the operator what is waited for. What the kernel still works
   * at then stays open.
   *
   * @throws UncheckedIOException if data could not be made persistent, with the file and the errno;
   *     it is closed all the same
   */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      wake.disconnect();
      var end = new EndSteps();
      end.run(io::abandon);
      namespaces.forEach(each -> end.run(each.storage()::close));
      if (namespaces.stream().allMatch(each -> each.storage().isIdle())) {
        end.run(arena::close); // else a call that does not end has memory of it
      }
      end.rethrow();
    }
  }

  @Override
  public String toString() {
    return "NVMe model of serial " + options.serial;
  }
}
