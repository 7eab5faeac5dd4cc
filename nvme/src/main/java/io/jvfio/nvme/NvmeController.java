package io.jvfio.nvme;

import io.jvfio.DmaSpace;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * An NVMe controller, driven over a VFIO device: an admin queue pair and one I/O queue pair,
 * polled.
 *
 * <pre>{@code
 * try (var device = host.open(address);
 *     var controller = NvmeController.open(device)) {
 *   var namespace = controller.namespace(1);
 *   try (var buffer = device.dmaSpace().allocate(1 << 20)) {
 *     namespace.read(0, buffer.byteSize() / namespace.blockSize(), buffer, 0);
 *   }
 * }
 * }</pre>
 *
 * <p>Closing deletes the queues, tells the controller to shut down, stops it, takes bus mastering
 * away and frees the queue memory last. The device itself stays open.
 *
 * <p>A controller that does not complete a command in time is stopped at once, so that it cannot
 * write to memory that is given back later; all further I/O fails, and it can only be closed.
 *
 * <p>Safe for use by several threads: one call at a time goes to the controller, the others wait.
 * Source: NVM Express Base Specification, "Memory-based Controller Initialization", "Controller
 * Shutdown".
 */
public final class NvmeController implements AutoCloseable {
  private static final int IO_QUEUE = 1;

  /** Asked of the controller. */
  private static final int MAX_PAIRS = 128;

  private static final int LOG_ERRORS = 0x01;
  private static final int LOG_SMART = 0x02;
  private static final int MAX_NAMESPACES = 1024;

  /** For controllers that do not say how long a shutdown takes. */
  private static final Duration SHORTEST_SHUTDOWN = Duration.ofSeconds(10);

  private final ReentrantLock lock = new ReentrantLock();
  private final VfioDevice device;
  private final NvmeOptions options;
  private final ControllerRegisters registers;

  /** Queue identifiers in use beyond the first. */
  private final BitSet queueIds = new BitSet();

  private final Set<NvmeQueue> queues = new LinkedHashSet<>();
  private int pairs;
  private long maxTransfer;
  private @Nullable AdminQueue admin;
  private @Nullable IoQueue io;
  private @Nullable IdentifyController identify;
  private boolean isBusMaster;
  private boolean isEnabled;
  private boolean hasCompletionQueue;
  private boolean hasSubmissionQueue;

  /** Why the controller was stopped before it was closed. */
  private @Nullable Throwable failure;

  private boolean isClosed;

  private NvmeController(VfioDevice device, NvmeOptions options, ControllerRegisters registers) {
    this.device = device;
    this.options = options;
    this.registers = registers;
  }

  /** Opens the controller with {@link NvmeOptions#defaults()}. */
  public static NvmeController open(VfioDevice device) {
    return open(device, NvmeOptions.defaults());
  }

  /**
   * Resets and starts the controller, identifies it, and creates its I/O queues. If that fails,
   * everything opened is closed again and the controller is stopped.
   *
   * @param device an open NVMe device, to be kept open until the controller is closed
   * @throws VfioException if there is no memory for the queues, or the controller does not start
   * @throws NvmeStatusException if the controller completes a command with an error
   */
  public static NvmeController open(VfioDevice device, NvmeOptions options) {
    var registers = new ControllerRegisters(device.region(0).registers(), device.name());
    var controller = new NvmeController(device, options, registers);
    try {
      controller.start();
      return controller;
    } catch (RuntimeException | Error e) {
      controller.release().suppressInto(e);
      throw e;
    }
  }

  private void start() {
    // This lets the device decode its registers, too; so it comes before the first look at them.
    isBusMaster = true;
    device.enableBusMaster();
    registers.readCapabilities();
    registers.disable();
    long timeout = options.commandTimeout().toNanos();
    var adminPair = new QueuePair(device.dmaSpace(), registers, 0, AdminQueue.ENTRIES, timeout);
    var newAdmin = new AdminQueue(adminPair, device.name());
    admin = newAdmin;
    registers.adminQueues(
        adminPair.submissionIova(), adminPair.completionIova(), adminPair.entries());
    registers.enable();
    isEnabled = true;

    var identity =
        IdentifyController.decode(
            newAdmin.identify(0, AdminQueue.CNS_CONTROLLER),
            registers.version(),
            PrpList.PAGE_SIZE);
    identify = identity;
    pairs = newAdmin.requestQueuePairs(MAX_PAIRS);
    int entries = Math.min(options.queueEntries(), registers.maxQueueEntries());
    var pair = new QueuePair(device.dmaSpace(), registers, IO_QUEUE, entries, timeout);
    long limit = identity.mdtsBytes() == 0 ? Long.MAX_VALUE : identity.mdtsBytes();
    maxTransfer = Math.min(limit, PrpList.MAX_TRANSFER);
    io = new IoQueue(pair, device.name(), maxTransfer);
    newAdmin.createCompletionQueue(IO_QUEUE, pair.completionIova(), entries);
    hasCompletionQueue = true;
    newAdmin.createSubmissionQueue(IO_QUEUE, pair.submissionIova(), entries);
    hasSubmissionQueue = true;
  }

