// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.VfioDevice;
import io.jvfio.linux.uapi.PciRegs;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import org.jspecify.annotations.Nullable;

/**
 * Brings a controller up, again after a reset, and down. Source: NVM Express Base Specification,
 * "Memory-based Controller Initialization", "Controller Shutdown". Not safe for use by several
 * threads at once.
 */
final class Startup {
  /** Asked of the controller. */
  static final int MAX_PAIRS = 128;

  /** More vectors than this are not asked of the host. */
  private static final int MAX_VECTORS = 33;

  /** The time given to controllers that do not say how long a shutdown takes. */
  private static final Duration SHORTEST_SHUTDOWN = Duration.ofSeconds(10);

  private final VfioDevice device;
  private final NvmeOptions options;
  private final ControllerRegisters registers;

  private @Nullable AdminQueue admin;
  private @Nullable IdentifyController identity;
  private @Nullable ShadowDoorbells shadow;
  private @Nullable ControllerMemory controllerMemory;
  private Vectors vectors = Vectors.polled();
  private int pairs;
  private int eventRequests;
  private int eventsEnabled;
  private int eventsConfigured;
  private boolean isBusMaster;

  /** The interrupt line was on before. */
  private boolean hasDisabledLine;

  private boolean isEnabled;

  Startup(VfioDevice device, NvmeOptions options, ControllerRegisters registers) {
    this.device = device;
    this.options = options;
    this.registers = registers;
  }

  /** Takes the controller from whatever state it is in. */
  void start() {
    // This lets the device decode its registers, too; so it comes before the first look at them.
    isBusMaster = true;
    device.enableBusMaster();
    disableLine();
    registers.readCapabilities();
    registers.disable();
    var queue = new AdminQueue(device.name(), device.dmaSpace(), registers);
    admin = queue;
    queue.restart();
    registers.enable();
    isEnabled = true;
    command(Opcode.IDENTIFY, queue.dataIova(), AdminCommands.CNS_CONTROLLER, 0);
    var identified =
        IdentifyController.decode(queue.data(), registers.version(), PrpList.PAGE_SIZE);
    identity = identified;
    requestPairs();
    if (options.sglUse() == NvmeSglUse.ALWAYS && !identified.supportsSgls()) {
      throw registers.failure(
          "use SGLs",
          "The controller does not support them.",
          "Open it with NvmeSglUse.AUTOMATIC.");
    }
    if (options.shadowDoorbells()
        && identified.supportsDoorbellBuffers()
        && !registers.haveDoorbellsInMemory()) {
      shadow = queue.shadowDoorbells();
    }
    configureShadow();
    if (options.controllerMemory()) {
      controllerMemory = ControllerMemory.open(device, registers);
    }
    if (options.completionMode() == NvmeCompletionMode.INTERRUPTS) {
      vectors = Vectors.open(device, Math.min(pairs + 1, MAX_VECTORS));
    }
  }

  /**
   * Has the controller send messages or nothing: nobody listens at its interrupt line, and SPDK's
   * vfio-user target gives up at the first completion for which it would have to raise it.
   */
  private void disableLine() {
    var config = device.config();
    int command = config.read16(PciRegs.PCI_COMMAND);
    if ((command & PciRegs.PCI_COMMAND_INTX_DISABLE) == 0) {
      hasDisabledLine = true;
      config.write16(PciRegs.PCI_COMMAND, command | PciRegs.PCI_COMMAND_INTX_DISABLE);
    }
  }

  /** Leaves the device to whoever has it next as it was. */
  private void giveDeviceBack() {
    device.disableBusMaster();
    if (hasDisabledLine) {
      hasDisabledLine = false;
      var config = device.config();
      int command = config.read16(PciRegs.PCI_COMMAND);
      config.write16(PciRegs.PCI_COMMAND, command & ~PciRegs.PCI_COMMAND_INTX_DISABLE);
    }
  }

  private void requestPairs() {
    int value = (MAX_PAIRS - 1) | (MAX_PAIRS - 1) << 16;
    command(Opcode.SET_FEATURES, 0, NvmeFeatures.NUMBER_OF_QUEUES, value);
    int granted = admin().completedResult();
    pairs = Math.min(Math.min(granted & 0xffff, granted >>> 16) + 1, MAX_PAIRS);
  }

