// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaSpace;
import io.jvfio.Interrupt;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.jfr.Jfr;
import io.jvfio.linux.Errno;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The core that all parts of an open controller share: its state, its admin queue, and the lock
 * around both.
 *
 * <p>The lock is held for each admin command, for creating and deleting queues, and for a reset; no
 * I/O command takes it. A failure of the controller itself (a command that does not come back, a
 * fatal error, a completion of nothing) leads to {@link #recover}, whoever notices it.
 */
final class Controller {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  /** How often a controller is started anew whose connection is lost again and again. */
  private static final int MOST_RESTARTS = 10;

  private enum Phase {
    STARTING,
    RUNNING,
    RECOVERING,
    DEAD,
    CLOSED
  }

  private final ReentrantLock lock = new ReentrantLock();
  private final VfioDevice device;
  private final NvmeOptions options;
  private final ControllerRegisters registers;
  private final Startup startup;
  private final QueueTable queues;
  private volatile Phase phase = Phase.STARTING;

  /** Why the controller was reset last, or is dead. */
  private volatile @Nullable Throwable failure;

  /** Why the controller is closed; written before {@link Phase#CLOSED}. */
  private volatile @Nullable Closing closing;

  /** Whether the host has asked for the device. */
  private volatile boolean isDeviceWanted;

  private final AtomicInteger resets = new AtomicInteger();

  Controller(VfioDevice device, NvmeOptions options) {
    this.device = device;
    this.options = options;
    registers = new ControllerRegisters(device);
    startup = new Startup(device, options, registers);
    queues = new QueueTable(this);
  }

  VfioDevice device() {
    return device;
  }

  NvmeOptions options() {
    return options;
  }

  ControllerRegisters registers() {
    return registers;
  }

  Startup startup() {
    return startup;
  }

  QueueTable queues() {
    return queues;
  }

  String name() {
    return device.name();
  }

  /** The memory that the device reaches. */
  DmaSpace dmaSpace() {
    requireUsable();
    return device.dmaSpace();
  }

  /** Creates an I/O queue pair. */
  NvmeQueue openQueue() {
    return call(queues::open);
  }

  boolean isStarting() {
    return phase == Phase.STARTING;
  }

  /** Whether it works, or will soon. */
  boolean isAlive() {
    return phase == Phase.RUNNING || phase == Phase.RECOVERING;
  }

  int resets() {
    return resets.get();
  }

  /** Why it was reset last, or is dead. */
  Optional<Throwable> failure() {
    return Optional.ofNullable(failure);
  }

  /**
   * Brings the controller up, from power-on or whatever state it is in.
   *
   * @return the first I/O queue pair
   */
  NvmeQueue start() {
    startup.start();
    var firstQueue = queues.open();
    phase = Phase.RUNNING;
    return firstQueue;
  }

  /**
   * Does something that takes admin commands.
   *
   * @throws NvmeClosedException if the controller is closed, or the device is meanwhile
   */
  <T> T call(Supplier<T> action) {
    lock.lock();
    try {
      requireUsable();
      return action.get();
    } catch (RuntimeException e) {
      throw explained(e);
    } finally {
      lock.unlock();
    }
  }

  /** As {@link #call} for what returns nothing. */
  void run(Runnable action) {
    lock.lock();
    try {
      requireUsable();
      action.run();
    } catch (RuntimeException e) {
      throw explained(e);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Does something if no other thread holds the lock, and the controller is usable.
   *
   * @return whether it was done
   */
  boolean tryRun(Runnable action) {
    if (!lock.tryLock()) {
      return false;
    }
    try {
      if (phase == Phase.RUNNING) {
        action.run();
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Sends an admin command and waits for it; with the lock. A command that does not come back ends
   * in a reset.
   *
   * @return dword 0 of the completion
   * @throws NvmeStatusException if the controller completes it with an error
   */
  int execute(
      int opcode,
      String label,
      String object,
      int namespaceId,
      long prp1,
      long prp2,
      long cdw10and11,
      long cdw12and13,
      long cdw14and15,
      long timeoutNanos) {
    var admin = startup.admin();
    int status;
    try {
      status =
          admin.execute(
              opcode, namespaceId, prp1, prp2, cdw10and11, cdw12and13, cdw14and15, timeoutNanos);
    } catch (RuntimeException e) {
      recover(e);
      // What fails while the controller is being closed is told to whoever closes it, as it is.
      throw device.isClosed() ? explained(e) : e;
    } catch (Error e) {
      recover(e);
      throw e;
    }
    if (status != 0) {
      String subject = object.isEmpty() ? name() : object + " of " + name();
      throw new NvmeStatusException(label, subject, status);
    }
    return admin.completedResult();
  }

  /** An admin command with no data or a page of it, and the usual time. */
  int execute(Opcode opcode, String object, int namespaceId, long prp1, long cdw10and11) {
    return execute(
        opcode.code(),
        opcode.label(),
        object,
        namespaceId,
        prp1,
        0,
        cdw10and11,
        0,
        0,
        options.commandTimeout().toNanos());
  }

  /** Takes the events that the controller has told, and asks for more; none if it is closed. */
  List<Integer> takeEvents() {
    lock.lock();
    try {
      if (phase != Phase.RUNNING || device.isClosed()) {
        return List.of();
      }
      var admin = startup.admin();
      admin.takeCompletions();
      startup.requestEvents();
      var events = List.copyOf(admin.events());
      admin.events().clear();
      return events;
    } catch (RuntimeException | Error e) {
      recover(e);
      if (device.isClosed()) {
        return List.of();
      }
      throw e;
    } finally {
      lock.unlock();
    }
  }

  /** The host has asked for the device: it is what anything is closed for from now on. */
  void deviceIsWanted() {
    isDeviceWanted = true;
  }

  /** Whether the device is closed, or about to be: only what is in this process is left to do. */
  boolean isDeviceClosed() {
    return device.isClosed();
  }

  /** Why the caller closes something. */
  Closing closing(NvmeClosedException.Reason reason) {
    return Closing.byThisThread(
        isDeviceWanted
            ? NvmeClosedException.Reason.DEVICE_LEAVING
            : device.isClosed() ? NvmeClosedException.Reason.DEVICE_CLOSED : reason);
  }

  /**
   * What to throw for whatever of the controller is used, if nobody can use it any more.
   *
   * @param what was used
   * @param cause what was met with; null if nothing was tried
   */
  Optional<NvmeClosedException> closed(String what, @Nullable Throwable cause) {
    var known = closing;
    if (known == null && device.isClosed()) {
      known = closing(NvmeClosedException.Reason.DEVICE_CLOSED);
    }
    return Optional.ofNullable(known).map(why -> why.exception(what, cause));
  }

  /** What was thrown; or that the controller or its device is closed, if that is behind it. */
  RuntimeException explained(String what, RuntimeException thrown) {
    return thrown instanceof NvmeClosedException
        ? thrown
        : closed(what, thrown).<RuntimeException>map(e -> e).orElse(thrown);
  }

  /** The same for the controller as a whole. */
  RuntimeException explained(RuntimeException thrown) {
    return explained(label(), thrown);
  }

  private String label() {
    return "the NVMe controller " + name();
  }

  void requireOpen() {
    if (phase == Phase.CLOSED || device.isClosed()) {
      throw closed(label(), null).orElseThrow();
    }
  }

  void requireUsable() {
    requireOpen();
    var cause = failure;
    if (phase == Phase.DEAD && cause != null) {
      var e =
          registers.failure(
              "send a command",
              "The controller was stopped after an earlier failure: " + cause.getMessage(),
              "Close it and open it again.");
      e.initCause(cause);
      throw e;
    }
  }

  /**
   * What to throw where a command ended with {@link NvmeStatusException#ABORTED_BY_HOST}: not the
   * command failed, but the controller.
   */
  RuntimeException stopped() {
    requireOpen();
    var cause = failure;
    if (cause == null) {
      return registers.failure(
          "wait for a command", "The controller ended it, though it was not reset.", "");
    }
    boolean isDead = phase == Phase.DEAD;
    var e =
        registers.failure(
            "wait for a command",
            "The controller was %s before it completed: %s"
                .formatted(isDead ? "stopped" : "reset", cause.getMessage()),
            isDead ? "" : "It works again; what the command did is not known.");
    e.initCause(cause);
    return e;
  }

  /** The same from whichever thread notices it, without the lock. */
  void recoverFrom(Throwable cause, int resetsBefore) {
    lock.lock();
    try {
      if (device.isClosed()) {
        throw closed(label(), cause).orElseThrow();
      }
      // Another thread may have been faster.
      if (resets.get() == resetsBefore) {
        recover(cause);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Resets a controller that does not do what it should, and ends all commands; with the lock. The
   * order is what matters: first the controller reaches no memory any more, then its commands are
   * told as ended, since their memory may be freed by then. A device that is being closed is not
   * started again.
   */
  void recover(Throwable cause) {
    if (phase != Phase.RUNNING || device.isClosed()) {
      return;
    }
    phase = Phase.RECOVERING;
    failure = cause;
    var event = Jfr.isInUse() ? NvmeResetEvent.started() : null;
    try {
      restart();
      phase = Phase.RUNNING;
      // Where nothing was in flight nobody else hears of it.
      LOG.log(Level.WARNING, "the NVMe controller {0} was reset: {1}", name(), cause.getMessage());
    } catch (RuntimeException | Error e) {
      if (!e.equals(cause)) {
        cause.addSuppressed(e);
      }
      startup.abandon().suppressInto(cause);
      phase = Phase.DEAD;
      queues.endAll();
    }
    if (event != null) {
      event.ended(name(), phase == Phase.RUNNING, cause);
    }
  }

  /** A device whose connection was lost on the way is as after a reset, so it is begun anew. */
  private void restart() {
    for (int left = MOST_RESTARTS; ; left--) {
      try {
        startup.stop();
        // Not earlier: until it is stopped it still carries out commands, which then end with this.
        resets.incrementAndGet();
        queues.endAll();
        startup.restart();
        return;
      } catch (VfioException e) {
        if (left == 0 || device.isClosed() || !e.errno().equals(Optional.of(Errno.ECONNRESET))) {
          throw e;
        }
      }
    }
  }

  /** Deletes a queue and frees its memory. */
  void close(NvmeQueue queue) {
    lock.lock();
    try {
      queues.close(queue);
    } finally {
      lock.unlock();
    }
  }

  /** Closes everything, whatever state it is in; without effect the second time. */
  void close() {
    lock.lock();
    try {
      if (phase == Phase.CLOSED) {
        return;
      }
      var why = closing(NvmeClosedException.Reason.CONTROLLER_CLOSED);
      closing = why;
      var stopping = new CloseSteps();
      if (phase == Phase.RUNNING && !device.isClosed()) {
        // A failure on the way is told, and what comes next stops the controller anyway.
        phase = Phase.CLOSED;
        queues.deleteAll(stopping);
        startup.shutDown(stopping);
      }
      phase = Phase.CLOSED;
      startup.stopForGood(stopping);
      var freeing = new CloseSteps();
      queues.closeAll(why, freeing);
      startup.free(freeing);
      if (device.isClosed()) {
        // It was stopped by whoever closed it, and what it reached was freed with it.
        stopping.forget(RuntimeException.class);
        freeing.forget(IllegalStateException.class);
      }
      stopping.add(freeing);
      stopping.rethrow();
    } finally {
      lock.unlock();
    }
  }

  /** Ends the handler of an interrupt, which ends with the device, too. */
  void unhandle(Interrupt interrupt) {
    try {
      interrupt.unhandle();
    } catch (IllegalStateException e) {
      if (!device.isClosed()) {
        throw e;
      }
    }
  }

  /** Undoes a start that failed. */
  void abandonStart(Throwable cause) {
    var why = closing(NvmeClosedException.Reason.CONTROLLER_CLOSED);
    closing = why;
    phase = Phase.CLOSED;
    var steps = new CloseSteps();
    startup.shutDown(steps);
    startup.stopForGood(steps);
    queues.closeAll(why, steps);
    startup.free(steps);
    steps.suppressInto(cause);
  }

  /** A failure of this device; the kernel was not asked. */
  VfioException failure(String operation, String meaning, String nextStep) {
    return registers.failure(operation, meaning, nextStep);
  }
}
