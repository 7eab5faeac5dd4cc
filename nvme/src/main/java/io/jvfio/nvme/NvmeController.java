// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaMapping;
import io.jvfio.Interrupt;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * An NVMe controller, driven over a VFIO device.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="namespace"}
 *
 * <p>There are two faces. {@link NvmeNamespace} blocks: several threads work in parallel on a few
 * queue pairs that they share. {@link #openQueue()} makes a queue pair for one thread, with many
 * commands in flight and nothing waited for.
 *
 * <p><b>When the controller fails.</b> A command that takes longer than {@link
 * NvmeOptions#commandTimeout()} is aborted; if it does not come back then, or the controller
 * reports a fatal error, or completes what it was not given, it is reset. First it is stopped, so
 * that it reaches no memory any more; then all commands in flight, of all queues, end with status
 * Command Aborted By Host, which blocking calls make a {@link VfioException} of; what they did is
 * not known. After that the controller works again, and queues with it; features that were not
 * saved are as after power-on. A controller that cannot be reset, or is gone, fails all commands
 * from then on with {@link VfioException} and can only be closed.
 *
 * <p>Closing deletes the queues, tells the controller to shut down, stops it, takes bus mastering
 * away and frees the queue memory last. The device itself stays open. It may be closed while other
 * threads use it: they get an {@link NvmeClosedException} once the device reaches no memory any
 * more.
 *
 * <p>Where the device is closed first, or by another thread meanwhile, everything throws {@link
 * NvmeClosedException}, and closing the controller only gives back what is left of it.
 *
 * <p>Safe for use by several threads. Source: NVM Express Base Specification, "Memory-based
 * Controller Initialization", "Controller Shutdown".
 */
public final class NvmeController implements AutoCloseable {
  private final Controller controller;
  private final AdminCommands commands;
  private final NvmeFeatures features;
  private final AsyncEvents events;
  private final SharedQueues queues;
  private final @Nullable Interrupt releaseRequest;
  private final AtomicBoolean isClosed = new AtomicBoolean();

  private NvmeController(
      Controller controller, NvmeQueue firstQueue, @Nullable Interrupt releaseRequest) {
    this.controller = controller;
    this.releaseRequest = releaseRequest;
    commands = new AdminCommands(controller);
    features = new NvmeFeatures(controller);
    events = new AsyncEvents(controller);
    queues = new SharedQueues(controller, firstQueue);
  }

  /** Opens the controller with {@link NvmeOptions#defaults()}. */
  public static NvmeController open(VfioDevice device) {
    return open(device, NvmeOptions.defaults());
  }

  /**
   * Resets and starts the controller, identifies it, and creates its first I/O queue pair. If that
   * fails, everything opened is closed again and the controller is stopped.
   *
   * @param device an open NVMe device, to be kept open until the controller is closed
   * @throws VfioException if there is no memory for the queues, or the controller does not start
   * @throws NvmeStatusException if the controller completes a command with an error
   * @throws NvmeClosedException if the device is closed meanwhile
   */
  public static NvmeController open(VfioDevice device, NvmeOptions options) {
    var controller = new Controller(device, options);
    try {
      var firstQueue = controller.start();
      return new NvmeController(controller, firstQueue, listen(controller));
    } catch (RuntimeException e) {
      controller.abandonStart(e);
      throw device.isClosed() ? controller.explained(e) : e; // it is closed by now in any case
    } catch (Error e) {
      controller.abandonStart(e);
      throw e;
    }
  }

  private static @Nullable Interrupt listen(Controller controller) {
    var action = controller.options().onReleaseRequest();
    if (action == null) {
      return null;
    }
    var interrupt = controller.device().interrupts().releaseRequest();
    interrupt.handle(
        _ -> {
          controller.deviceIsWanted();
          action.run();
        });
    return interrupt;
  }

  /** The controller's description of itself, as of when it was opened. */
  public IdentifyController identify() {
    controller.requireOpen();
    return controller.startup().identity();
  }

  /** The numbers of the active namespaces, in order. */
  public List<Integer> namespaces() {
    return commands.activeNamespaces();
  }

  /**
   * Asks for the description of a namespace, whether or not this driver can use it.
   *
   * @param id the namespace's number, from 1
   * @throws NvmeStatusException if the controller has no such namespace
   */
  public IdentifyNamespace identifyNamespace(int id) {
    checkId(id);
    return commands.namespace(id);
  }

  /**
   * Asks for the identifiers of a namespace that no other namespace has anywhere.
   *
   * @param id the namespace's number, from 1
   * @throws NvmeStatusException if the controller has no such namespace, or does not tell
   */
  public NamespaceIdentifiers namespaceIdentifiers(int id) {
    checkId(id);
    return commands.identifiers(id);
  }

  private static void checkId(int id) {
    if (id < 1) {
      throw new IllegalArgumentException("namespaces are numbered from 1, not " + id);
    }
  }

  /**
   * Opens a namespace.
   *
   * @param id the namespace's number, from 1
   * @throws VfioException if the namespace is not active, or its blocks carry metadata, which this
   *     driver does not transfer; or if the controller does not answer
   * @throws NvmeStatusException if the controller has no such namespace
   */
  public NvmeNamespace namespace(int id) {
    IdentifyNamespace identity = identifyNamespace(id);
    if (identity.sizeBlocks() == 0) {
      throw controller.failure(
          "open namespace " + id,
          "The controller has no active namespace of this number.",
          "Create it and attach it to the controller.");
    }
    var format = identity.format();
    if (format.dataBytes() == 0 || format.metadataBytes() != 0) {
      throw controller.failure(
          "open namespace " + id,
          "Its blocks have %d bytes of data and %d of metadata%s, which this driver cannot transfer."
              .formatted(
                  format.dataBytes(),
                  format.metadataBytes(),
                  identity.metadataInline() ? " behind them" : ""),
          "Format it without metadata.");
    }
    return new NvmeNamespace(controller, queues, id, identity);
  }

  /**
   * Creates an I/O queue pair for one thread, with entries as {@link NvmeOptions} says.
   *
   * @throws VfioException if the controller allows no more; it is not harmed by that
   * @throws NvmeStatusException if the controller refuses
   */
  public NvmeQueue openQueue() {
    return controller.openQueue();
  }

  /** The interrupts that completions are noticed by, and why it is not the best kind. */
  public NvmeInterrupts interrupts() {
    return controller.startup().vectors().description();
  }

  /**
   * The number of resets since the controller was opened that were made because it had failed. A
   * reset counts once the controller is stopped, before the commands that it ends are told.
   */
  public int resets() {
    return controller.resets();
  }

  /**
   * Why the controller was reset last, or cannot be used any more; empty if it has never failed.
   * Commands that such a reset ends are told Command Aborted By Host, and no more.
   */
  public Optional<Throwable> failure() {
    return controller.failure();
  }

  /** Reads how the controller is doing. */
  public SmartLog smart() {
    return SmartLog.decode(log(AdminCommands.LOG_SMART, SmartLog.BYTES));
  }

  /** The errors that the controller remembers, the newest first. */
  public List<ErrorLogEntry> errors() {
    int most =
        identify().supportsLogOffsets()
            ? Integer.MAX_VALUE
            : PrpList.PAGE_SIZE / ErrorLogEntry.BYTES;
    int count = Math.min(identify().errorLogEntries(), most);
    var page = log(AdminCommands.LOG_ERRORS, count * ErrorLogEntry.BYTES);
    return IntStream.range(0, count)
        .mapToObj(i -> ErrorLogEntry.decode(page, (long) i * ErrorLogEntry.BYTES))
        .filter(entry -> entry.errorCount() != 0)
        .toList();
  }

  /** The firmware that the controller has. */
  public FirmwareSlots firmwareSlots() {
    return FirmwareSlots.decode(log(AdminCommands.LOG_FIRMWARE, FirmwareSlots.BYTES));
  }

  /** The commands that the controller supports, and what they do to it. */
  public CommandEffects commandEffects() {
    return CommandEffects.decode(log(AdminCommands.LOG_EFFECTS, CommandEffects.BYTES));
  }

  private MemorySegment log(int page, int byteSize) {
    byte[] bytes = commands.logPage(page, AdminCommands.ALL_NAMESPACES, 0, byteSize);
    // A segment over longs, so that fields of any width are aligned.
    var aligned = MemorySegment.ofArray(new long[byteSize / Long.BYTES]);
    return aligned.copyFrom(MemorySegment.ofArray(bytes));
  }

  /**
   * Reads any log page, as it is.
   *
   * @param page the log page, 0 to 255
   * @param namespaceId the namespace it is of; -1 for the controller
   * @param offset where in it, a multiple of 4
   * @param byteSize how much of it, a multiple of 4
   * @throws UnsupportedOperationException if it is more than the controller can give
   */
  public byte[] logPage(int page, int namespaceId, long offset, int byteSize) {
    if (page < 0 || page > 0xff) {
      throw new IllegalArgumentException("log page %d, not 0 to 255".formatted(page));
    }
    return commands.logPage(page, namespaceId, offset, byteSize);
  }

  /** The controller's settings. */
  public NvmeFeatures features() {
    return features;
  }

  /**
   * Has the controller tell what happens to it. The handler is called by interrupt where the
   * controller was opened with interrupts and the admin queue has a vector ({@link
   * NvmeCompletionMode#INTERRUPTS}), otherwise by {@link #pollEvents()} only. A handler that is
   * there is replaced.
   */
  public void onEvent(NvmeEventHandler handler) {
    events.handle(handler);
  }

  /**
   * Tells the handler of the events that have come in.
   *
   * @return how many
   */
  public int pollEvents() {
    controller.requireUsable();
    return events.poll();
  }

  /**
   * Formats a namespace: all its data is lost. It has to be opened again.
   *
   * @param namespaceId the namespace; -1 for all
   * @param formatIndex which of {@link IdentifyNamespace#formats()}, 0 to 15
   * @param timeout how long it may take: minutes, for a disk that overwrites its data
   * @throws UnsupportedOperationException if the controller does not offer it
   */
  public void format(int namespaceId, int formatIndex, NvmeSecureErase erase, Duration timeout) {
    commands.format(namespaceId, formatIndex, erase, timeout);
  }

  /**
   * Carries out any admin command, as it is: a way to what this driver has no method for. Commands
   * that create or delete queues, or change the number of them, break what this driver knows.
   *
   * @param namespaceId the namespace; 0 for none, -1 for all
   * @param buffer the data, from its first byte to its last, at most 2 MiB; null for a command
   *     without data
   * @param timeout how long it may take
   * @return dword 0 of the completion
   */
  public int adminCommand(
      NvmeCommand command, int namespaceId, @Nullable DmaMapping buffer, Duration timeout) {
    return commands.raw(command, namespaceId, buffer, timeout);
  }

  /**
   * Stops the controller and frees its queues. Every step is taken even if one before it failed.
   * Idempotent, and safe from any thread. A device that is closed is not told to shut down: close
   * the controller before it.
   *
   * @throws VfioException if the controller did not shut down or stop as it should; not once the
   *     device is closed, which has stopped it
   */
  @Override
  public void close() {
    var steps = new CloseSteps();
    if (!isClosed.getAndSet(true)) {
      // Before the lock: these wait for a handler, which may be waiting for the lock.
      steps.run(events::close);
      if (releaseRequest != null) {
        steps.run(() -> controller.unhandle(releaseRequest));
      }
    }
    steps.run(controller::close);
    steps.rethrow();
  }

  @Override
  public String toString() {
    return "NVMe controller " + controller.name();
  }
}