  private void configureShadow() {
    var buffers = shadow;
    if (buffers != null) {
      buffers.clear();
      int status =
          admin()
              .execute(
                  Opcode.DOORBELL_BUFFER_CONFIG.code(),
                  0,
                  buffers.shadowIova(),
                  buffers.eventIndexIova(),
                  0,
                  0,
                  0,
                  options.commandTimeout().toNanos());
      if (status != 0) {
        // They only save time: registers do as well.
        shadow = null;
      }
    }
  }

  private void command(Opcode opcode, long prp1, int cdw10, int cdw11) {
    int status =
        admin()
            .execute(
                opcode.code(),
                0,
                prp1,
                0,
                SubmissionEntry.pair(cdw10, cdw11),
                0,
                0,
                options.commandTimeout().toNanos());
    checkStatus(opcode, status);
  }

  private void checkStatus(Opcode opcode, int status) {
    if (status != 0) {
      throw new NvmeStatusException(opcode.label(), device.name(), status);
    }
  }

  /**
   * Has the controller reach no memory any more.
   *
   * @throws RuntimeException if it does not stop; it is not a bus master then
   */
  void stop() {
    isEnabled = false;
    try {
      registers.disable();
    } catch (RuntimeException e) {
      registers.checkAlive("reset");
      device.disableBusMaster();
      device.reset();
      device.enableBusMaster();
      registers.disable();
    }
  }

  /** After {@link #stop()}: as it was, but without I/O queues. */
  void restart() {
    admin().restart();
    registers.enable();
    isEnabled = true;
    requestPairs();
    configureShadow();
    if (controllerMemory != null) {
      controllerMemory.enable(registers);
    }
    eventsConfigured = 0;
    requestEvents();
  }

  /** Gives the controller up: it reaches no memory any more, as far as that can be had. */
  CloseSteps abandon() {
    isEnabled = false;
    var steps = new CloseSteps();
    stop(steps);
    return steps;
  }

  /** Has events told: {@code count} requests stay with the controller, after resets too. */
  void requestEvents(int count, int events) {
    eventRequests = count;
    eventsEnabled = events;
    requestEvents();
  }

  /** Gives the controller new requests for those that it has used. */
  void requestEvents() {
    if (eventRequests > 0) {
      if (eventsEnabled != eventsConfigured) {
        command(Opcode.SET_FEATURES, 0, NvmeFeatures.ASYNC_EVENTS, eventsEnabled);
        eventsConfigured = eventsEnabled;
      }
      admin().requestEvents(eventRequests);
    }
  }

  AdminQueue admin() {
    return started(admin);
  }

  IdentifyController identity() {
    return started(identity);
  }

  Vectors vectors() {
    return vectors;
  }

  /** How many I/O queue pairs the controller grants. */
  int pairs() {
    return pairs;
  }

  /** The controller's memory, if it has room for the submission ring of a queue. */
  @Nullable ControllerMemory controllerMemory(int queue, int entries) {
    var present = controllerMemory;
    return present != null && present.hasRoom(queue, entries) ? present : null;
  }

  /** The doorbell of an I/O queue. */
  Doorbell doorbell(int queue, boolean isCompletion) {
    long offset =
        isCompletion ? registers.completionDoorbell(queue) : registers.submissionDoorbell(queue);
    var buffers = shadow;
    return buffers != null && buffers.covers(offset)
        ? buffers.doorbell(offset)
        : registers.doorbell(offset);
  }

  private static <T> T started(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("the controller is not started");
    }
    return part;
  }

  /** Tells the controller to bring its data to safety. */
  void shutDown(CloseSteps steps) {
    if (isEnabled) {
      isEnabled = false;
      var reported =
          identity == null
              ? Duration.ZERO
              : Duration.of(identity.shutdownMicros(), ChronoUnit.MICROS);
      var timeout = reported.compareTo(SHORTEST_SHUTDOWN) < 0 ? SHORTEST_SHUTDOWN : reported;
      steps.run(() -> registers.shutDown(timeout));
    }
  }

  /** Has the device reach no memory any more. */
  void stopForGood(CloseSteps steps) {
    if (isBusMaster) {
      stop(steps);
    }
  }

  private void stop(CloseSteps steps) {
    steps.run(registers::disable);
    if (!device.isClosed()) {
      // Whoever closes it does this before anything else.
      steps.run(this::giveDeviceBack);
    }
  }

  /** Frees what the device could reach before, and the registers. */
  void free(CloseSteps steps) {
    steps.run(vectors::close);
    if (controllerMemory != null) {
      steps.run(controllerMemory::close);
    }
    if (admin != null) {
      steps.run(admin::close);
    }
    steps.run(registers::close);
  }
}