  /** What the controller said of itself when it was opened. */
  public IdentifyController identify() {
    lock.lock();
    try {
      requireOpen();
      return started(identify);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Identifies a namespace.
   *
   * @param id the namespace's number, from 1
   * @throws VfioException if the namespace is not active, or its blocks carry metadata, which this
   *     driver does not transfer; or if the controller does not answer
   * @throws NvmeStatusException if the controller has no such namespace
   */
  public NvmeNamespace namespace(int id) {
    if (id < 1) {
      throw new IllegalArgumentException("namespaces are numbered from 1, not " + id);
    }
    IdentifyNamespace identity = identifyNamespace(id);
    if (identity.sizeBlocks() == 0) {
      throw registers.failure(
          "open namespace " + id,
          "The controller has no active namespace of this number.",
          "Create it and attach it to the controller.");
    }
    if (identity.format().dataBytes() == 0 || identity.format().metadataBytes() != 0) {
      throw registers.failure(
          "open namespace " + id,
          "Its blocks have %d bytes of data and %d of metadata, which this driver cannot transfer."
              .formatted(identity.format().dataBytes(), identity.format().metadataBytes()),
          "Format it without metadata.");
    }
    return new NvmeNamespace(this, id, identity);
  }

  /**
   * Creates an I/O queue pair for one thread, with entries as {@link NvmeOptions} says.
   *
   * @throws VfioException if the controller or its interrupt vectors allow no more
   */
  public NvmeQueue openQueue() {
    return call(this::createQueue);
  }

  private NvmeQueue createQueue() {
    int id = Math.max(queueIds.nextClearBit(0), IO_QUEUE + 1);
    if (id > pairs) {
      throw registers.failure(
          "open a queue",
          "The controller has %d queue pairs, and all are in use.".formatted(pairs),
          "Close one of them.");
    }
    int entries = Math.min(options.queueEntries(), registers.maxQueueEntries());
    var memory = new QueueMemory(device.dmaSpace(), entries, 1);
    var queue =
        new NvmeQueue(
            this,
            id,
            maxTransfer,
            memory,
            new SubmissionRing(
                memory.segment(),
                QueueMemory.SUBMISSION_RING,
                entries,
                registers.submissionTail(id)),
            new CompletionRing(
                memory.segment(), memory.completionRing(), entries, registers.completionHead(id)),
            new CommandSlots(entries - 1));
    var commands = started(admin);
    try {
      commands.createCompletionQueue(id, memory.completionIova(), entries);
      commands.createSubmissionQueue(id, memory.submissionIova(), entries);
    } catch (NvmeStatusException e) {
      memory.close();
      throw e;
    }
    queueIds.set(0, id + 1);
    queues.add(queue);
    return queue;
  }

  /** Deletes a queue, then frees its memory. */
  void closeQueue(NvmeQueue queue, QueueMemory memory) {
    lock.lock();
    try {
      if (queues.remove(queue)) {
        var commands = started(admin);
        if (failure == null) {
          commands.deleteSubmissionQueue(queue.id());
          commands.deleteCompletionQueue(queue.id());
        }
        memory.close();
        queueIds.clear(queue.id());
      }
    } finally {
      lock.unlock();
    }
  }

  /** A completion for a command that was not given. */
  VfioException unknownCompletion(int commandId) {
    return registers.failure(
        "take a completion",
        "The controller completed command %d, which it was not given.".formatted(commandId),
        "Its firmware or its memory is faulty.");
  }

  /** A command of a queue that failed. */
  NvmeStatusException failure(String command, int queue, int status) {
    return new NvmeStatusException(
        command, "queue %d of %s".formatted(queue, device.name()), status);
  }

  /** How the controller is doing. */
  public SmartLog smart() {
    return call(() -> SmartLog.decode(started(admin).logPage(LOG_SMART, SmartLog.BYTES)));
  }

  /** The errors that the controller remembers, the newest first. */
  public List<ErrorLogEntry> errors() {
    return call(
        () -> {
          int count =
              Math.min(identify().errorLogEntries(), PrpList.PAGE_SIZE / ErrorLogEntry.BYTES);
          var page = started(admin).logPage(LOG_ERRORS, count * ErrorLogEntry.BYTES);
          return IntStream.range(0, count)
              .mapToObj(i -> ErrorLogEntry.decode(page, (long) i * ErrorLogEntry.BYTES))
              .filter(entry -> entry.errorCount() != 0)
              .toList();
        });
  }

  /** The numbers of the active namespaces, in order. */
  public List<Integer> namespaces() {
    return call(
        () -> {
          var page = started(admin).identify(0, AdminQueue.CNS_ACTIVE_NAMESPACES);
          return IntStream.range(0, MAX_NAMESPACES)
              .map(i -> page.get(LittleEndian.LE32, (long) i * Integer.BYTES))
              .takeWhile(namespace -> namespace != 0)
              .boxed()
              .toList();
        });
  }

  private <T> T call(Supplier<T> command) {
    lock.lock();
    try {
      requireUsable();
      return command.get();
    } catch (NvmeStatusException e) {
      throw e;
    } catch (RuntimeException | Error e) {
      fail(e);
      throw e;
    } finally {
      lock.unlock();
    }
  }

  private IdentifyNamespace identifyNamespace(int id) {
    lock.lock();
    try {
      requireUsable();
      return IdentifyNamespace.decode(started(admin).identify(id, AdminQueue.CNS_NAMESPACE));
    } catch (NvmeStatusException e) {
      throw e;
    } catch (RuntimeException | Error e) {
      fail(e);
      throw e;
    } finally {
      lock.unlock();
    }
  }

  /** The device's name. */
  String name() {
    return device.name();
  }

  /** The memory that the device reaches. */
  DmaSpace dmaSpace() {
    lock.lock();
    try {
      requireUsable();
      return device.dmaSpace();
    } finally {
      lock.unlock();
    }
  }

  /** Reads or writes blocks; the arguments are checked. */
  void transfer(
      Opcode opcode, int namespaceId, int blockShift, long block, long blocks, long iova) {
    lock.lock();
    try {
      requireUsable();
      started(io).transfer(opcode, namespaceId, blockShift, block, blocks, iova);
    } catch (NvmeStatusException e) {
      throw e;
    } catch (RuntimeException | Error e) {
      fail(e);
      throw e;
    } finally {
      lock.unlock();
    }
  }

  /** Flushes a namespace. */
  void flush(int namespaceId) {
    lock.lock();
    try {
      requireUsable();
      started(io).flush(namespaceId);
    } catch (NvmeStatusException e) {
      throw e;
    } catch (RuntimeException | Error e) {
      fail(e);
      throw e;
    } finally {
      lock.unlock();
    }
  }

  private static <T> T started(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("the controller is not started");
    }
    return part;
  }

  private void requireOpen() {
    if (isClosed) {
      throw new IllegalStateException("the NVMe controller " + device.name() + " is closed");
    }
  }

  private void requireUsable() {
    requireOpen();
    if (failure != null) {
      throw registers.failure(
          "send a command",
          "The controller was stopped after an earlier failure: " + failure.getMessage(),
          "Close it and open it again.");
    }
  }

  /** Stops a controller that does not answer: from now on it reaches no memory. */
  private void fail(Throwable cause) {
    if (isClosed || failure != null) {
      return;
    }
    failure = cause;
    isEnabled = false;
    hasCompletionQueue = false;
    hasSubmissionQueue = false;
    var steps = new CloseSteps();
    steps.run(registers::disable);
    steps.run(device::disableBusMaster);
    steps.suppressInto(cause);
  }

  private void deleteQueues() {
    var queue = started(admin);
    if (hasSubmissionQueue) {
      queue.deleteSubmissionQueue(IO_QUEUE);
    }
    queue.deleteCompletionQueue(IO_QUEUE);
  }

  private void shutDown() {
    var reported =
        identify == null
            ? Duration.ZERO
            : Duration.of(identify.shutdownMicros(), ChronoUnit.MICROS);
    registers.shutDown(reported.compareTo(SHORTEST_SHUTDOWN) < 0 ? SHORTEST_SHUTDOWN : reported);
  }

  /** Undoes what was done so far; memory is freed last, once the device cannot reach it. */
  private CloseSteps release() {
    isClosed = true;
    var open = List.copyOf(queues);
    var steps = new CloseSteps();
    for (var queue : open) {
      steps.run(queue::close);
    }
    if (hasCompletionQueue) {
      steps.run(this::deleteQueues);
    }
    if (isEnabled) {
      steps.run(this::shutDown);
    }
    if (isBusMaster) {
      steps.run(registers::disable);
      steps.run(device::disableBusMaster);
    }
    if (io != null) {
      steps.run(io::close);
    }
    if (admin != null) {
      steps.run(admin::close);
    }
    steps.run(registers::close);
    return steps;
  }

  /**
   * Stops the controller and frees its queues, after the call of another thread that is under way.
   * Every step is taken even if one before it failed. Idempotent.
   *
   * @throws VfioException if the controller did not shut down or stop as it should
   */
  @Override
  public void close() {
    lock.lock();
    try {
      if (!isClosed) {
        release().rethrow();
      }
    } finally {
      lock.unlock();
    }
  }
}
